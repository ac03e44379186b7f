"""Images under a wrong entry of the worklist are moved to the exam that they are of (IHE RAD IOCM), and back."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from sqlalchemy import Engine, select
from tests.department.hospital import Hospital
from tests.department.identity.conftest import Send
from tests.department.identity.test_identity import leaves_as, of_worklist, registered
from tests.trails import entries

from filmless.access.model import SYSTEM
from filmless.archive.query.instances import instances_of
from filmless.archive.store import Archive
from filmless.archive.tables import instances, rejections, series, studies
from filmless.db import events
from filmless.db.work import reading, writing
from filmless.department import exams, tasks
from filmless.department.exams import Exam
from filmless.department.identity import following, journal, moving
from filmless.department.identity.following import Follower
from filmless.department.states import State
from filmless.dicom.renaming import renamed
from filmless.dicom.rewrite import EXPLICIT_LE, IMPLICIT_LE
from filmless.kit.errors import Conflict, Refused, Unavailable


def images_of(archive: Archive, study_uid: str) -> list[str]:
    """SOP Instance UIDs in use."""
    with reading(archive.engine) as connection:
        return [
            one.sop_instance
            for one in instances_of(connection, SYSTEM, level="STUDY", study_uids=(study_uid,))
        ]


def state_of(archive: Archive, exam: Exam) -> Exam:
    with reading(archive.engine) as connection:
        return exams.get(connection, exam.id)


def test_moved_and_moved_back(engine: Engine, hospital: Hospital, archive: Archive, send: Send) -> None:
    with writing(engine) as connection:
        other, whose = hospital.person(connection, "误选"), hospital.person(connection, "实查", sex="F")
    wrong, right = registered(engine, hospital, other), registered(engine, hospital, whose)
    told = of_worklist(other, wrong, PatientAge="056Y", AdmissionID="ZY1")
    first = send(wrong.study_uid, **told)
    request = Dataset()
    request.ReferencedSOPClassUID, request.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", first
    # one that refers to another one, as localizers are referred to
    second = send(wrong.study_uid, ReferencedImageSequence=Sequence([request]), **told)
    steward = hospital.acting("PAD")
    wish = moving.Wish(wrong.study_uid, right.id, "技师选错了条目")
    with writing(engine) as connection:
        with pytest.raises(Refused, match="right"):
            moving.move(connection, wish, hospital.acting("REG"))
        entry = moving.move(connection, wish, steward)
    assert moving.settle(archive, steward, entry.id) == 2
    # done again it does nothing
    assert moving.settle(archive, steward, entry.id) == 0

    assert images_of(archive, wrong.study_uid) == []
    copies = [leaves_as(archive, uid) for uid in images_of(archive, right.study_uid)]
    assert len(copies) == 2 and not {str(one.SOPInstanceUID) for one in copies} & {first, second}
    for one in copies:
        assert (one.PatientID, one.AccessionNumber, one.PatientSex) == (whose.patient_id, right.number, "F")
        assert str(one.StudyInstanceUID) == right.study_uid
        assert str(one.SeriesInstanceUID) != f"{wrong.study_uid}.7"
        assert "PatientAge" not in one and "AdmissionID" not in one
        assert one.RequestAttributesSequence[0].RequestedProcedureID == right.number
        before = one.OriginalAttributesSequence[-1].ModifiedAttributesSequence[0]
        assert (before.PatientID, before.AccessionNumber) == (other.patient_id, wrong.number)
        assert str(before.StudyInstanceUID) == wrong.study_uid and before.SOPInstanceUID in (first, second)
    (referring,) = [one for one in copies if "ReferencedImageSequence" in one]
    (referred,) = [one for one in copies if "ReferencedImageSequence" not in one]
    assert referring.ReferencedImageSequence[0].ReferencedSOPInstanceUID == referred.SOPInstanceUID

    # the note stands in the study that they are no longer of
    with reading(engine) as connection:
        notes = connection.execute(
            select(rejections.c.note_uid, rejections.c.code, studies.c.study_uid)
            .join(instances, instances.c.sop_instance_uid == rejections.c.note_uid)
            .join(series, series.c.id == instances.c.series)
            .join(studies, studies.c.id == series.c.study)
            .distinct()
        ).all()
        (told_of,) = [one.body for one in events.after(connection, 0, kinds=("images-moved",), limit=10)]
        kinds = {one.kind for one in tasks.open_tasks(connection, exam=wrong.id)}
        assert [one.kind for one in journal.of_person(connection, other.id)] == ["move"]
    assert [(code, study) for _, code, study in notes] == [("113038", wrong.study_uid)]
    assert told_of["notes"] == [notes[0].note_uid] and told_of["to"] == right.study_uid
    assert state_of(archive, right).state is State.IN_PROGRESS and state_of(archive, wrong).images == "none"
    assert kinds <= {"repeat"}
    whats = [str(one.body.get("what", "")) for one in entries(engine)]
    assert {"images moved to another exam", "images moved from another exam", "identity: move"} <= set(whats)

    # what comes late goes the same way, by the worker
    third = send(wrong.study_uid, **told)
    follower = Follower(engine, archive.root, hospital.trail, lambda: nullcontext(archive))
    while follower.run_once():
        pass
    assert images_of(archive, wrong.study_uid) == [] and len(images_of(archive, right.study_uid)) == 3

    with writing(engine) as connection:
        undone = moving.unmove(connection, entry.id, steward, reason="选对了")
    while follower.run_once():
        pass
    assert undone.undone_by and images_of(archive, right.study_uid) == []
    assert sorted(images_of(archive, wrong.study_uid)) == sorted([first, second, third])
    assert leaves_as(archive, first).PatientID == other.patient_id


def test_what_was_cut_off_goes_on(
    engine: Engine, hospital: Hospital, archive: Archive, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    with writing(engine) as connection:
        other, whose = hospital.person(connection, "误选"), hospital.person(connection, "实查")
    wrong, right = registered(engine, hospital, other), registered(engine, hospital, whose)
    sent = [send(wrong.study_uid, **of_worklist(other, wrong)) for _ in range(3)]
    steward = hospital.acting("PAD")
    with writing(engine) as connection:
        entry = moving.move(connection, moving.Wish(wrong.study_uid, right.id, "wrong entry"), steward)
    really, left = archive.store_blocking, [2]

    def full(*given: object) -> object:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        return really(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(archive, "store_blocking", full)
    with pytest.raises(Unavailable):
        moving.settle(archive, steward, entry.id)
    # nothing is rejected before everything is there
    assert sorted(images_of(archive, wrong.study_uid)) == sorted(sent)
    begun = images_of(archive, right.study_uid)
    assert 1 <= len(begun) <= 2
    monkeypatch.undo()
    monkeypatch.setattr(following, "_AGAIN", timedelta(0))
    follower = Follower(engine, archive.root, hospital.trail, lambda: nullcontext(archive))
    follower.watch_once()
    assert images_of(archive, wrong.study_uid) == []
    after = images_of(archive, right.study_uid)
    assert len(after) == 3 and set(begun) <= set(after), "no image is made twice"


def test_what_is_read_is_moved_by_who_knows(
    engine: Engine, hospital: Hospital, archive: Archive, send: Send
) -> None:
    with writing(engine) as connection:
        other, whose = hospital.person(connection, "误选"), hospital.person(connection, "实查")
    wrong, right = registered(engine, hospital, other), registered(engine, hospital, whose)
    send(wrong.study_uid, **of_worklist(other, wrong))
    with writing(engine) as connection:
        for name, role in (("T09", "TEC"), ("T11", "TEC"), ("T13", "TEC"), ("T16", "RES")):
            exams.advance(connection, wrong.id, name, hospital.acting(role), reason="a test", source="images")
    steward = hospital.acting("PAD")
    wish = moving.Wish(wrong.study_uid, right.id, "wrong entry")
    with writing(engine) as connection, pytest.raises(Conflict) as caught:
        moving.move(connection, wish, steward)
    assert caught.value.code == "being-read"
    with writing(engine) as connection:
        moving.move(connection, moving.Wish(wrong.study_uid, right.id, "wrong entry", despite=True), steward)
        kinds = {one.kind for one in tasks.open_tasks(connection, exam=wrong.id)}
    assert "images-rejected" in kinds


def test_uids_are_renamed_in_items_of_any_length() -> None:
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_dataset

    inner = Dataset()
    inner.ReferencedSOPInstanceUID = "1.2.3"
    outer = Dataset()
    outer.ReferencedSOPSequence = Sequence([inner])
    whole = Dataset()
    whole.SOPInstanceUID, whole.PatientName = "1.2.3", "A^B"
    whole.ReferencedSeriesSequence = Sequence([outer])
    for implicit, encoding in ((True, IMPLICIT_LE), (False, EXPLICIT_LE)):
        for undefined in (True, False):
            whole["ReferencedSeriesSequence"].is_undefined_length = undefined
            out = DicomBytesIO()
            out.is_implicit_VR, out.is_little_endian = implicit, True
            write_dataset(out, whole)
            data = out.getvalue()
            assert renamed(data, encoding, {"9.9": "1"}) == data
            # longer, of odd length
            made = renamed(data, encoding, {"1.2.3": "2.25.123456789"})
            assert made.count(b"2.25.123456789") == 2 and b"1.2.3\0" not in made
            assert len(made) == len(data) + 2 * 8
