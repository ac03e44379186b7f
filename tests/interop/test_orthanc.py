"""Orthanc both ways: it stores to us, queries us and moves from us; we send to it, find, move and get from it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests import made
from tests.peers import HOST, FilmlessServer, Orthanc, eventually, findscu, free_port


@dataclass(frozen=True)
class Two:
    server: FilmlessServer
    orthanc: Orthanc


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    base = tmp_path_factory.mktemp("two")
    server = FilmlessServer(base / "home")
    orthanc = Orthanc(
        *(base / "orthanc", "ORTHANC", {"filmless": ("FILMLESS", HOST, server.dicom_port)}),
        dicom_port=free_port(),
    )
    with orthanc, server:
        server.add_device("ORTHANC", orthanc.dicom_port)
        yield Two(server, orthanc)


def upload(orthanc: Orthanc, series: made.Made) -> str:
    """Orthanc's own name of the study."""
    answers = [orthanc.ask("/instances", file.read_bytes()) for file in series.files]
    assert {answer["Status"] for answer in answers} == {"Success"}
    return str(answers[0]["ParentStudy"])


def in_orthanc(orthanc: Orthanc, patient_id: str) -> dict[str, bytes]:
    """SOP Instance UID -> data set of a patient's objects, as Orthanc keeps them."""
    query = {"Level": "Instance", "Query": {"PatientID": patient_id}, "Expand": False}
    found = {}
    for name in orthanc.ask("/tools/find", query):
        tags = orthanc.ask(f"/instances/{name}/simplified-tags")
        found[tags["SOPInstanceUID"]] = made.data_set(orthanc.ask(f"/instances/{name}/file", raw=True))
    return found


def count_here(two: Two, patient_id: str) -> int:
    answers = findscu(
        *(two.server.dicom_port, "QueryRetrieveLevel=STUDY", f"PatientID={patient_id}"),
        "NumberOfStudyRelatedInstances",
    )
    return sum(int(answer["(0020,1208)"]) for answer in answers)


def test_both_answer_echo(two: Two) -> None:
    two.orthanc.ask("/modalities/filmless/echo", {})
    two.server.cli("echo", "ORTHANC")


def test_orthanc_stores_to_us(two: Two, tmp_path: Path) -> None:
    series = made.series(tmp_path / "s", 5, name="Ort^Otto", patient_id="ORT1")
    study = upload(two.orthanc, series)
    answer = two.orthanc.ask("/modalities/filmless/store", {"Resources": [study], "Synchronous": True})
    assert (answer["InstancesCount"], answer["FailedInstancesCount"]) == (5, 0)
    assert count_here(two, "ORT1") == 5


def test_orthanc_queries_us_and_brings_all_over(two: Two, tmp_path: Path) -> None:
    series = made.series(tmp_path / "s", 4, name="Query^Quentin", patient_id="ORT2")
    study = upload(two.orthanc, series)
    two.orthanc.ask("/modalities/filmless/store", {"Resources": [study], "Synchronous": True})
    two.orthanc.ask(f"/studies/{study}", raw=True, method="DELETE")
    assert in_orthanc(two.orthanc, "ORT2") == {}
    query: dict[str, Any] = {"Level": "Study", "Query": {"PatientName": "Query*", "StudyDescription": ""}}
    name = two.orthanc.ask("/modalities/filmless/query", query)["ID"]
    answers = two.orthanc.ask(f"/queries/{name}/answers?expand&simplify")
    assert [(one["PatientID"], one["StudyInstanceUID"]) for one in answers] == [("ORT2", series.study_uid)]
    two.orthanc.ask(f"/queries/{name}/answers/0/retrieve", {"TargetAet": "ORTHANC", "Synchronous": True})
    assert set(in_orthanc(two.orthanc, "ORT2")) == set(series.data_sets)


def test_orthanc_moves_series_and_single_images(two: Two, tmp_path: Path) -> None:
    series = made.series(tmp_path / "s", 4, name="Single^Siri", patient_id="ORT3")
    study = upload(two.orthanc, series)
    two.orthanc.ask("/modalities/filmless/store", {"Resources": [study], "Synchronous": True})
    two.orthanc.ask(f"/studies/{study}", raw=True, method="DELETE")
    wanted = sorted(series.data_sets)[:2]
    keys = {"StudyInstanceUID": series.study_uid, "SeriesInstanceUID": series.series_uid}
    two.orthanc.ask(
        "/modalities/filmless/move",
        {
            "Level": "Instance",
            "Resources": [keys | {"SOPInstanceUID": uid} for uid in wanted],
            "TargetAet": "ORTHANC",
            "Synchronous": True,
        },
    )
    assert sorted(in_orthanc(two.orthanc, "ORT3")) == wanted


def test_we_send_a_study_to_orthanc(two: Two, tmp_path: Path) -> None:
    """Files first to us, then the study from us to Orthanc, in the bytes that we were sent."""
    series = made.series(tmp_path / "s", 5, name="Send^Sven", patient_id="ORT4")
    two.server.cli("import", tmp_path / "s")
    two.server.cli("send", "ORTHANC", "--study", series.study_uid)
    eventually(
        lambda: len(in_orthanc(two.orthanc, "ORT4")) == 5, "Orthanc has all five", seconds=60, every=0.3
    )
    assert in_orthanc(two.orthanc, "ORT4") == series.data_sets


def test_we_send_files_to_orthanc(two: Two, tmp_path: Path) -> None:
    series = made.series(tmp_path / "s", 3, name="File^Fritz", patient_id="ORT5")
    two.server.cli("send", "ORTHANC", *series.files)
    assert in_orthanc(two.orthanc, "ORT5") == series.data_sets


def test_we_find_in_orthanc(two: Two, tmp_path: Path) -> None:
    series = made.series(tmp_path / "s", 2, name="Found^Frida", patient_id="ORT6")
    upload(two.orthanc, series)
    done = two.server.cli("find", "ORTHANC", "-k", "PatientID=ORT6")
    assert series.study_uid in done.output
    assert "Found^Frida" in done.output
    nothing = two.server.cli("find", "ORTHANC", "-k", "PatientID=NOBODY", check=False)
    assert series.study_uid not in nothing.output


def test_we_get_from_orthanc(two: Two, tmp_path: Path) -> None:
    series = made.series(tmp_path / "s", 4, name="Get^Gerd", patient_id="ORT7")
    upload(two.orthanc, series)
    two.server.cli("get", "ORTHANC", "--study", series.study_uid)
    assert count_here(two, "ORT7") == 4


def test_we_have_orthanc_move_a_study_to_us(two: Two, tmp_path: Path) -> None:
    series = made.series(tmp_path / "s", 4, name="Move^Mona", patient_id="ORT8")
    upload(two.orthanc, series)
    two.server.cli("move", "ORTHANC", "--to", "FILMLESS", "--study", series.study_uid)
    assert count_here(two, "ORT8") == 4
