"""dcmtk's tools beyond the main job: levels, models, refusals, cancels, aborts, compressed syntaxes."""

import shutil
from pathlib import Path

import pytest
from tests import made
from tests.peers import (
    HOST,
    FilmlessServer,
    Final,
    echoscu,
    eventually,
    final_response,
    findscu,
    free_port,
    getscu,
    movescu,
    need,
    run,
    stored,
    storescp,
    storescu,
)


def send(server: FilmlessServer, folder: Path, count: int, name: str, patient_id: str) -> made.Made:
    series = made.series(folder, count, name=name, patient_id=patient_id)
    assert stored(storescu(server.dicom_port, folder)) == count
    return series


def test_echo(filmless_server: FilmlessServer) -> None:
    assert "Received Echo Response (Success)" in echoscu(filmless_server.dicom_port).output


def test_a_called_title_that_is_not_ours_is_refused_in_words(filmless_server: FilmlessServer) -> None:
    done = echoscu(filmless_server.dicom_port, aec="SOMEBODY", check=False)
    assert done.status != 0
    assert "Called AE Title Not Recognized" in done.output


def test_an_unknown_caller_is_refused_where_this_machine_is_not_trusted(tmp_path: Path) -> None:
    settings = "[devices]\ntrust_local = false\n"
    with FilmlessServer(tmp_path / "home", settings=settings) as server:
        done = echoscu(server.dicom_port, check=False)
        assert done.status != 0
        assert "Calling AE Title Not Recognized" in done.output
        server.add_device("ECHOSCU", free_port())
        echoscu(server.dicom_port)


def test_every_level_of_both_roots(filmless_server: FilmlessServer, tmp_path: Path) -> None:
    port = filmless_server.dicom_port
    series = send(filmless_server, tmp_path / "levels", 3, "Levels^Lena", "LEVELS1")
    study = f"StudyInstanceUID={series.study_uid}"
    one_series = f"SeriesInstanceUID={series.series_uid}"
    patients = findscu(port, "QueryRetrieveLevel=PATIENT", "PatientID=LEVELS1", "PatientName", model="-P")
    assert [answer["(0010,0010)"] for answer in patients] == ["Levels^Lena"]
    studies = findscu(
        *(port, "QueryRetrieveLevel=STUDY", "PatientID=LEVELS1", "StudyInstanceUID", "ModalitiesInStudy"),
        model="-P",
    )
    assert [(one["(0020,000d)"], one["(0008,0061)"]) for one in studies] == [(series.study_uid, "CT")]
    found = findscu(port, "QueryRetrieveLevel=SERIES", study, "SeriesInstanceUID", "Modality=CT")
    assert [one["(0020,000e)"] for one in found] == [series.series_uid]
    images = findscu(port, "QueryRetrieveLevel=IMAGE", study, one_series, "SOPInstanceUID", "InstanceNumber")
    assert {one["(0008,0018)"] for one in images} == set(series.data_sets)
    assert sorted(one["(0020,0013)"] for one in images) == ["1", "2", "3"]
    assert findscu(port, "QueryRetrieveLevel=SERIES", study, "Modality=MR", "SeriesInstanceUID") == []


def test_one_series_and_one_image_come_back(filmless_server: FilmlessServer, tmp_path: Path) -> None:
    series = send(filmless_server, tmp_path / "parts", 4, "Parts^Pia", "PARTS1")
    study, one = f"StudyInstanceUID={series.study_uid}", f"SeriesInstanceUID={series.series_uid}"
    done = getscu(filmless_server.dicom_port, tmp_path / "series", "QueryRetrieveLevel=SERIES", study, one)
    assert done.status == 0
    assert made.recorded(tmp_path / "series") == series.data_sets
    wanted = sorted(series.data_sets)[:2]
    done = getscu(
        *(filmless_server.dicom_port, tmp_path / "images", "QueryRetrieveLevel=IMAGE", study, one),
        "SOPInstanceUID=" + "\\".join(wanted),
    )
    assert done.status == 0
    assert made.recorded(tmp_path / "images") == {uid: series.data_sets[uid] for uid in wanted}


def test_the_same_again_is_success_and_one_object(filmless_server: FilmlessServer, tmp_path: Path) -> None:
    series = send(filmless_server, tmp_path / "again", 3, "Again^Anna", "AGAIN1")
    # storescu -xi sends the same objects in implicit VR: another encoding, the same elements
    again = storescu(filmless_server.dicom_port, *series.files, options=["-xi"])
    assert stored(again) == 3
    answers = findscu(
        *(filmless_server.dicom_port, "QueryRetrieveLevel=STUDY", "PatientID=AGAIN1"),
        "NumberOfStudyRelatedInstances",
    )
    assert [answer["(0020,1208)"] for answer in answers] == ["3"]


def test_another_object_under_a_known_uid_is_set_aside(
    filmless_server: FilmlessServer, tmp_path: Path
) -> None:
    series = send(filmless_server, tmp_path / "first", 1, "Clash^Clara", "CLASH1")
    other = tmp_path / "other.dcm"
    shutil.copy(series.files[0], other)
    need("dcmodify")
    run("dcmodify", "-nb", "-m", "PatientName=Other^Olga", other)
    done = storescu(filmless_server.dicom_port, other, check=False, options=["-d"])
    assert "0xc110" in done.output.lower()
    answers = findscu(
        filmless_server.dicom_port, "QueryRetrieveLevel=STUDY", "PatientID=CLASH1", "PatientName"
    )
    assert [answer["(0010,0010)"] for answer in answers] == ["Clash^Clara"]
    assert "different-object" in filmless_server.cli("quarantine", "list").output


@pytest.mark.parametrize(
    ("command", "propose"),
    [
        (("dcmcjpeg", "+e1"), "-xs"),
        (("dcmcrle",), "-xr"),
        (("dcmcjpls",), "-xt"),
        (("dcmconv", "+tb"), "-xb"),
        (("dcmconv", "+td"), "-xd"),
        (("dcmconv", "+ti"), "-xi"),
    ],
    ids=["JPEG lossless", "RLE", "JPEG-LS", "big endian", "deflated", "implicit"],
)
def test_a_syntax_is_kept_as_received(
    filmless_server: FilmlessServer, tmp_path: Path, command: tuple[str, ...], propose: str
) -> None:
    """Sent in a syntax, kept so, and given to a receiver that takes it so: the same bytes as storescp records."""
    need(command[0])
    patient_id = f"SYNTAX{propose[1:]}"
    series = made.series(tmp_path / "plain", 2, name="Syntax^Sara", patient_id=patient_id)
    files = [tmp_path / file.name for file in series.files]
    for plain, coded in zip(series.files, files, strict=True):
        run(*command, plain, coded)
    with storescp(tmp_path / "recorded") as receiver:
        assert stored(storescu(receiver.port, *files, options=[propose])) == 2
    assert stored(storescu(filmless_server.dicom_port, *files, options=[propose])) == 2
    with storescp(tmp_path / "moved", aet="SYNTAXDEST") as destination:
        filmless_server.add_device(f"DEST{propose[1:]}", destination.port)
        done = movescu(
            *(filmless_server.dicom_port, f"DEST{propose[1:]}", "QueryRetrieveLevel=STUDY"),
            f"StudyInstanceUID={series.study_uid}",
        )
    assert final_response(done) == Final(0, 2, 0, 0)
    moved = made.recorded(tmp_path / "moved")
    assert len(moved) == 2
    assert moved == made.recorded(tmp_path / "recorded")


def test_a_receiver_that_takes_only_implicit_gets_implicit(
    filmless_server: FilmlessServer, tmp_path: Path
) -> None:
    series = send(filmless_server, tmp_path / "plain", 2, "Plain^Paula", "PLAIN1")
    with storescp(tmp_path / "moved", "+xi") as destination:
        destination.command.remove("+xa")
    with destination:
        filmless_server.add_device("IMPLICIT", destination.port)
        done = movescu(
            *(filmless_server.dicom_port, "IMPLICIT", "QueryRetrieveLevel=STUDY"),
            f"StudyInstanceUID={series.study_uid}",
        )
    assert final_response(done) == Final(0, 2, 0, 0)
    moved = made.recorded(tmp_path / "moved")
    assert set(moved) == set(series.data_sets)
    assert all(data != series.data_sets[uid] for uid, data in moved.items())


def test_a_move_to_nobody_is_refused(filmless_server: FilmlessServer, tmp_path: Path) -> None:
    series = send(filmless_server, tmp_path / "nobody", 1, "Nobody^Nora", "NOBODY1")
    done = movescu(
        *(filmless_server.dicom_port, "UNKNOWNDEST", "QueryRetrieveLevel=STUDY"),
        f"StudyInstanceUID={series.study_uid}",
    )
    assert final_response(done).status == 0xA801


def test_a_move_to_a_destination_that_is_down_counts_every_failure(
    filmless_server: FilmlessServer, tmp_path: Path
) -> None:
    series = send(filmless_server, tmp_path / "down", 3, "Down^Dora", "DOWN1")
    filmless_server.add_device("DOWN", free_port())
    done = movescu(
        *(filmless_server.dicom_port, "DOWN", "QueryRetrieveLevel=STUDY"),
        f"StudyInstanceUID={series.study_uid}",
    )
    final = final_response(done)
    assert (final.failed, final.completed) == (3, 0)
    assert final.status in (0xA702, 0xB000)


def test_cancelled_find_ends_with_cancel(filmless_server: FilmlessServer, tmp_path: Path) -> None:
    files = []
    for number in range(30):
        series = made.series(
            tmp_path / str(number), 1, name=f"Cancel^C{number}", patient_id=f"CANCEL{number}", side=2
        )
        files += series.files
    assert stored(storescu(filmless_server.dicom_port, *files)) == 30
    done = run(
        *("findscu", "-d", "-S", "-aec", "FILMLESS", "--cancel", "2", "-k", "QueryRetrieveLevel=STUDY"),
        *("-k", "PatientName=Cancel*", "-k", "StudyInstanceUID", HOST, str(filmless_server.dicom_port)),
    )
    finals = [line for line in done.output.splitlines() if "DIMSE Status" in line]
    assert "0xfe00" in finals[-1] or "0x0000" in finals[-1]
    assert "0xff0" in finals[0]


def test_aborted_and_interrupted_associations_leave_nothing_behind(
    filmless_server: FilmlessServer, tmp_path: Path
) -> None:
    series = made.series(tmp_path / "abort", 2, name="Abort^Ada", patient_id="ABORT1")
    done = storescu(filmless_server.dicom_port, *series.files, options=["--abort"], aet="ABORTER")
    assert stored(done) == 2
    eventually(
        lambda: "ABORTER" not in filmless_server.cli("associations", "list").output,
        "the aborted association is gone",
        every=0.3,
    )
    echoscu(filmless_server.dicom_port)
