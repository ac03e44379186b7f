"""Unique keys of a retrieve's identifier (PS3.4 C.4.2.2)."""

from typing import Any

import pytest
from pydicom import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from filmless.archive.retrieve.identifier import BadIdentifier, Wanted, read_identifier
from filmless.dicom.sopclasses import (
    PATIENT_ROOT_GET,
    PATIENT_ROOT_MOVE,
    PATIENT_STUDY_ONLY_GET,
    PATIENT_STUDY_ONLY_MOVE,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
)
from filmless.dicom.uids import EXPLICIT_VR_LE, IMPLICIT_VR_LE


def encode(keys: dict[str, Any], *, explicit: bool = True) -> bytes:
    dataset = Dataset()
    for keyword, value in keys.items():
        setattr(dataset, keyword, value)
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, not explicit
    write_dataset(out, dataset)
    return bytes(out.getvalue())


def read(model: str, *, relational: bool = False, explicit: bool = True, **keys: Any) -> Wanted:
    keys = {{"level": "QueryRetrieveLevel"}.get(name, name): value for name, value in keys.items()}
    ts = EXPLICIT_VR_LE if explicit else IMPLICIT_VR_LE
    return read_identifier(encode(keys, explicit=explicit), ts, model, relational=relational)


@pytest.mark.parametrize("explicit", [True, False])
def test_each_level_of_patient_root(explicit: bool) -> None:
    def ask(**keys: Any) -> Wanted:
        return read(PATIENT_ROOT_MOVE, explicit=explicit, PatientID="P 1", **keys)

    assert ask(level="PATIENT") == Wanted("PATIENT", "P 1")
    assert ask(level="STUDY", StudyInstanceUID="1.2") == Wanted("STUDY", "P 1", "", ("1.2",))
    assert ask(level="STUDY", StudyInstanceUID=["1.2", "1.3"]).study_uids == ("1.2", "1.3")
    assert ask(level="SERIES", StudyInstanceUID="1.2", SeriesInstanceUID=["1.4", "1.5"]) == Wanted(
        "SERIES", "P 1", "", ("1.2",), ("1.4", "1.5")
    )
    image = ask(level="IMAGE", StudyInstanceUID="1.2", SeriesInstanceUID="1.4", SOPInstanceUID=["1.6", "1.7"])
    assert image == Wanted("IMAGE", "P 1", "", ("1.2",), ("1.4",), ("1.6", "1.7"))


def test_the_issuer_narrows_the_patient() -> None:
    assert read(PATIENT_ROOT_GET, level="PATIENT", PatientID="1", IssuerOfPatientID="H").issuer == "H"


def test_patient_keys_are_no_keys_of_study_root() -> None:
    wanted = read(STUDY_ROOT_GET, level="STUDY", StudyInstanceUID="1.2", PatientID="someone")
    assert wanted == Wanted("STUDY", "", "", ("1.2",), named_patient_id="someone")


def test_empty_lower_keys_are_harmless_and_repeated_uids_asked_once() -> None:
    wanted = read(
        STUDY_ROOT_MOVE,
        level="STUDY",
        StudyInstanceUID=["1.2", "1.2"],
        SeriesInstanceUID="",
        SOPInstanceUID="",
    )
    assert wanted == Wanted("STUDY", "", "", ("1.2",))


@pytest.mark.parametrize(
    ("model", "keys", "words"),
    [
        (STUDY_ROOT_MOVE, {"StudyInstanceUID": "1.2"}, "Level missing"),
        (STUDY_ROOT_MOVE, {"level": "FRAME", "StudyInstanceUID": "1.2"}, "Level missing"),
        (STUDY_ROOT_MOVE, {"level": "PATIENT", "PatientID": "1"}, "not in this model"),
        (PATIENT_STUDY_ONLY_MOVE, {"level": "SERIES", "PatientID": "1", "StudyInstanceUID": "1.2"}, "not in"),
        (PATIENT_STUDY_ONLY_GET, {"level": "STUDY", "StudyInstanceUID": "1.2"}, "one Patient ID needed"),
        (PATIENT_ROOT_MOVE, {"level": "PATIENT"}, "Patient ID missing"),
        (PATIENT_ROOT_MOVE, {"level": "PATIENT", "PatientID": ""}, "Patient ID missing"),
        (PATIENT_ROOT_MOVE, {"level": "STUDY", "StudyInstanceUID": "1.2"}, "one Patient ID needed"),
        (STUDY_ROOT_MOVE, {"level": "STUDY"}, "Study Instance UID missing"),
        (STUDY_ROOT_MOVE, {"level": "STUDY", "StudyInstanceUID": "*"}, "not a UID"),
        (STUDY_ROOT_MOVE, {"level": "SERIES", "SeriesInstanceUID": "1.4"}, "one Study Instance UID needed"),
        (
            STUDY_ROOT_MOVE,
            {"level": "SERIES", "StudyInstanceUID": ["1.2", "1.3"], "SeriesInstanceUID": "1.4"},
            "one Study Instance UID needed",
        ),
        (
            STUDY_ROOT_GET,
            {"level": "IMAGE", "StudyInstanceUID": "1.2", "SOPInstanceUID": "1.6"},
            "one Series",
        ),
        (
            STUDY_ROOT_GET,
            {"level": "STUDY", "StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.4"},
            "Series Instance UID not allowed",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_an_identifier_that_does_not_match_is_refused(model: str, keys: dict[str, Any], words: str) -> None:
    with pytest.raises(BadIdentifier, match=words) as refusal:
        read(model, **keys)
    assert len(refusal.value.message) <= 64


def test_relational_needs_only_the_key_of_its_level() -> None:
    wanted = read(STUDY_ROOT_MOVE, relational=True, level="IMAGE", SOPInstanceUID=["1.6", "1.7"])
    assert wanted == Wanted("IMAGE", sop_uids=("1.6", "1.7"))
    wanted = read(
        PATIENT_ROOT_MOVE,
        relational=True,
        level="SERIES",
        StudyInstanceUID=["1.2", "1.3"],
        SeriesInstanceUID="1.4",
    )
    assert wanted == Wanted("SERIES", "", "", ("1.2", "1.3"), ("1.4",))
    with pytest.raises(BadIdentifier, match="SOP Instance UID missing"):
        read(STUDY_ROOT_MOVE, relational=True, level="IMAGE", StudyInstanceUID="1.2")


def test_nonsense_is_refused() -> None:
    with pytest.raises(BadIdentifier):
        read_identifier(b"\x08\x00\x52\x00CS\xff\x00abc", EXPLICIT_VR_LE, STUDY_ROOT_MOVE, relational=False)
