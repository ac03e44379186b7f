"""Merges, matches, changed IDs, void exams and unmatched images, with the images that follow."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.filebase import DicomBytesIO
from sqlalchemy import Engine, select, update
from tests.department.hospital import DESK, HEAD, Hospital, outpatient, principal
from tests.department.identity.conftest import Send
from tests.trails import entries

from filmless.access.model import SYSTEM
from filmless.archive.leaving import leaving
from filmless.archive.query.instances import instances_of
from filmless.archive.store import Archive
from filmless.db.work import reading, writing
from filmless.department import exams, registration, tasks
from filmless.department.identity import journal, linking, matching, merging, overlay, unmatched, voiding
from filmless.department.identity.following import Follower
from filmless.department.identity.matching import Match
from filmless.department.identity_check import Shown
from filmless.department.registration import Arrival
from filmless.department.states import State
from filmless.kit import clock
from filmless.kit.errors import Conflict, Refused
from filmless.patients import persons
from filmless.patients.persons import Identifier, NewPerson, Person
from filmless.patients.tables import identity_journal

ARRIVAL = Arrival(identity=Shown("two-identifiers"))
Told = Callable[[str], overlay.Told | None]


def registered(engine: Engine, hospital: Hospital, person: Person, **more: str) -> exams.Exam:
    with writing(engine) as connection:
        new = outpatient(person, f"V{person.id}", **more)
        _, [exam] = registration.walk_in(connection, new, HEAD, hospital.acting("REG"), DESK, ARRIVAL)
        return exam


def of_worklist(person: Person, exam: exams.Exam, **more: Any) -> dict[str, Any]:
    """What a device copies from the worklist; it tells no issuer."""
    return {
        "PatientID": person.patient_id,
        "PatientName": persons.name_of(person),
        "PatientBirthDate": person.birth_date,
        "PatientSex": person.sex,
        "AccessionNumber": exam.number,
        **more,
    }


def leaves_as(archive: Archive, sop_uid: str) -> Any:
    """The object as it leaves."""
    with reading(archive.engine) as connection:
        [one] = instances_of(connection, SYSTEM, level="IMAGE", sop_uids=[sop_uid])
    out = leaving(one, archive.root)
    with out.path.open("rb") as file:
        file.seek(out.offset)
        rest = file.read(out.length)
    return dcmread(DicomBytesIO(out.head + rest), force=True)


def test_an_unknown_person_is_matched_and_the_match_undone(
    engine: Engine, hospital: Hospital, archive: Archive, send: Send, told: Told
) -> None:
    desk = hospital.acting("REG")
    with writing(engine) as connection:
        person, exam = registration.green_channel(
            connection, hospital.acting("TRI"), DESK, sex="M", station="CT1"
        )
        _, again = registration.green_channel(connection, hospital.acting("TRI"), DESK, person=person.id)
        real = hospital.person(connection, "王㐂𠮷龘", issuer="H")
    number = exam.number
    assert number.startswith("L") and person.patient_id.startswith("U")
    sop = send(exam.study_uid, **of_worklist(person, exam, PatientBirthDate=""))
    wish = Match(real.id, "M", ("name", "document"), "card brought by his wife", visit_number="V7")
    for wrong, code in (
        (Match(real.id, "M", ("name",), "x", visit_number="V7"), "not-checked"),
        (Match(real.id, "M", ("name", "phone"), "x"), "number-needed"),
        (Match(real.id, "L", ("name", "phone"), "x"), "unknown-class"),
        (Match(person.id, "M", ("name", "phone"), "x", visit_number="V7"), "unknown-person"),
    ):
        with pytest.raises((Conflict, Refused)) as refused, writing(engine) as connection:
            matching.match(connection, exam.id, wrong, desk)
        assert refused.value.code == code
    with writing(engine) as connection:
        entry = matching.match(connection, exam.id, wish, desk)
    assert overlay.settle(engine, archive.root, desk, entry.id) == 1
    assert overlay.settle(engine, archive.root, desk, entry.id) == 0
    with reading(engine) as connection:
        one, other = exams.get(connection, exam.id), exams.get(connection, again.id)
        assert one.number.startswith("M") and one.exam_class == "M" and one.person == other.person == real.id
        assert (one.study_uid, one.state) == (exam.study_uid, exam.state)
        for known in (number, one.number):
            assert exams.by_number(connection, known).id == exam.id  # type: ignore[union-attr]
        assert persons.resolve(connection, person.id).id == real.id
        assert persons.by_patient_id(connection, person.patient_id, "").id == real.id  # type: ignore[union-attr]
        assert not [each for each in matching.waiting(connection) if each.exam.id in (exam.id, again.id)]
    now = told(exam.study_uid)
    assert now is not None
    assert (now.patient_id, now.issuer, now.accession) == (real.patient_id, "H", one.number)
    assert now.name == persons.name_of(real) == "WANG^XIJIDA=王^㐂𠮷龘" and now.birth_date == "19700101"
    # what comes later under the old name, of the same study, is told the same
    late = send(exam.study_uid, **of_worklist(person, exam, PatientBirthDate=""))
    for uid in (sop, late):
        data_set = leaves_as(archive, uid)
        assert data_set.PatientID == real.patient_id and str(data_set.PatientName) == persons.name_of(real)
        [item] = data_set.OriginalAttributesSequence
        assert item.ReasonForTheAttributeModification == "COERCE"
        [original] = item.ModifiedAttributesSequence
        assert original.PatientID == person.patient_id and original.AccessionNumber == number
        assert (data_set.SOPInstanceUID, data_set.StudyInstanceUID) == (uid, exam.study_uid)

    with writing(engine) as connection:
        undone = matching.unmatch(connection, entry.id, desk, reason="it was his brother")
    overlay.settle(engine, archive.root, desk, undone.id)
    with reading(engine) as connection:
        back = exams.get(connection, exam.id)
        assert (back.number, back.exam_class, back.person) == (number, "L", person.id)
        assert exams.by_number(connection, one.number).id == exam.id  # type: ignore[union-attr]
        assert persons.get(connection, person.id).status == "active"
        assert {each.exam.id for each in matching.waiting(connection)} == {exam.id, again.id}
    now = told(exam.study_uid)
    assert now is not None and (now.patient_id, now.accession) == (person.patient_id, number)
    with pytest.raises(Conflict), writing(engine) as connection:
        matching.unmatch(connection, entry.id, desk, reason="again")
    # after thirty days it is past undoing
    with writing(engine) as connection:
        third = matching.match(connection, exam.id, wish, desk)
        connection.execute(
            update(identity_journal)
            .where(identity_journal.c.id == third.id)
            .values(at=clock.now() - timedelta(days=31))
        )
        with pytest.raises(Conflict, match="within 30 days"):
            matching.unmatch(connection, third.id, desk, reason="late")


def test_the_order_that_waited_is_taken_over(engine: Engine, hospital: Hospital) -> None:
    with writing(engine) as connection:
        person, exam = registration.green_channel(connection, hospital.acting("TRI"), DESK)
        real = hospital.person(connection, "王小东", issuer="H")
    waited = registered(engine, hospital, real)
    wish = Match(real.id, "Z", ("name", "relative"), "ward", admission_number="A9", instead_of=waited.id)
    with writing(engine) as connection:
        entry = matching.match(connection, exam.id, wish, hospital.acting("REG"))
        now = exams.get(connection, exam.id)
        assert now.order_id == waited.order_id and now.number.startswith("Z")
        assert exams.get(connection, waited.id).state is State.CANCELLED
        matching.unmatch(connection, entry.id, hospital.acting("PAD"), reason="no")
        assert exams.get(connection, exam.id).order_id == exam.order_id
        assert exams.get(connection, exam.id).person == person.id


def test_merge_and_unmerge_move_exams_and_images(
    engine: Engine, hospital: Hospital, archive: Archive, send: Send, told: Told
) -> None:
    steward = hospital.acting("PAD")
    with writing(engine) as connection:
        one = hospital.person(connection, "王小东", issuer="H")
        other = hospital.person(connection, "王晓东", identifiers=(Identifier("NI", "N1"),), issuer="H")
    mine, his, second = (registered(engine, hospital, whom) for whom in (one, other, other))
    for person, exam in ((one, mine), (other, his), (other, second)):
        send(exam.study_uid, **of_worklist(person, exam))
    # images from before the department, under the same patient ID
    send("1.2.99", **of_worklist(other, his, AccessionNumber="OLD1"))
    with pytest.raises(Refused), writing(engine) as connection:
        merging.merge(connection, one.id, other.id, hospital.acting("REG"), reason="x")
    with pytest.raises(Conflict, match="compare again"), writing(engine) as connection:
        merging.merge(connection, one.id, other.id, steward, reason="twice", seen=(1, 7))
    with writing(engine) as connection:
        entry = merging.merge(connection, one.id, other.id, steward, reason="registered twice", seen=(1, 1))
        with pytest.raises(Conflict):
            merging.merge(connection, other.id, one.id, steward, reason="a circle")
    assert overlay.settle(engine, archive.root, steward, entry.id) == 3
    with reading(engine) as connection:
        assert {each.id for each in exams.of_person(connection, one.id)} == {mine.id, his.id, second.id}
        assert exams.of_person(connection, other.id) == []
        assert persons.by_identifier(connection, "NI", "N1").id == one.id  # type: ignore[union-attr]
        assert [each.id for each in persons.find(connection, "N1", 5)] == [one.id]
    for uid, number in ((his.study_uid, his.number), ("1.2.99", "OLD1")):
        now = told(uid)
        assert now is not None
        assert (now.patient_id, now.name, now.accession) == (one.patient_id, persons.name_of(one), number)
    # an image that comes later under the merged ID follows, by the worker
    follower = Follower(engine, archive.root, steward.trail, lambda: nullcontext(archive))
    while follower.run_once():
        pass
    send("1.2.98", **of_worklist(other, his, AccessionNumber="OLD2"))
    settle_series(archive)
    while follower.run_once():
        pass
    assert told("1.2.98").patient_id == one.patient_id  # type: ignore[union-attr]

    with pytest.raises(Refused), writing(engine) as connection:
        merging.unmerge(connection, entry.id, steward, reason="x", exams_back=[4711])
    with writing(engine) as connection:
        undone = merging.unmerge(connection, entry.id, steward, reason="two persons", exams_back=[his.id])
    overlay.settle(engine, archive.root, steward, undone.id)
    with reading(engine) as connection:
        assert [each.id for each in exams.of_person(connection, other.id)] == [his.id]
        assert {each.id for each in exams.of_person(connection, one.id)} == {mine.id, second.id}
        kinds = [each.kind for each in journal.of_person(connection, other.id)]
    assert kinds == ["merge"]
    expected = {his.study_uid: other, second.study_uid: one, "1.2.99": other, mine.study_uid: one}
    for uid, whose in expected.items():
        assert told(uid).patient_id == whose.patient_id, uid  # type: ignore[union-attr]
    assert [each.body["reason"] for each in entries(engine, "access") if "merge" in each.body["what"]]


def settle_series(archive: Archive) -> None:
    from filmless.archive import settle
    from filmless.archive.tables import series

    with reading(archive.engine) as connection:
        due = connection.execute(
            select(series.c.id, series.c.generation).where(series.c.settled_generation < series.c.generation)
        ).all()
    for series_id, generation in due:
        settle.settle(archive.engine, archive.root, series_id, generation)


def test_links_and_changed_ids(
    engine: Engine, hospital: Hospital, archive: Archive, send: Send, told: Told
) -> None:
    steward = hospital.acting("PAD")
    with writing(engine) as connection:
        mother, child = (hospital.person(connection, name, issuer="H") for name in ("王芳", "王芳之子"))
        entry = linking.link(connection, mother.id, child.id, steward, reason="mother and newborn")
        with pytest.raises(Conflict):
            linking.link(connection, child.id, mother.id, steward, reason="again")
        assert [whom.id for _, whom in linking.linked(connection, child.id)] == [mother.id]
        linking.unlink(connection, entry.id, steward, reason="adopted")
        assert linking.linked(connection, child.id) == []
    exam = registered(engine, hospital, mother)
    send(exam.study_uid, **of_worklist(mother, exam))
    with writing(engine) as connection:
        with pytest.raises(Conflict, match="merge"):
            linking.change_id(connection, mother.id, child.patient_id, steward, reason="x")
        entry = linking.change_id(connection, mother.id, "MR-77", steward, reason="number of the HIS")
    overlay.settle(engine, archive.root, steward, entry.id)
    assert told(exam.study_uid).patient_id == "MR-77"  # type: ignore[union-attr]
    with writing(engine) as connection:
        found = persons.by_patient_id(connection, mother.patient_id, "H")
        assert found is not None and found.id == mother.id and found.patient_id == "MR-77"
        entry = linking.undo_change_id(connection, entry.id, steward, reason="typed wrong")
    overlay.settle(engine, archive.root, steward, entry.id)
    assert told(exam.study_uid).patient_id == mother.patient_id  # type: ignore[union-attr]


def test_a_void_exam_takes_its_images_along_and_calls_copies_back(
    engine: Engine, hospital: Hospital, archive: Archive, send: Send, told: Told
) -> None:
    from filmless.access.audit.model import Entry, Kind

    with writing(engine) as connection:
        person = hospital.person(connection, issuer="H")
    exam = registered(engine, hospital, person)
    sop = send(exam.study_uid, **of_worklist(person, exam))
    head = hospital.acting("CHF", name="head")
    head.trail.record(
        Entry(Kind.SEND, head.who, studies=(exam.study_uid,), what="C-STORE", detail={"destination": "WARD"})
    )
    head.trail.flush()
    steward = principal("PAD", name="steward")
    with pytest.raises(Refused), writing(engine) as connection:
        voiding.void(connection, exam.id, head, head.who, code="SUBSTITUTION", reason="")
    with writing(engine) as connection:
        void = voiding.void(
            connection, exam.id, head, steward, code="SUBSTITUTION", reason="his brother came"
        )
        [copy] = voiding.copies(connection, [exam.study_uid])
        [task] = tasks.open_tasks(connection, kinds=["recall"])
    assert void.state is State.VOID and copy.where == "WARD" and task.exam == exam.id
    follower = Follower(engine, archive.root, head.trail, lambda: nullcontext(archive))
    while follower.run_once():
        pass
    with reading(engine) as connection:
        assert not list(instances_of(connection, SYSTEM, level="IMAGE", sop_uids=[sop]))
    assert voiding.take_out(archive, exam.id, head) == 0
    # a straggler goes the same way
    late = send(exam.study_uid, **of_worklist(person, exam))
    settle_series(archive)
    while follower.run_once():
        pass
    with reading(engine) as connection:
        assert not list(instances_of(connection, SYSTEM, level="IMAGE", sop_uids=[late]))


def test_images_under_a_wrong_entry_find_their_exam_and_back(
    engine: Engine, hospital: Hospital, archive: Archive, send: Send, told: Told
) -> None:
    """Two are on the worklist; the technologist picks the wrong one."""
    steward, technologist = hospital.acting("PAD"), hospital.acting("TEC")
    with writing(engine) as connection:
        picked = hospital.person(connection, "王小东", issuer="H")
        lying = hospital.person(connection, "李芳", sex="F", birth_date="19820202", issuer="H")
    wrong, right = (registered(engine, hospital, whom) for whom in (picked, lying))
    today = clock.now().astimezone()
    send(
        wrong.study_uid,
        **of_worklist(picked, wrong, StudyDate=f"{today:%Y%m%d}", StudyTime=f"{today:%H%M%S}"),
    )
    with writing(engine) as connection:
        tasks.raise_task(
            connection, "wrong-worklist-entry", "wrong:1", exam=wrong.id, study_uid=wrong.study_uid
        )
        [entry] = unmatched.tray(connection)
        assert entry.exams[0].id == wrong.id and entry.study.images == 1
        found = unmatched.candidates(connection, entry.study)
        assert [each.exam.id for each in found] == [wrong.id]
        assert {"number", "patient-id", "name", "modality"} <= set(found[0].why)
        found = unmatched.candidates(connection, entry.study, besides=[wrong.id])
        assert [each.exam.id for each in found] == [right.id]
        assert found[0].why == ("modality", "time", "no-images")
        with pytest.raises(Refused):
            unmatched.assign(connection, wrong.study_uid, right.id, hospital.acting("REG"), reason="x")
        done = unmatched.assign(
            connection, wrong.study_uid, right.id, technologist, reason="wrong entry picked"
        )
        assert unmatched.tray(connection) == []
    overlay.settle(engine, archive.root, technologist, done.id)
    now = told(wrong.study_uid)
    assert now is not None
    assert (now.patient_id, now.accession, now.name) == (
        lying.patient_id,
        right.number,
        persons.name_of(lying),
    )
    with reading(engine) as connection:
        one, other = exams.get(connection, wrong.id), exams.get(connection, right.id)
        assert one.study_uid != wrong.study_uid and one.state is State.ARRIVED
        assert other.state is State.IN_PROGRESS and other.images == "arriving"
        assert [each.id for each in exams.of_study(connection, wrong.study_uid)] == [right.id]
    with writing(engine) as connection:
        back = unmatched.unassign(connection, done.id, steward, reason="it was the right one after all")
        [entry] = unmatched.tray(connection)
        assert entry.exams == ()
    overlay.settle(engine, archive.root, steward, back.id)
    assert told(wrong.study_uid).patient_id == picked.patient_id  # type: ignore[union-attr]


def test_an_exam_is_made_for_images_that_have_none(
    engine: Engine, hospital: Hospital, archive: Archive, send: Send, told: Told
) -> None:
    send("1.2.77", PatientID="FOREIGN1", PatientName="LI^SI=李^四", AccessionNumber="F1")
    with writing(engine) as connection:
        tasks.raise_task(connection, "unmatched-images", "unmatched-images:1.2.77", study_uid="1.2.77")
        wish = unmatched.NewExam(
            "CT-HEAD", "from the other hospital", new=NewPerson("李四", sex="F"), letter="Z"
        )
        with pytest.raises(Conflict, match="admission"):
            unmatched.make_exam(connection, "1.2.77", wish, hospital.acting("PAD", "REG"), DESK)
    with writing(engine) as connection:
        person = hospital.person(connection, "李四", sex="F", issuer="H")
        by_steward = unmatched.NewExam("CT-HEAD", "nobody registered her", person=person.id)
        exam, entry = unmatched.make_exam(connection, "1.2.77", by_steward, hospital.acting("PAD"), DESK)
    overlay.settle(engine, archive.root, hospital.acting("PAD"), entry.id)
    assert exam.number.startswith("L") and exam.state is State.IN_PROGRESS
    now = told("1.2.77")
    assert now is not None and (now.patient_id, now.accession) == (person.patient_id, exam.number)
    with reading(engine) as connection:
        assert [each.exam.id for each in matching.waiting(connection)] == [exam.id]
