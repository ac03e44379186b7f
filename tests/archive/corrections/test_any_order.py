"""Any corrections, arrivals and undoings in any order: the index says what a rebuild says, and undoing all of it gives
back every byte and every answer."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from tests.archive.conftest import CT, EXPLICIT_LE, ct, encoded
from tests.archive.corrections.test_correcting import correct, everything_out, undo, whole

from filmless.archive import rebuild
from filmless.archive.corrections.model import Correction, Level, Target
from filmless.archive.model import ArchiveSettings, Arrival, Source
from filmless.archive.store import Archive
from filmless.archive.tables import corrections
from filmless.db.engine import open_engine
from filmless.db.work import reading
from filmless.kit.errors import Conflict, Refused

SETTINGS = ArchiveSettings(minimum_free_bytes=0, writer_threads=2)
PEOPLE = (
    {"PatientID": "P1", "PatientName": "DOE^JANE", "PatientBirthDate": "19700102"},
    {"PatientID": "P2", "PatientName": "ROE^RICHARD", "PatientBirthDate": "19510203"},
)
TARGETS = (
    Target(Level.STUDY, "1.2.1"),
    Target(Level.STUDY, "1.2.2"),
    Target(Level.PATIENT, patient_id="P1"),
    Target(Level.PATIENT, patient_id="P2"),
    Target(Level.PATIENT, patient_id="P3"),
)
CHANGES = (
    {"PatientID": "P2", "PatientName": "ROE^RICHARD", "PatientBirthDate": "19510203"},
    {"PatientID": "P3"},
    {"PatientName": "DOE^JANET"},
    {"PatientSex": "M", "PatientComments": "张"},
)
OF_STUDIES = ({"StudyDescription": "Thorax", "SeriesDescription": "axial"}, {"ImageComments": "Übersicht"})

STEPS = st.one_of(
    st.tuples(st.just("correct"), st.sampled_from(TARGETS), st.sampled_from(CHANGES)),
    st.tuples(st.just("correct"), st.sampled_from(TARGETS[:2]), st.sampled_from(OF_STUDIES)),
    st.tuples(st.just("undo"), st.integers(0, 5), st.none()),
    st.tuples(st.just("put"), st.integers(1, 2), st.integers(0, 1)),
)


def put(archive: Archive, number: int, study: int, person: int) -> None:
    uid = f"1.2.{study}.{number % 2 + 1}.{number}"
    data_set = ct(
        SOPInstanceUID=uid,
        StudyInstanceUID=f"1.2.{study}",
        SeriesInstanceUID=f"1.2.{study}.{number % 2 + 1}",
        InstanceNumber=number,
        **PEOPLE[person],
    )
    archive.store_blocking(Arrival(CT, uid, EXPLICIT_LE, Source("CT1")), [encoded(data_set)])


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(STEPS, min_size=2, max_size=9))
def test_any_order(sqlite_template: Path, steps: list[tuple[str, Any, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copyfile(sqlite_template, Path(folder) / "index.sqlite")
        engine = open_engine(f"sqlite:///{folder}/index.sqlite")
        archive = Archive(engine, Path(folder) / "home" / "store", SETTINGS)
        archive.start()
        try:
            _play(archive, steps)
        finally:
            archive.stop()
            engine.dispose()


def _play(archive: Archive, steps: list[tuple[str, Any, Any]]) -> None:
    studies = ("1.2.1", "1.2.2")
    arrived = [(1, 1, 0), (2, 1, 0), (3, 2, 1)]
    for one in arrived:
        put(archive, *one)
    made: list[Correction] = []
    for kind, first, second in steps:
        if kind == "put":
            arrived.append((len(arrived) + 1, first, second))
            put(archive, *arrived[-1])
        elif kind == "correct":
            try:
                made.append(correct(archive, first, **second))
            except (Refused, Conflict):
                # nobody of that ID, or several
                continue
        elif made:
            undo(archive, made.pop(first % len(made)))
    now = whole(archive.engine)
    bytes_now = everything_out(archive, studies)
    rebuild.rebuild(archive.engine, archive.root, SETTINGS)
    assert whole(archive.engine) == now
    assert everything_out(archive, studies) == bytes_now
    with reading(archive.engine) as connection:
        keys = connection.scalars(select(corrections.c.key).where(corrections.c.undone_at.is_(None))).all()
    assert set(keys) == {one.key for one in made}
    for one in made:
        undo(archive, one)
    back, bytes_back = whole(archive.engine), everything_out(archive, studies)
    assert {uid: data for uid, data in bytes_back.items() if b"Filmless" in data} == {}
    rebuild.rebuild(archive.engine, archive.root, SETTINGS)
    assert whole(archive.engine) == back
    assert everything_out(archive, studies) == bytes_back
