"""Our own corrected copies that come back, and what only looks like one."""

from collections.abc import Callable

import pytest
from tests.archive.conftest import CT, EXPLICIT_LE, IMPLICIT_LE, Put
from tests.archive.corrections.test_correcting import correct, fill, out, stored, study, undo

from filmless.archive.model import Arrival, Kind, Outcome, Source
from filmless.archive.store import Archive
from filmless.dicom.pixels import transcode

Send = Callable[..., Outcome]


@pytest.fixture
def send(archive: Archive) -> Send:
    def store(data: bytes, ts: str = EXPLICIT_LE) -> Outcome:
        return archive.store_blocking(Arrival(CT, "1.2.3.1.1.1", ts, Source("PACS2")), [data])

    return store


def test_a_copy_that_comes_back_is_the_same_object_at_any_time(
    archive: Archive, put: Put, send: Send
) -> None:
    fill(put)
    first = correct(archive, study(), PatientName="王^小明", PatientID="P2")
    early = out(archive, stored(archive)[0])
    assert send(early).kind is Kind.SAME
    assert send(transcode(early, EXPLICIT_LE, IMPLICIT_LE), IMPLICIT_LE).kind is Kind.SAME
    correct(archive, study(), StudyDescription="Thorax")
    late = out(archive, stored(archive)[0])
    assert send(early).kind is Kind.SAME
    assert send(late).kind is Kind.SAME
    undo(archive, first)
    assert send(early).kind is Kind.SAME
    assert send(late).kind is Kind.SAME
    # somebody has changed it on the way
    other = late.replace(b"Thorax", b"Abdome")
    assert send(other).kind is Kind.QUARANTINED
    assert len(stored(archive)) == 3


def test_what_another_system_corrected_is_another_object(archive: Archive, put: Put, send: Send) -> None:
    fill(put)
    made = correct(archive, study(), PatientName="DOE^JANET")
    copy = out(archive, stored(archive)[0])
    undo(archive, made)
    assert send(copy.replace(b"Filmless", b"OtherOne")).kind is Kind.QUARANTINED
