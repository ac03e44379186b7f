"""TLS with dcmtk and pynetdicom, both directions, with and without certificates of the peers."""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pynetdicom import AE
from pynetdicom.sop_class import Verification
from tests import made
from tests.certificates import Authority, Pair
from tests.peers import (
    HOST,
    FilmlessServer,
    Final,
    Orthanc,
    echoscu,
    eventually,
    final_response,
    findscu,
    free_port,
    movescu,
    stored,
    storescp,
    storescu,
)


@dataclass(frozen=True)
class Tls:
    server: FilmlessServer
    port: int
    authority: Authority
    modality: Pair
    stranger: Authority


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tls]:
    base = tmp_path_factory.mktemp("tls")
    authority = Authority(base / "hospital", "Hospital CA")
    stranger = Authority(base / "stranger", "Stranger CA")
    own, modality = authority.issue("filmless"), authority.issue("modality")
    port = free_port()
    settings = (
        f'[tls]\nport = {port}\ncertificate = "{own.certificate}"\nkey = "{own.key}"\n'
        f'authorities = "{authority.file}"\npeers = "required"\n'
    )
    with FilmlessServer(base / "home", settings=settings) as server:
        yield Tls(server, port, authority, modality, stranger)


def shown(pair: Pair, authority: Authority) -> list[str | Path]:
    return ["+tls", pair.key, pair.certificate, "+cf", authority.file]


def test_echo_store_and_find_over_tls(tls: Tls, tmp_path: Path) -> None:
    options = shown(tls.modality, tls.authority)
    assert "Received Echo Response (Success)" in echoscu(tls.port, *options).output
    series = made.series(tmp_path / "s", 3, patient_id="TLS1")
    assert stored(storescu(tls.port, *series.files, options=options)) == 3
    answers = findscu(
        *(tls.port, "QueryRetrieveLevel=STUDY", "PatientID=TLS1", "NumberOfStudyRelatedInstances"),
        options=options,
    )
    assert [answer["(0020,1208)"] for answer in answers] == ["3"]


def test_a_strangers_certificate_is_refused(tls: Tls) -> None:
    done = echoscu(tls.port, *shown(tls.stranger.issue("stranger"), tls.authority), check=False)
    assert done.status != 0
    assert "Received Echo Response" not in done.output


def test_no_certificate_is_refused_where_it_is_required(tls: Tls) -> None:
    done = echoscu(tls.port, "+tla", "+cf", tls.authority.file, check=False)
    assert done.status != 0
    assert "Received Echo Response" not in done.output


def test_plain_dicom_on_the_tls_port_is_let_go(tls: Tls) -> None:
    assert echoscu(tls.port, check=False).status != 0
    echoscu(tls.server.dicom_port)


def test_pynetdicom_over_tls(tls: Tls) -> None:
    context = ssl.create_default_context(cafile=str(tls.authority.file))
    context.load_cert_chain(tls.modality.certificate, tls.modality.key)
    ae = AE("PYTLS")
    ae.add_requested_context(Verification)
    opened = ae.associate(HOST, tls.port, ae_title="FILMLESS", tls_args=(context, "localhost"))
    assert opened.is_established
    assert opened.send_c_echo().Status == 0
    opened.release()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_old_protocol_versions_are_refused(tls: Tls) -> None:
    """BCP 195 (PS3.15 B.12): TLS 1.2 at least."""
    import socket

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(tls.authority.file)
    context.load_cert_chain(tls.modality.certificate, tls.modality.key)
    context.check_hostname = False
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection((HOST, tls.port), timeout=10) as link,
        pytest.raises((ssl.SSLError, OSError)),
    ):
        context.wrap_socket(link)


def test_move_to_a_receiver_over_tls(tls: Tls, tmp_path: Path) -> None:
    series = made.series(tmp_path / "s", 3, patient_id="TLS2")
    options = shown(tls.modality, tls.authority)
    assert stored(storescu(tls.port, *series.files, options=options)) == 3
    receiver = tls.authority.issue("receiver")
    with storescp(tmp_path / "moved", *shown(receiver, tls.authority), aet="TLSDEST") as running:
        tls.server.add_device("TLSDEST", running.port, "--tls")
        tls.server.cli("echo", "TLSDEST")
        done = movescu(
            *(tls.server.dicom_port, "TLSDEST", "QueryRetrieveLevel=STUDY"),
            f"StudyInstanceUID={series.study_uid}",
        )
        assert final_response(done) == Final(0, 3, 0, 0)
        eventually(lambda: len(list((tmp_path / "moved").iterdir())) == 3, "three files are written")
    assert made.recorded(tmp_path / "moved") == series.data_sets


def test_a_receiver_of_a_strange_authority_is_not_trusted(tls: Tls, tmp_path: Path) -> None:
    receiver = tls.stranger.issue("receiver")
    options = ["+tls", receiver.key, receiver.certificate, "+cf", tls.authority.file]
    with storescp(tmp_path / "moved", *options, aet="STRANGE") as running:
        tls.server.add_device("STRANGE", running.port, "--tls")
        done = tls.server.cli("echo", "STRANGE", check=False)
    assert done.status != 0
    assert "certificate" in done.output.lower()


def test_orthanc_over_tls_both_ways(tls: Tls, tmp_path: Path) -> None:
    pair = tls.authority.issue("orthanc")
    settings = {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(pair.certificate),
        "DicomTlsPrivateKey": str(pair.key),
        "DicomTlsTrustedCertificates": str(tls.authority.file),
        "DicomModalities": {
            "filmless": {"AET": "FILMLESS", "Host": HOST, "Port": tls.port, "UseDicomTls": True}
        },
    }
    with Orthanc(tmp_path / "orthanc", aet="ORTHANCTLS", settings=settings) as orthanc:
        orthanc.ask("/modalities/filmless/echo", {})
        there = made.series(tmp_path / "there", 3, patient_id="TLS3")
        answers = [orthanc.ask("/instances", file.read_bytes()) for file in there.files]
        request = {"Resources": [answers[0]["ParentStudy"]], "Synchronous": True}
        assert orthanc.ask("/modalities/filmless/store", request)["FailedInstancesCount"] == 0
        tls.server.add_device("ORTHANCTLS", orthanc.dicom_port, "--tls")
        here = made.series(tmp_path / "here", 3, patient_id="TLS4")
        tls.server.cli("send", "ORTHANCTLS", *here.files)
        found = orthanc.ask("/tools/find", {"Level": "Instance", "Query": {"PatientID": "TLS4"}})
        assert len(found) == 3
    answers = findscu(
        *(tls.port, "QueryRetrieveLevel=STUDY", "PatientID=TLS3", "NumberOfStudyRelatedInstances"),
        options=shown(tls.modality, tls.authority),
    )
    assert [answer["(0020,1208)"] for answer in answers] == ["3"]
