"""Asking another archive, from the command line: Orthanc as the foreign one, pynetdicom for its failures."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import CTImageStorage
from pynetdicom import evt
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind as StudyFind
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelMove as StudyMove
from tests import peers
from tests.exchange.peer import image, peer

from filmless.devices.model import Device
from filmless.dicom.dimse import CommandField
from filmless.dicom.sopclasses import STUDY_ROOT_FIND
from filmless.dicom.uids import EXPLICIT_VR_LE
from filmless.dicom.ul.negotiation import ANY, NegotiationPolicy
from filmless.exchange import remote
from filmless.kit.errors import Refused, Unavailable
from filmless.net.model import Admission, NetSettings, Reply
from filmless.net.server import Server, Services

SETTINGS = NetSettings(ae_title="FILMLESS", connect_timeout=3, acse_timeout=5, response_timeout=10)
STUDY, OTHER = "1.2.826.51", "1.2.826.52"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[peers.FilmlessServer]:
    with peers.FilmlessServer(tmp_path_factory.mktemp("server") / "home") as running:
        yield running


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("files")
    made = [image(folder, number=n, study=STUDY, series=f"{STUDY}.1") for n in (1, 2, 3)]
    return [*made, image(folder, number=4, study=OTHER, series=f"{OTHER}.1")]


@pytest.fixture(scope="module")
def orthanc(
    server: peers.FilmlessServer, files: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[peers.Orthanc]:
    modalities = {"filmless": ("FILMLESS", peers.HOST, server.dicom_port)}
    with peers.Orthanc(tmp_path_factory.mktemp("orthanc"), modalities=modalities) as running:
        server.add_device("ORTHANC", running.dicom_port)
        done = server.cli("send", "ORTHANC", *files)
        assert "Sent 4 of 4 objects to ORTHANC." in done.output
        yield running


def data_sets(folder: Path) -> dict[str, Dataset]:
    return {path.stem: dcmread(path) for path in folder.glob("*.dcm")}


@pytest.mark.interop
def test_orthanc_answers(server, orthanc):
    assert "answers" in server.cli("echo", "ORTHANC").output
    assert json.loads(server.cli("echo", "ORTHANC", "--json").output)["ok"] is True


@pytest.mark.interop
def test_orthanc_has_what_it_was_sent(server, orthanc, files):
    stored = {
        orthanc.ask(f"/instances/{one}/simplified-tags")["SOPInstanceUID"]
        for one in orthanc.ask("/instances")
    }
    assert stored == {path.stem for path in files}


@pytest.mark.interop
def test_a_query_prints_a_table_or_json(server, orthanc):
    table = server.cli("find", "ORTHANC", "-k", "PatientName=DOE*").output
    assert STUDY in table
    assert OTHER in table
    assert "Doe^Jane" in table
    found = json.loads(server.cli("find", "ORTHANC", "-k", f"StudyInstanceUID={STUDY}", "--json").output)
    assert [one["0020000D"]["Value"] for one in found] == [[STUDY]]
    images = server.cli(
        *("find", "ORTHANC", "--level", "image", "--json"),
        *("-k", f"StudyInstanceUID={STUDY}", "-k", f"SeriesInstanceUID={STUDY}.1"),
    )
    assert sorted(one["00200013"]["Value"][0] for one in json.loads(images.output)) == [1, 2, 3]
    nothing = server.cli("find", "ORTHANC", "-k", "PatientName=NOBODY")
    assert "Nothing found." in nothing.output
    limited = server.cli("find", "ORTHANC", "--limit", "1", "--json")
    assert "more than 1" in limited.output


@pytest.mark.interop
def test_a_study_is_fetched_into_a_folder(server, orthanc, files, tmp_path):
    done = server.cli("get", "ORTHANC", "--study", STUDY, "--into", tmp_path / "out")
    assert "3 objects fetched into" in done.output
    got = data_sets(tmp_path / "out")
    assert set(got) == {path.stem for path in files[:3]}
    for path in files[:3]:
        assert got[path.stem].PixelData == dcmread(path).PixelData
    assert not list((tmp_path / "out").glob(".*"))


@pytest.mark.interop
def test_a_study_is_fetched_into_the_archive_and_another_is_moved(server, orthanc, files, tmp_path):
    done = json.loads(server.cli("get", "ORTHANC", "--study", OTHER, "--json").output)
    assert (done["completed"], done["failed"]) == (1, 0)
    moved = json.loads(server.cli("move", "ORTHANC", "--to", "FILMLESS", "--study", STUDY, "--json").output)
    assert (moved["completed"], moved["failed"]) == (3, 0)
    with peer(ae_title="BACK") as (device, got):
        server.add_device("BACK", device.port)
        sent = server.cli("send", "BACK", "--study", STUDY, "--study", OTHER)
        assert "Sent 4 of 4 objects to BACK." in sent.output
    assert sorted(got.uids) == sorted(path.stem for path in files)
    with peer(ae_title="PATIENT") as (device, got):
        server.add_device("PATIENT", device.port)
        server.cli("send", "PATIENT", "--patient", "P1")
    assert len(got.uids) == 4
    jobs = json.loads(server.cli("jobs", "list", "--json", "--device", "PATIENT").output)
    assert [job["state"] for job in jobs] == ["done"]
    assert "P1" not in json.dumps([job["task"] for job in jobs])


@pytest.mark.interop
def test_what_is_wrong_is_said_in_one_sentence(server, orthanc):
    for arguments, words in [
        (("find", "ORTHANC", "-k", "Nonsense=1"), "There is no attribute 'Nonsense'."),
        (("find", "NOWHERE"), "No device NOWHERE is known"),
        (("move", "ORTHANC", "--to", "NOBODY", "--study", STUDY), "ORTHANC answered: "),
        (("send", "ORTHANC", "--study", "1.2.3.999"), "no such objects in the archive"),
        (("get", "ORTHANC"), "say what"),
        (("send", "ORTHANC"), "say either"),
    ]:
        done = server.cli(*arguments, check=False)
        assert done.status not in (0, 1), arguments
        assert words in done.output
        assert "Traceback" not in done.output


def test_files_that_are_no_objects_are_left_out_and_named(server, files, tmp_path):
    (tmp_path / "notes.txt").write_text("nothing to see here, move along")
    with peer(ae_title="FILES") as (device, got):
        server.add_device("FILES", device.port)
        done = json.loads(server.cli("send", "FILES", files[0], tmp_path, "--json").output)
        assert (done["sent"], done["not_sent"]) == (1, [])
        assert [Path(one["path"]).name for one in done["left_out"]] == ["notes.txt"]
        assert got.uids == [files[0].stem]
        nothing = server.cli("send", "FILES", tmp_path, check=False)
    assert nothing.status == 2
    assert "no DICOM object was found" in nothing.output


# -- a device that fails


async def _all(answers: Any) -> list[Dataset]:
    return [one async for one in answers]


def _asking(handler: Any, event: Any, sop_class: Any) -> Any:
    return peer(
        more=[(event, handler)], configure=lambda ae: ae.add_supported_context(sop_class), ae_title="PEER"
    )


async def test_keys_are_sent_as_they_were_given():
    asked: list[Dataset] = []

    def answer(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        asked.append(event.identifier)
        found = Dataset()
        found.PatientName = "李^明=Lǐ"
        found.SpecificCharacterSet = "GB18030"
        yield 0xFF00, found

    wanted = remote.identifier(
        "STUDY",
        {
            "PatientName": "王*",
            "StudyDate": "20260101-20260131",
            "StudyInstanceUID": "1.2\\1.3",
            "00081030": "BRAIN*",
            "RequestAttributesSequence.ScheduledProcedureStepID": "S1",
        },
        ("AccessionNumber",),
    )
    with _asking(answer, evt.EVT_C_FIND, StudyFind) as (device, _):
        found = await _all(remote.find(device, wanted, settings=SETTINGS))
    assert str(found[0].PatientName) == "李^明=Lǐ"
    sent = asked[0]
    assert sent.QueryRetrieveLevel == "STUDY"
    assert sent.SpecificCharacterSet == "ISO_IR 192"
    assert str(sent.PatientName) == "王*"
    assert sent["StudyDate"].value == "20260101-20260131"
    assert list(sent.StudyInstanceUID) == ["1.2", "1.3"]
    assert sent.StudyDescription == "BRAIN*"
    assert not sent.AccessionNumber
    assert sent.RequestAttributesSequence[0].ScheduledProcedureStepID == "S1"


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (0xA700, Unavailable, "PEER answered: out of resources"),
        (0xA900, Refused, "PEER answered: data set does not match SOP class"),
        (0xC001, Refused, "PEER answered: cannot understand or unable to process"),
    ],
)
async def test_a_query_that_fails_is_an_error_not_an_empty_answer(status, error, words):
    with (
        _asking(lambda event: iter([(status, None)]), evt.EVT_C_FIND, StudyFind) as (device, _),
        pytest.raises(error, match=words),
    ):
        await _all(remote.find(device, remote.identifier("STUDY", {}), settings=SETTINGS))


async def test_what_comes_with_a_failure_is_no_answer():
    async def fail(*_: Any) -> AsyncIterator[Reply]:
        yield Reply(0xA700, remote.encode(remote.identifier("STUDY", {"PatientID": "P"}), EXPLICIT_VR_LE))

    async def admit(*_: Any) -> Admission:
        return Admission("who", NegotiationPolicy({STUDY_ROOT_FIND: ANY}))

    services = Services()
    services.add([STUDY_ROOT_FIND], [CommandField.C_FIND_RQ], fail)
    server = Server(SETTINGS, services, admit)
    device = Device("PEER", host="127.0.0.1", port=await server.start("127.0.0.1", 0))
    with pytest.raises(Unavailable, match="out of resources"):
        await _all(remote.find(device, remote.identifier("STUDY", {}), settings=SETTINGS))
    await server.stop(0)


async def test_leaving_a_query_early_ends_it_there():
    cancelled: list[bool] = []
    ended = threading.Event()

    def endless(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        try:
            for _ in range(100_000):
                if event.is_cancelled:
                    cancelled.append(True)
                    yield 0xFE00, None
                    return
                found = Dataset()
                found.PatientID = "P"
                yield 0xFF00, found
            cancelled.append(False)
        finally:
            # by the cancel, or by the abort behind it
            ended.set()

    with _asking(endless, evt.EVT_C_FIND, StudyFind) as (device, _):
        answers = remote.find(device, remote.identifier("STUDY", {}), settings=SETTINGS)
        seen = 0
        async for _ in answers:
            seen += 1
            # pynetdicom forgets a cancel that comes while it begins to answer
            if seen == 100:
                break
        await answers.aclose()
        # not on this loop: it still has to close the socket, which is what ends a peer that forgot the cancel
        assert await asyncio.to_thread(ended.wait, 30), "the query ends"
    assert cancelled != [False]


async def test_a_device_without_the_service_is_said_so():
    with peer() as (device, _), pytest.raises(Refused, match="does not offer Study Root"):
        await _all(remote.find(device, remote.identifier("STUDY", {}), settings=SETTINGS))


async def test_the_end_of_a_move_is_what_the_device_says_of_each_object():
    told: list[remote.Counters] = []
    failing = ["1.2.3.1", "1.2.3.2"]

    with peer(ae_title="SINK", on_store=lambda event, got: 0xA900) as (sink, _):

        def moving(event: Any) -> Iterator[Any]:
            yield sink.host, sink.port
            yield 2
            for uid in failing:
                made = Dataset()
                made.SOPClassUID = CTImageStorage
                made.SOPInstanceUID = uid
                made.PatientID = "P"
                yield 0xFF00, made

        def configure(ae: Any) -> None:
            ae.add_supported_context(StudyMove)
            ae.add_requested_context(CTImageStorage)

        with peer(more=[(evt.EVT_C_MOVE, moving)], configure=configure) as (device, _):
            done = await remote.move(
                device,
                remote.identifier("STUDY", {"StudyInstanceUID": "1.2"}),
                "SINK",
                settings=SETTINGS,
                progress=told.append,
            )
    assert (done.counters.completed, done.counters.failed) == (0, 2)
    assert done.words
    assert sorted(done.failed_uids) == failing
    assert told
