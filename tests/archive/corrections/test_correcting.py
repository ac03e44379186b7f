"""Corrections as a user notices them: what search says, what leaves, and that undoing brings all of it back."""

import io
from collections.abc import Sequence
from typing import Any

import pydicom
import pytest
from sqlalchemy import Engine, select
from tests.archive.conftest import Put, ct
from tests.archive.test_lifecycle import everything

from filmless.access.model import ENGINEER, SYSTEM, Principal
from filmless.archive import rebuild, reject
from filmless.archive.corrections import service
from filmless.archive.corrections.model import Changes, Correction, Level, Target, from_text, tag_of
from filmless.archive.corrections.preview import preview
from filmless.archive.leaving import leaving
from filmless.archive.model import ArchiveSettings, Kind, Source
from filmless.archive.query.instances import StoredInstance, instances_of
from filmless.archive.store import Archive
from filmless.archive.tables import attribute_values, corrections, instances, series, studies
from filmless.db.events import events
from filmless.db.work import reading
from filmless.dicom import part10
from filmless.kit.errors import Conflict, Refused
from filmless.patients.service import open_flags
from filmless.patients.tables import identity_flags, patient_sounds, patients

STUDY = "1.2.3.1"


def told(**texts: str) -> Changes:
    """PatientName="DOE^J" and so on as changes."""
    return {f"{tag_of(word):08X}": from_text(tag_of(word), text) for word, text in texts.items()}


def correct(archive: Archive, target: Target, reason: str = "typo", **texts: str) -> Correction:
    done = service.correct(
        archive.engine, archive.root, ENGINEER, target, told(**texts), reason=reason, by="li"
    )
    return done.correction


def undo(archive: Archive, one: Correction) -> None:
    service.undo(archive.engine, archive.root, ENGINEER, one.key, reason="was right", by="wang")


def study(uid: str = STUDY) -> Target:
    return Target(Level.STUDY, uid)


def whole(engine: Engine) -> dict[str, Any]:
    """What the index says, with patients, and who belongs to whom."""
    answer: dict[str, Any] = everything(engine)
    with reading(engine) as connection:
        own = [c for c in patients.c if c.name not in ("id", "created_at", "variant")]
        answer["patients"] = sorted(map(tuple, connection.execute(select(*own)).all()), key=repr)
        answer["whose"] = sorted(
            map(
                tuple,
                connection.execute(
                    select(
                        patients.c.patient_id,
                        patients.c.issuer,
                        patients.c.name,
                        studies.c.study_uid,
                        series.c.series_uid,
                        instances.c.sop_instance_uid,
                    )
                    .join(studies, studies.c.patient == patients.c.id)
                    .join(series, series.c.study == studies.c.id)
                    .join(instances, instances.c.series == series.c.id)
                ),
            )
        )
        answer["sounds"] = sorted(connection.scalars(select(patient_sounds.c.sound)))
        values = select(
            attribute_values.c.level,
            attribute_values.c.path,
            attribute_values.c.item,
            attribute_values.c.value,
        )
        answer["values"] = sorted(map(tuple, connection.execute(values)))
    return answer


def stored(archive: Archive, principal: Principal = SYSTEM, uid: str = STUDY) -> list[StoredInstance]:
    with reading(archive.engine) as connection:
        return list(instances_of(connection, principal, level="STUDY", study_uids=[uid]))


def out(archive: Archive, one: StoredInstance) -> bytes:
    return b"".join(leaving(one, archive.root).chunks())


def read(archive: Archive, one: StoredInstance) -> pydicom.Dataset:
    meta = part10.build_preamble_and_meta(one.sop_class, one.sop_instance, one.ts)
    return pydicom.dcmread(io.BytesIO(meta + out(archive, one)))


def everything_out(archive: Archive, uids: Sequence[str] = (STUDY,)) -> dict[str, bytes]:
    return {one.sop_instance: out(archive, one) for uid in uids for one in stored(archive, uid=uid)}


def fill(put: Put, **attributes: Any) -> None:
    for number in range(1, 4):
        put(ct(SOPInstanceUID=f"1.2.3.1.1.{number}", InstanceNumber=number, **attributes))


def rebuilt(archive: Archive) -> dict[str, Any]:
    archive.stop()
    rebuild.rebuild(archive.engine, archive.root, ArchiveSettings(minimum_free_bytes=0))
    return whole(archive.engine)


def test_a_name_is_put_right_everywhere_and_back(archive: Archive, put: Put) -> None:
    fill(put, PatientName="DOE^JNAE")
    before, bytes_before = whole(archive.engine), everything_out(archive)

    made = correct(archive, study(), PatientName="DOE^JANE", StudyDescription="Thorax")

    with reading(archive.engine) as connection:
        (row,) = connection.execute(select(studies, patients.c.name).join(patients)).all()
        assert (row.name, row.study_description, row.instance_count) == ("DOE^JANE", "Thorax", 3)
        assert connection.scalar(select(series.c.generation)) > 3
        assert "corrected" in connection.scalars(select(events.c.kind)).all()
        assert open_flags(connection, limit=10) == []
    for one in stored(archive):
        data_set = read(archive, one)
        assert (str(data_set.PatientName), data_set.StudyDescription) == ("DOE^JANE", "Thorax")
        (item,) = data_set.OriginalAttributesSequence
        assert str(item.ModifiedAttributesSequence[0].PatientName) == "DOE^JNAE"
        assert item.ModifiedAttributesSequence[0].StudyDescription == ""
        assert item.ReasonForTheAttributeModification == "CORRECT"
        assert data_set.PixelData == bytes(range(128))

    undo(archive, made)
    assert whole(archive.engine) == before
    assert everything_out(archive) == bytes_before
    with pytest.raises(Conflict):
        undo(archive, made)


def test_a_study_moves_to_the_patient_whose_it_is_and_back(archive: Archive, put: Put) -> None:
    put(ct(SOPInstanceUID="1.2.9.1", StudyInstanceUID="1.2.9", SeriesInstanceUID="1.2.9.9",
           PatientID="P2", PatientName="ROE^RICHARD", PatientBirthDate="19510203"))  # fmt: skip
    fill(put)
    before, bytes_before = whole(archive.engine), everything_out(archive)

    made = correct(archive, study(), PatientID="P2", PatientName="ROE^RICHARD", PatientBirthDate="19510203")

    after = whole(archive.engine)
    assert {row[0] for row in after["whose"]} == {"P2"}
    assert len(after["patients"]) == 1
    assert after == {**rebuilt(archive)}
    undo(archive, made)
    assert whole(archive.engine) == before
    assert everything_out(archive) == bytes_before
    assert rebuilt(archive) == before


def test_what_comes_later_is_corrected_too(archive: Archive, put: Put) -> None:
    fill(put, PatientName="DOE^JNAE")
    correct(archive, study(), PatientName="DOE^JANE", PatientID="P7")
    put(ct(SOPInstanceUID="1.2.3.1.1.4", PatientName="DOE^JNAE", InstanceNumber=4))
    put(ct(SOPInstanceUID="1.2.3.1.2.1", SeriesInstanceUID="1.2.3.1.2", PatientName="DOE^JNAE"))
    put(ct(SOPInstanceUID="1.2.8.1", StudyInstanceUID="1.2.8", SeriesInstanceUID="1.2.8.1"))
    assert {str(read(archive, one).PatientName) for one in stored(archive)} == {"DOE^JANE"}
    assert len(stored(archive)) == 5
    rows = whole(archive.engine)
    assert {row[:2] for row in rows["whose"] if row[3] == STUDY} == {("P7", "")}
    assert {row[0] for row in rows["whose"] if row[3] == "1.2.8"} == {"P1"}
    # rejection notes are objects of the study like any other
    reject.reject(archive, ENGINEER, code="113001", by="li", reason="blurred", sop_uids=["1.2.3.1.1.2"])
    assert {row[0] for row in whole(archive.engine)["whose"] if row[3] == STUDY} == {"P7"}
    assert rebuilt(archive) == whole(archive.engine)


def test_corrections_lie_over_each_other_in_any_order_of_undoing(archive: Archive, put: Put) -> None:
    fill(put)
    before, bytes_before = whole(archive.engine), everything_out(archive)
    one = correct(archive, study(), StudyDescription="first", AccessionNumber="A2")
    two = correct(
        archive, Target(Level.SERIES, "1.2.3.1.1"), SeriesDescription="axial", BodyPartExamined="CHEST"
    )
    three = correct(
        archive, Target(Level.INSTANCE, "1.2.3.1.1.2"), ImageComments="Übersicht", InstanceNumber="7"
    )
    four = correct(archive, study(), StudyDescription="second")
    (middle,) = (one for one in stored(archive) if one.sop_instance == "1.2.3.1.1.2")
    data_set = read(archive, middle)
    assert (data_set.StudyDescription, data_set.AccessionNumber) == ("second", "A2")
    assert (data_set.SeriesDescription, data_set.ImageComments, data_set.InstanceNumber) == (
        "axial",
        "Übersicht",
        7,
    )
    assert data_set.SpecificCharacterSet == "ISO_IR 192"
    assert [item.ModifiedAttributesSequence[0].get("StudyDescription") for item in
            data_set.OriginalAttributesSequence] == ["", None, None, "first"]  # fmt: skip
    with reading(archive.engine) as connection:
        numbers = connection.scalars(select(instances.c.instance_number).order_by(instances.c.id)).all()
    assert numbers == ["1", "7", "3"]
    now = whole(archive.engine)
    assert rebuilt(archive) == now
    undo(archive, one)
    assert read(archive, middle_of(archive)).AccessionNumber == "A1"
    assert read(archive, middle_of(archive)).StudyDescription == "second"
    for correction in (three, four, two):
        undo(archive, correction)
    assert whole(archive.engine) == before
    assert everything_out(archive) == bytes_before


def middle_of(archive: Archive) -> StoredInstance:
    return next(one for one in stored(archive) if one.sop_instance == "1.2.3.1.1.2")


def test_a_patient_is_corrected_with_all_studies_also_those_to_come(archive: Archive, put: Put) -> None:
    fill(put, PatientName="DOE^JNAE")
    other = {"StudyInstanceUID": "1.2.8", "SeriesInstanceUID": "1.2.8.1"}
    put(ct(SOPInstanceUID="1.2.8.1.1", PatientName="DOE^JNAE", **other))
    before = whole(archive.engine)
    patient = Target(Level.PATIENT, patient_id="P1")
    one = correct(archive, patient, PatientName="DOE^JANE", PatientID="P-1")
    third = {"StudyInstanceUID": "1.2.7", "SeriesInstanceUID": "1.2.7.1", "SOPInstanceUID": "1.2.7.1.1"}
    put(ct(PatientName="DOE^JNAE", **third))
    # who else has come under the ID is somebody else
    fourth = {"StudyInstanceUID": "1.2.6", "SeriesInstanceUID": "1.2.6.1", "SOPInstanceUID": "1.2.6.1.1"}
    put(ct(PatientName="SMITH^A", PatientBirthDate="19990101", **fourth))
    whose = {(row[0], row[2], row[3]) for row in whole(archive.engine)["whose"]}
    assert whose == {
        ("P-1", "DOE^JANE", STUDY),
        ("P-1", "DOE^JANE", "1.2.8"),
        ("P-1", "DOE^JANE", "1.2.7"),
        ("P1", "SMITH^A", "1.2.6"),
    }
    # a second one, over who he is by now
    two = correct(archive, Target(Level.PATIENT, patient_id="P-1"), PatientSex="M")
    assert {row[0] for row in whole(archive.engine)["whose"]} == {"P1", "P-1"}
    now = whole(archive.engine)
    assert rebuilt(archive) == now
    # without the first the second has nobody to be about
    undo(archive, one)
    assert {str(read(archive, x).PatientSex) for x in stored(archive)} == {"F"}
    undo(archive, two)
    assert [row for row in whole(archive.engine)["whose"] if row[3] in (STUDY, "1.2.8")] == before["whose"]


def test_two_patients_of_one_study_become_one_and_two_again(archive: Archive, put: Put) -> None:
    """The same study came twice, under two IDs: a correction of the study brings it together."""
    put(ct(SOPInstanceUID="1.2.3.1.1.1"))
    put(ct(SOPInstanceUID="1.2.3.1.1.2", PatientID="P2", PatientName="ROE^R", PatientBirthDate="19510203"))
    put(ct(SOPInstanceUID="1.2.3.1.1.3"))
    before, bytes_before = whole(archive.engine), everything_out(archive)
    assert len(before["studies"]) == len(before["series"]) == 2
    made = correct(archive, study(), PatientID="P3", PatientName="POE^P", PatientBirthDate="19400404")
    after = whole(archive.engine)
    assert len(after["studies"]) == len(after["series"]) == len(after["patients"]) == 1
    assert after["studies"] == rebuilt(archive)["studies"]
    assert whole(archive.engine) == after
    undo(archive, made)
    assert whole(archive.engine) == before
    assert everything_out(archive) == bytes_before


def test_undoing_in_another_order_works_out_whose_corrections_hold(archive: Archive, put: Put) -> None:
    fill(put)
    put(ct(SOPInstanceUID="1.2.9.1", StudyInstanceUID="1.2.9", SeriesInstanceUID="1.2.9.9", PatientID="P2"))
    moved = correct(archive, study(), PatientID="P2")
    correct(archive, Target(Level.PATIENT, patient_id="P2"), PatientSex="M")
    assert {read(archive, one).PatientSex for one in stored(archive)} == {"M"}
    undo(archive, moved)
    assert {read(archive, one).PatientSex for one in stored(archive)} == {"F"}
    assert {read(archive, one).PatientSex for one in stored(archive, uid="1.2.9")} == {"M"}
    now = whole(archive.engine)
    assert rebuilt(archive) == now


def test_the_wrong_character_set_is_put_right(archive: Archive, put: Put) -> None:
    data_set = ct(PatientName="DOE^JANE", SpecificCharacterSet="ISO_IR 100")
    data_set.PatientName = "王^小明".encode("gb18030").decode("latin-1")
    put(data_set)
    correct(archive, study(), SpecificCharacterSet="GB18030")
    with reading(archive.engine) as connection:
        assert connection.scalar(select(patients.c.name)) == "王^小明"
    (one,) = stored(archive)
    assert str(read(archive, one).PatientName) == "王^小明"
    assert read(archive, one).OriginalAttributesSequence[0].ModifiedAttributesSequence[
        0
    ].SpecificCharacterSet == ("ISO_IR 100")


NOT_CORRECTED: list[tuple[Target, dict[str, str], str]] = [
    (study(), {"StudyInstanceUID": "1.2"}, "not-correctable"),
    (study(), {"Rows": "7"}, "not-correctable"),
    (study(), {"PixelSpacing": "1\\1"}, "not-correctable"),
    (study(), {"SeriesNumber": "1"}, "not-correctable"),
    (study(), {"PatientBirthDate": "1970"}, "bad-value"),
    (study(), {"PatientSex": "female"}, "bad-value"),
    (study(), {"AccessionNumber": "x" * 17}, "bad-value"),
    (study(), {"SpecificCharacterSet": "UTF-17"}, "bad-value"),
    (study(), {}, "no-changes"),
    (study("1.2.3.99"), {"StudyID": "1"}, "not-found"),
    (Target(Level.SERIES, "1.2.3.1.1"), {"PatientName": "X"}, "not-correctable"),
    (Target(Level.INSTANCE, "1.2.3.99"), {"ImageComments": "X"}, "not-found"),
    (Target(Level.PATIENT, patient_id="nobody"), {"PatientSex": "F"}, "not-found"),
    (Target(Level.PATIENT), {"PatientSex": "F"}, "not-found"),
    (Target(Level.PATIENT, patient_id="P1"), {"StudyDescription": "X"}, "not-correctable"),
]


def test_what_is_not_corrected(archive: Archive, put: Put) -> None:
    fill(put)
    before = whole(archive.engine)
    for target, texts, code in NOT_CORRECTED:
        with pytest.raises(Refused) as refused:
            correct(archive, target, **texts)
        assert refused.value.code == code, (target, texts)
    assert whole(archive.engine) == before
    with reading(archive.engine) as connection:
        assert connection.execute(select(corrections)).all() == []


def test_a_reason_and_a_right_are_needed(archive: Archive, put: Put) -> None:
    fill(put)
    with pytest.raises(Refused) as refused:
        correct(archive, study(), reason=" ", StudyID="1")
    assert refused.value.code == "no-reason"
    nobody = Principal("user", "nobody")
    with pytest.raises(Refused) as refused:
        service.correct(archive.engine, archive.root, nobody, study(), told(StudyID="2"), reason="x", by="n")
    assert refused.value.code == "not-permitted"


def test_a_preview_shows_old_and_new_and_changes_nothing(archive: Archive, put: Put) -> None:
    fill(put)
    put(ct(SOPInstanceUID="1.2.3.1.2.1", SeriesInstanceUID="1.2.3.1.2", StudyDescription="Kopf"))
    put(ct(SOPInstanceUID="1.2.9.1", StudyInstanceUID="1.2.9", SeriesInstanceUID="1.2.9.9", PatientID="P2"))
    before = whole(archive.engine)
    shown = preview(
        archive.engine, archive.root, ENGINEER, study(), told(StudyDescription="Thorax", PatientID="P2")
    )
    assert (shown.series, shown.instances, shown.studies) == (2, 4, [STUDY])
    assert [(one.keyword, one.old, one.new) for one in shown.changed] == [
        ("StudyDescription", ["", "Kopf"], "Thorax"),
        ("PatientID", ["P1"], "P2"),
    ]
    assert (shown.patient_id, shown.patient_name, shown.joins_known_patient) == ("P2", "DOE^JANE", True)
    assert whole(archive.engine) == before


def test_a_rescan_of_the_original_stays_the_same_object(archive: Archive, put: Put) -> None:
    fill(put)
    correct(archive, study(), PatientName="DOE^JANET")
    assert put(ct(SOPInstanceUID="1.2.3.1.1.1", InstanceNumber=1)).kind is Kind.SAME
    assert put(ct(SOPInstanceUID="1.2.3.1.1.1", InstanceNumber=1), implicit=True).kind is Kind.SAME
    other = ct(SOPInstanceUID="1.2.3.1.1.1", InstanceNumber=1, PatientName="DOE^JANET")
    assert put(other).kind is Kind.QUARANTINED
    replaced = put(ct(SOPInstanceUID="1.2.3.1.1.1", InstanceNumber=5), Source("CT1", duplicates="replace"))
    assert replaced.kind is Kind.REPLACED
    assert {str(read(archive, one).PatientName) for one in stored(archive)} == {"DOE^JANET"}


def test_flags_between_what_is_one_person_after_all_are_settled(archive: Archive, put: Put) -> None:
    fill(put)
    put(
        ct(
            SOPInstanceUID="1.2.9.1",
            StudyInstanceUID="1.2.9",
            SeriesInstanceUID="1.2.9.9",
            PatientName="DOE^JNAE",
        )
    )
    with reading(archive.engine) as connection:
        assert len(open_flags(connection, limit=10)) == 1
    correct(archive, study("1.2.9"), PatientName="DOE^JANE")
    with reading(archive.engine) as connection:
        assert open_flags(connection, limit=10) == []
        assert connection.scalar(select(identity_flags.c.reason)).startswith("correction ")
        assert len(connection.execute(select(patients)).all()) == 1


def test_what_would_hold_up_arrivals_for_long_is_refused(
    archive: Archive, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(put)
    put(ct(SOPInstanceUID="1.2.3.1.2.1", SeriesInstanceUID="1.2.3.1.2"))
    before = whole(archive.engine)
    monkeypatch.setattr(service, "_MOST_RENEWED", 3)
    with pytest.raises(Refused, match="4 objects") as refused:
        correct(archive, study(), ImageComments="x")
    assert refused.value.code == "too-many-objects"
    assert whole(archive.engine) == before
    # what is of the study alone is quick, however many objects there are; and each series by itself is within bounds
    correct(archive, study(), PatientName="DOE^JOHN")
    one = correct(archive, Target(Level.SERIES, "1.2.3.1.1"), ImageComments="x")
    monkeypatch.setattr(service, "_MOST_RENEWED", 1)
    # taking back is always possible
    undo(archive, one)
    assert whole(archive.engine) == rebuilt(archive)
