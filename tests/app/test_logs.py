"""What reaches the log, and what must not."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from filmless.app import logs
from filmless.app.settings import load
from filmless.kit.errors import Refused

PATIENT = "Geheim^Gerda"


@pytest.fixture
def log_file(tmp_path: Path) -> Iterator[Path]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    root.handlers = []
    settings = load(tmp_path, environment={"FILMLESS_LOG_FILE_BYTES": "4096", "FILMLESS_LOG_FILES": "2"})
    logs.start(settings, "test")
    yield tmp_path / "log" / "filmless.log"
    for handler in list(root.handlers):
        root.removeHandler(handler)
        handler.close()
    root.handlers, root.level = before, level


def test_lines_say_when_who_and_where(log_file: Path) -> None:
    logging.getLogger("filmless.archive").warning("stored %s from %s", "1.2.3", "CT1")
    line = log_file.read_text()
    assert line.endswith("Z WARNING test filmless.archive: stored 1.2.3 from CT1\n")
    assert line[:4].isdigit()


def test_data_sets_bytes_and_foreign_words_stay_out(
    log_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = logging.getLogger("filmless.anything")
    data_set = Dataset()
    data_set.PatientName = PATIENT
    log.warning("a data set %s, bytes %r, list %s", data_set, PATIENT.encode(), [data_set])
    log.warning("an error: %s", ValueError(f"bad value {PATIENT}"))
    log.warning("by name: %(it)s", {"it": data_set})
    try:
        try:
            raise KeyError(PATIENT)
        except KeyError as why:
            raise ValueError(f"cannot store {PATIENT}") from why
    except ValueError:
        log.exception("an object failed")
    logging.getLogger("pydicom").error("Invalid value for PN: %s", PATIENT)
    text = log_file.read_text() + capsys.readouterr().err
    assert PATIENT not in text
    for expected in (
        "<Dataset>",
        "<12 bytes>",
        "an error: ValueError",
        "by name: <Dataset>",
        "KeyError",
        "caused by",
    ):
        assert expected in text
    assert "test_logs.py" in text, "a traceback keeps its places"


def test_our_own_words_are_kept(log_file: Path) -> None:
    try:
        raise Refused("the device CT1 is switched off")
    except Refused:
        logging.getLogger("filmless").exception("refused")
    logging.getLogger("filmless").error("%s", OSError(28, "No space left on device"))
    text = log_file.read_text()
    assert "Refused: the device CT1 is switched off" in text
    assert "No space left on device" in text


def test_a_job_that_was_cancelled_is_no_error(log_file: Path) -> None:
    class DBOSWorkflowCancelledError(Exception):
        """As dbos raises it."""

    dbos = logging.getLogger("dbos")
    for error in (DBOSWorkflowCancelledError(), KeyError("x")):
        try:
            raise error
        except Exception:
            dbos.exception("Exception encountered in asynchronous workflow:")
    assert log_file.read_text().count("ERROR") == 1
    assert "KeyError" in log_file.read_text()


def test_what_comes_over_the_network_cannot_forge_a_line(log_file: Path) -> None:
    logging.getLogger("filmless").info("from %s", "AE\n2026-01-01T00:00:00.000Z INFO all is well")
    assert log_file.read_text().count("\n") == 1


def test_files_are_rotated_and_bounded(log_file: Path) -> None:
    for number in range(500):
        logging.getLogger("filmless").info("line %d of many that fill the file", number)
    names = sorted(path.name for path in log_file.parent.iterdir())
    assert names == ["filmless.log", "filmless.log.1", "filmless.log.2"]
    assert all(path.stat().st_size <= 4096 for path in log_file.parent.iterdir())
    assert "line 499" in log_file.read_text()
