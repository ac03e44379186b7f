"""What a purge leaves, and what comes after it."""

from datetime import timedelta
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from sqlalchemy import Engine, select
from tests.archive.conftest import Put, ct

from filmless.access.model import ENGINEER
from filmless.archive import integrity, purge, reject, settle
from filmless.archive.model import ArchiveSettings, Kind
from filmless.archive.store import Archive
from filmless.archive.tables import attribute_values, instances, series, studies
from filmless.db.work import reading
from filmless.kit import clock
from filmless.patients.tables import patients

NOW = timedelta(seconds=-5)


def purge_study(archive: Archive, uid: str) -> None:
    reject.reject(archive, ENGINEER, code="113039", by="li", reason="old", study_uids=[uid])
    assert purge.purge(archive.engine, archive.root, older_than=NOW, by="li").objects > 0


def test_a_late_image_of_a_purged_series_is_not_filed_under_another(archive: Archive, put: Put) -> None:
    put(ct())
    purge_study(archive, "1.2.3.1")
    put(
        ct(SOPInstanceUID="1.2.3.2.1.1", StudyInstanceUID="1.2.3.2", SeriesInstanceUID="1.2.3.2.1",
           PatientID="P2", PatientName="ROE^RICHARD")
    )  # fmt: skip
    assert put(ct(SOPInstanceUID="1.2.3.1.1.9")).kind is Kind.STORED
    with reading(archive.engine) as connection:
        filed = connection.execute(
            select(
                instances.c.sop_instance_uid, series.c.series_uid, studies.c.study_uid, patients.c.patient_id
            )
            .join(series, series.c.id == instances.c.series)
            .join(studies, studies.c.id == series.c.study)
            .join(patients, patients.c.id == studies.c.patient)
            .order_by(instances.c.sop_instance_uid)
        ).all()
    assert [tuple(row) for row in filed] == [
        ("1.2.3.1.1.9", "1.2.3.1.1", "1.2.3.1", "P1"),
        ("1.2.3.2.1.1", "1.2.3.2.1", "1.2.3.2", "P2"),
    ]
    assert integrity.check(archive.engine, archive.root).differences == []


def test_values_and_what_was_prepared_go_with_their_series(archive: Archive, put: Put) -> None:
    item = Dataset()
    item.ScheduledProcedureStepID = "SPS1"
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "C1", "99X", "Chest"
    put(ct(RequestAttributesSequence=[item], ProcedureCodeSequence=[code]))
    with reading(archive.engine) as connection:
        due = settle.due(connection, ArchiveSettings(settle_seconds=0))
    for series_id, generation in due:
        settle.settle(archive.engine, archive.root, series_id, generation)
    assert _prepared(archive)
    purge_study(archive, "1.2.3.1")
    assert _prepared(archive) == []
    with reading(archive.engine) as connection:
        levels = set(connection.scalars(select(attribute_values.c.level)))
    assert levels <= {"patient"}


def _prepared(archive: Archive) -> list[Path]:
    return list((archive.root.parent / "metadata").iterdir())


def test_a_purge_looks_at_the_few_not_at_all(engine: Engine) -> None:
    if engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL concludes by itself")
    with reading(engine) as connection:
        query = purge._wanted(clock.now()).compile(engine, compile_kwargs={"literal_binds": True})
        plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}")]
    assert any("ix_versions_state" in step for step in plan)
    assert [step for step in plan if step.startswith("SCAN") and "USING INDEX" not in step] == []
