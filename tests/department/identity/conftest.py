"""A hospital with an archive: exams and their images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from sqlalchemy import Engine
from tests.archive.conftest import CT, EXPLICIT_LE, ct, encoded

from filmless.archive.model import ArchiveSettings, Arrival, Source
from filmless.archive.store import Archive
from filmless.db.work import reading
from filmless.department.identity import overlay

Send = Callable[..., str]


@pytest.fixture
def archive(engine: Engine, tmp_path: Path) -> Iterator[Archive]:
    """A started archive with an empty store."""
    made = Archive(engine, tmp_path / "home" / "store", ArchiveSettings(minimum_free_bytes=0))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def send(archive: Archive) -> Send:
    """send(study_uid, PatientID=..., ...) stores an image of a study; returns its SOP Instance UID."""
    count = 0

    def store(study_uid: str, *, source: str = "CT1", **attributes: Any) -> str:
        nonlocal count
        count += 1
        uid = f"{study_uid}.7.{count}"
        data_set: Dataset = ct(
            StudyInstanceUID=study_uid,
            SeriesInstanceUID=f"{study_uid}.7",
            SOPInstanceUID=uid,
            InstanceNumber=count,
            **{"SpecificCharacterSet": "ISO_IR 192", **attributes},
        )
        archive.store_blocking(Arrival(CT, uid, EXPLICIT_LE, Source(source)), [encoded(data_set)])
        return uid

    return store


@pytest.fixture
def told(archive: Archive) -> Callable[[str], overlay.Told | None]:
    """told(study_uid): whose its images are said to be."""

    def ask(study_uid: str) -> overlay.Told | None:
        with reading(archive.engine) as connection:
            return overlay.told(connection, study_uid)

    return ask
