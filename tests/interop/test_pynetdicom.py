"""pynetdicom as requestor and acceptor: commitment, cancel, sub-operation counters and failed lists."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE, build_role, evt
from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.sop_class import (
    PatientRootQueryRetrieveInformationModelFind,
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)
from tests import made
from tests.peers import HOST, FilmlessServer, eventually, free_port

FIND = StudyRootQueryRetrieveInformationModelFind
GET = StudyRootQueryRetrieveInformationModelGet
MOVE = StudyRootQueryRetrieveInformationModelMove


@contextmanager
def association(
    server: FilmlessServer,
    *contexts: str,
    ae_title: str = "PYNETDICOM",
    handlers: object = None,
    **more: object,
) -> Iterator[Association]:
    ae = AE(ae_title)
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 60
    for context in contexts:
        ae.add_requested_context(context, ExplicitVRLittleEndian)
    opened = ae.associate(
        HOST,
        server.dicom_port,
        ae_title=server.aet,
        evt_handlers=handlers or [],
        **more,  # type: ignore[arg-type]
    )
    assert opened.is_established, "the association was not accepted"
    try:
        yield opened
    finally:
        opened.release()


def store(server: FilmlessServer, series: made.Made) -> None:
    with association(server, CTImageStorage) as opened:
        for file in series.files:
            assert opened.send_c_store(file).Status == 0


def study_keys(series: made.Made) -> Dataset:
    keys = Dataset()
    keys.QueryRetrieveLevel = "STUDY"
    keys.StudyInstanceUID = series.study_uid
    return keys


@dataclass
class Receiver:
    """A storage SCP with a mind of its own: `refuse` SOP Instance UIDs get status A700."""

    port: int = field(default_factory=free_port)
    refuse: set[str] = field(default_factory=set)
    holds: bool = False
    received: list[str] = field(default_factory=list)
    reports: list[tuple[int, Dataset]] = field(default_factory=list)
    #: the third object waits for it, so that a test can cancel in the middle
    proceed: threading.Event = field(default_factory=threading.Event)

    def on_store(self, event: Event) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        if uid in self.refuse:
            return 0xA700
        if self.holds and len(self.received) == 2:
            self.proceed.wait(30)
        self.received.append(uid)
        return 0

    def on_report(self, event: Event) -> tuple[int, None]:
        self.reports.append((event.event_type, event.event_information))
        return 0, None

    @contextmanager
    def running(self, ae_title: str) -> Iterator["Receiver"]:
        ae = AE(ae_title)
        ae.add_supported_context(CTImageStorage, ExplicitVRLittleEndian)
        ae.add_supported_context(Verification)
        ae.add_supported_context(StorageCommitmentPushModel, scu_role=True, scp_role=True)
        handlers = [(evt.EVT_C_STORE, self.on_store), (evt.EVT_N_EVENT_REPORT, self.on_report)]
        running = ae.start_server((HOST, self.port), block=False, evt_handlers=handlers)
        try:
            yield self
        finally:
            running.shutdown()


def test_echo_and_user_identity(filmless_server: FilmlessServer) -> None:
    from pynetdicom.pdu_primitives import UserIdentityNegotiation

    filmless_server.cli("users", "add", "rita", "--no-password", "--role", "ATT")
    said = filmless_server.cli("tokens", "add", "rita", "--label", "workstation", "--scope", "search")
    token = said.output.splitlines()[-1]
    identity = UserIdentityNegotiation()
    identity.user_identity_type = 2
    identity.primary_field = b"rita"
    identity.secondary_field = token.encode()
    identity.positive_response_requested = True
    with association(filmless_server, Verification, ext_neg=[identity]) as opened:
        assert opened.send_c_echo().Status == 0
    identity.secondary_field = b"secret"
    ae = AE("PYNETDICOM")
    ae.add_requested_context(Verification)
    refused = ae.associate(HOST, filmless_server.dicom_port, ae_title=filmless_server.aet, ext_neg=[identity])
    assert refused.is_rejected
    output = filmless_server.running.output()
    assert "secret" not in output and token not in output


def test_find_answers_what_was_stored(filmless_server: FilmlessServer, tmp_path: Path) -> None:
    series = made.series(tmp_path / "s", 3, name="Finder^Fiona^^Dr", patient_id="PYFIND1")
    store(filmless_server, series)
    keys = study_keys(series)
    for keyword in (
        "PatientName",
        "PatientID",
        "StudyDate",
        "StudyTime",
        "AccessionNumber",
        "StudyDescription",
    ):
        setattr(keys, keyword, "")
    keys.NumberOfStudyRelatedInstances = None
    with association(filmless_server, FIND, PatientRootQueryRetrieveInformationModelFind) as opened:
        answers = list(opened.send_c_find(keys, FIND))
        assert [status.Status for status, _ in answers[:-1]] in ([0xFF00], [0xFF01])
        found, final = answers[0][1], answers[-1][0].Status
        by_patient = Dataset()
        by_patient.QueryRetrieveLevel = "PATIENT"
        by_patient.PatientID = "PYFIND1"
        by_patient.PatientName = ""
        root = PatientRootQueryRetrieveInformationModelFind
        patients = [one for _, one in opened.send_c_find(by_patient, root) if one]
    assert final == 0
    assert found is not None
    assert (found.PatientName, found.PatientID, found.StudyDate) == (
        "Finder^Fiona^^Dr",
        "PYFIND1",
        "20260302",
    )
    assert found.NumberOfStudyRelatedInstances == 3
    assert found.QueryRetrieveLevel == "STUDY"
    assert [str(one.PatientName) for one in patients] == ["Finder^Fiona^^Dr"]


def test_chinese_names_in_and_out(filmless_server: FilmlessServer, tmp_path: Path) -> None:
    study, series_uid = generate_uid(), generate_uid()
    name = "Wang^XiaoDong=王^小东"
    ds = made.image(1, name=name, patient_id="GB1", study=study, series=series_uid)
    ds.SpecificCharacterSet = "GB18030"
    path = tmp_path / "gb.dcm"
    path.write_bytes(made.part10(ds))
    with association(filmless_server, CTImageStorage, FIND) as opened:
        assert opened.send_c_store(path).Status == 0
        for pattern in ("Wang^*", "王*", "*小东*"):
            keys = Dataset()
            keys.SpecificCharacterSet = "GB18030"
            keys.QueryRetrieveLevel = "STUDY"
            keys.PatientName = pattern
            keys.PatientID = "GB1"
            keys.StudyInstanceUID = ""
            found = [one for _, one in opened.send_c_find(keys, FIND) if one]
            assert [str(one.PatientName) for one in found] == [name], pattern


def test_get_counts_and_brings_all(filmless_server: FilmlessServer, tmp_path: Path) -> None:
    series = made.series(tmp_path / "s", 5, patient_id="PYGET1")
    store(filmless_server, series)
    got: dict[str, bytes] = {}

    def keep(event: Event) -> int:
        got[str(event.request.AffectedSOPInstanceUID)] = event.encoded_dataset(include_meta=False)
        return 0

    with association(
        *(filmless_server, GET, CTImageStorage),
        handlers=[(evt.EVT_C_STORE, keep)],
        ext_neg=[build_role(CTImageStorage, scp_role=True)],
    ) as opened:
        answers = [status for status, _ in opened.send_c_get(study_keys(series), GET)]
    assert got == series.data_sets
    final = answers[-1]
    assert (final.Status, final.NumberOfCompletedSuboperations) == (0, 5)
    assert (final.NumberOfFailedSuboperations, final.NumberOfWarningSuboperations) == (0, 0)
    pending = [one.NumberOfRemainingSuboperations for one in answers[:-1]]
    assert pending == sorted(pending, reverse=True)


def test_get_names_what_failed(filmless_server: FilmlessServer, tmp_path: Path) -> None:
    series = made.series(tmp_path / "s", 4, patient_id="PYGET2")
    store(filmless_server, series)
    refused = sorted(series.data_sets)[1]

    def keep(event: Event) -> int:
        return 0xA700 if event.request.AffectedSOPInstanceUID == refused else 0

    with association(
        *(filmless_server, GET, CTImageStorage),
        handlers=[(evt.EVT_C_STORE, keep)],
        ext_neg=[build_role(CTImageStorage, scp_role=True)],
    ) as opened:
        *_, (final, identifier) = opened.send_c_get(study_keys(series), GET)
    assert final.Status == 0xB000
    assert (final.NumberOfCompletedSuboperations, final.NumberOfFailedSuboperations) == (3, 1)
    assert identifier is not None
    assert identifier.FailedSOPInstanceUIDList == refused


def test_move_names_what_failed(filmless_server: FilmlessServer, tmp_path: Path) -> None:
    series = made.series(tmp_path / "s", 4, patient_id="PYMOVE1")
    store(filmless_server, series)
    refused = sorted(series.data_sets)[:2]
    with Receiver(refuse=set(refused)).running("PYDEST") as receiver:
        filmless_server.add_device("PYDEST", receiver.port)
        with association(filmless_server, MOVE) as opened:
            *_, (final, identifier) = opened.send_c_move(study_keys(series), "PYDEST", MOVE)
    assert final.Status == 0xB000
    assert (final.NumberOfCompletedSuboperations, final.NumberOfFailedSuboperations) == (2, 2)
    assert identifier is not None
    assert sorted(identifier.FailedSOPInstanceUIDList) == refused
    assert sorted(receiver.received) == sorted(set(series.data_sets) - set(refused))


def test_cancelled_move_stops(filmless_server: FilmlessServer, tmp_path: Path) -> None:
    series = made.series(tmp_path / "s", 120, patient_id="PYCANCEL1", side=256)
    store(filmless_server, series)
    with Receiver(holds=True).running("PYCANCEL") as receiver:
        filmless_server.add_device("PYCANCEL", receiver.port)
        with association(filmless_server, MOVE) as opened:
            statuses = []
            for status, _ in opened.send_c_move(study_keys(series), "PYCANCEL", MOVE, msg_id=7):
                statuses.append(status)
                if len(statuses) == 1:
                    opened.send_c_cancel(7, query_model=MOVE)
                    receiver.proceed.set()
    final = statuses[-1]
    assert final.Status == 0xFE00
    assert len(receiver.received) < 120
    assert final.NumberOfCompletedSuboperations == len(receiver.received)
    assert final.NumberOfRemainingSuboperations == 120 - len(receiver.received)


def test_commitment_is_reported(filmless_server: FilmlessServer, tmp_path: Path) -> None:
    """What is there is committed; what is not is named with its reason (PS3.4 J.3.3)."""
    series = made.series(tmp_path / "s", 3, patient_id="PYCOMMIT1")
    store(filmless_server, series)
    missing = str(generate_uid())
    with Receiver().running("PYCOMMIT") as receiver:
        filmless_server.add_device("PYCOMMIT", receiver.port)
        request = Dataset()
        request.TransactionUID = generate_uid()
        request.ReferencedSOPSequence = []
        for uid in [*series.data_sets, missing]:
            item = Dataset()
            item.ReferencedSOPClassUID = CTImageStorage
            item.ReferencedSOPInstanceUID = uid
            request.ReferencedSOPSequence.append(item)
        with association(
            *(filmless_server, StorageCommitmentPushModel),
            ae_title="PYCOMMIT",
            handlers=[(evt.EVT_N_EVENT_REPORT, receiver.on_report)],
        ) as opened:
            status, _ = opened.send_n_action(
                request, 1, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
            )
            assert status.Status == 0
            eventually(lambda: bool(receiver.reports), "the event report arrives", seconds=40)
    kind, report = receiver.reports[0]
    assert kind == 2
    assert report.TransactionUID == request.TransactionUID
    committed = {item.ReferencedSOPInstanceUID for item in report.ReferencedSOPSequence}
    assert committed == set(series.data_sets)
    failed = [(item.ReferencedSOPInstanceUID, item.FailureReason) for item in report.FailedSOPSequence]
    assert failed == [(missing, 0x0112)]


def test_commitment_of_all_is_success(filmless_server: FilmlessServer, tmp_path: Path) -> None:
    series = made.series(tmp_path / "s", 2, patient_id="PYCOMMIT2")
    store(filmless_server, series)
    with Receiver().running("PYCOMMIT2") as receiver:
        filmless_server.add_device("PYCOMMIT2", receiver.port)
        request = Dataset()
        request.TransactionUID = generate_uid()
        request.ReferencedSOPSequence = []
        for uid in series.data_sets:
            item = Dataset()
            item.ReferencedSOPClassUID = CTImageStorage
            item.ReferencedSOPInstanceUID = uid
            request.ReferencedSOPSequence.append(item)
        # this association ends at once: the report must come on one of its own
        with association(filmless_server, StorageCommitmentPushModel, ae_title="PYCOMMIT2") as opened:
            status, _ = opened.send_n_action(
                request, 1, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
            )
            assert status.Status == 0
        eventually(lambda: bool(receiver.reports), "the event report arrives", seconds=40)
    assert [(kind, report.TransactionUID) for kind, report in receiver.reports] == [
        (1, request.TransactionUID)
    ]


def test_classes_beyond_the_standard_are_not_accepted(filmless_server: FilmlessServer) -> None:
    ae = AE("PYNETDICOM")
    for number in range(3):
        ae.add_requested_context(f"1.2.826.0.1.3680043.10.1561.99.{number}")
    ae.add_requested_context(Verification)
    opened = ae.associate(HOST, filmless_server.dicom_port, ae_title="FILMLESS")
    assert opened.is_established
    assert [context.abstract_syntax for context in opened.accepted_contexts] == [Verification]
    assert len(opened.rejected_contexts) == 3
    opened.release()
