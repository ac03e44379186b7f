"""`filmless correct` as an engineer calls it."""

import io
import json
import shutil
from pathlib import Path

import pydicom
import pytest
from click.testing import CliRunner

from filmless.app.cli import filmless
from filmless.app.index import open_index
from filmless.app.settings import load
from filmless.kit.errors import Refused
from tests import made


def call(home: Path, *arguments: str) -> str:
    result = CliRunner().invoke(filmless, [*arguments, "--home", str(home)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_a_study_is_corrected_exported_and_undone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "filmless.toml").write_text("[archive]\nminimum_free_bytes = 0\n")
    series = made.series(tmp_path / "in", 2, name="Made^Miaa")
    with open_index(load(home, environment={}), create=True):
        pass
    call(home, "import", str(tmp_path / "in"))

    shown = call(home, "correct", "study", series.study_uid, "PatientName=Made^Mia=王", "--preview")
    assert "PatientName: Made^Miaa -> Made^Mia=王" in shown
    with pytest.raises(Refused):
        call(home, "correct", "study", series.study_uid, "SOPInstanceUID=1.2", "--reason", "x")
    said = call(
        home, "correct", "study", series.study_uid, "PatientName=Made^Mia=王",
        'ProcedureCodeSequence=[{"00080100": {"vr": "SH", "Value": ["T1"]}}]', "--reason", "typo",
    )  # fmt: skip
    assert "Corrected: 2 objects in 1 study." in said
    key = said.split("undo ")[1].split("`")[0]

    (listed,) = json.loads(call(home, "correct", "list", "--json"))
    assert (listed["key"], listed["changes"]["PatientName"], listed["reason"]) == (key, "Made^Mia=王", "typo")

    call(home, "export", "--study", series.study_uid, str(tmp_path / "out"))
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file() and path.name != "DICOMDIR"]
    assert len(files) == 2
    for path in files:
        data_set = pydicom.dcmread(io.BytesIO(path.read_bytes()))
        assert str(data_set.PatientName) == "Made^Mia=王"
        assert data_set.ProcedureCodeSequence[0].CodeValue == "T1"
        assert data_set[0x0019, 0x1010].value == "kept as it is"
    directory = pydicom.dcmread(tmp_path / "out" / "DICOMDIR")
    assert "Made^Mia=王" in {str(one.get("PatientName", "")) for one in directory.DirectoryRecordSequence}

    assert "Undone: 2 objects in 1 study." in call(home, "correct", "undo", key, "--reason", "was right")
    call(home, "export", "--study", series.study_uid, str(tmp_path / "again"))
    for path in (tmp_path / "again").rglob("*"):
        if path.is_file() and path.name != "DICOMDIR":
            uid = str(pydicom.dcmread(path).SOPInstanceUID)
            assert made.data_set(path) == series.data_sets[uid]


def test_backup_and_rebuild_keep_corrections(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "filmless.toml").write_text("[archive]\nminimum_free_bytes = 0\n")
    series = made.series(tmp_path / "in", 1, name="Made^Miaa")
    with open_index(load(home, environment={}), create=True):
        pass
    call(home, "import", str(tmp_path / "in"))
    call(home, "correct", "series", series.series_uid, "SeriesDescription=coronal", "--reason", "typo")
    call(home, "correct", "study", series.study_uid, "PatientName=Made^Mia", "--reason", "typo")
    call(home, "backup", str(tmp_path / "backup"))

    again = tmp_path / "again"
    call(again, "restore", str(tmp_path / "backup"))
    shutil.rmtree(again / "store" / "corrections")
    call(again, "rebuild", "--yes")
    for place in (home, again):
        call(place, "export", "--study", series.study_uid, str(place / "out"))
    files = [
        [path for path in sorted((place / "out").rglob("*")) if path.is_file() and path.name != "DICOMDIR"]
        for place in (home, again)
    ]
    (one,), (other,) = files
    assert one.read_bytes() == other.read_bytes()
    data_set = pydicom.dcmread(one)
    assert (str(data_set.PatientName), data_set.SeriesDescription) == ("Made^Mia", "coronal")
    assert len(json.loads(call(again, "correct", "list", "--json"))) == 2
