"""Logs: rotated files in HOME/log and standard error, free of patient data.

Three things keep patients out: our own messages name UIDs, AE titles and counts only; values that could carry data
sets (bytes, data sets, rows) are replaced by what they are; and the text of foreign exceptions, which likes to
quote values (SQL parameters, element values), is left out of tracebacks, their type and place kept.
"""

import logging
import logging.handlers
import sys
import time
import traceback
from types import TracebackType
from typing import Any

from filmless.app.settings import Settings
from filmless.kit.errors import FilmlessError

#: types of arguments that a message may show as they are
_PLAIN = (str, int, float, bool, type(None))
#: loggers that speak of values in data sets, or of each request
_SILENT = ("pydicom", "uvicorn.access")
_QUIET = ("uvicorn", "uvicorn.error", "sqlalchemy", "alembic", "dbos", "asyncio")
#: exceptions whose text is ours or the operating system's
_OWN_WORDS = (FilmlessError, OSError, TimeoutError, ConnectionError)


class NoPatientData(logging.Filter):
    """Replaces what could carry patient data in a record's arguments; never drops a record."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_harmless(value) for value in record.args)
        elif record.args:
            record.args = {name: _harmless(value) for name, value in record.args.items()}
        return True


def _harmless(value: Any) -> Any:
    if isinstance(value, _PLAIN) or type(value).__module__.split(".")[0] in (
        "pathlib",
        "datetime",
        "filmless",
    ):
        return "<data set>" if type(value).__name__ == "Header" else value
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    if isinstance(value, BaseException):
        return describe(value)
    if isinstance(value, tuple | list | set | frozenset):
        return type(value)(_harmless(item) for item in value)
    return f"<{type(value).__name__}>"


def describe(error: BaseException) -> str:
    """An exception in a log: its own words where they are ours or the system's, else its type only."""
    if isinstance(error, _OWN_WORDS):
        return f"{type(error).__name__}: {error}"
    return type(error).__name__


def _no_wish_of_ours(record: logging.LogRecord) -> bool:
    """Drops what dbos says of a job that a person cancelled, or that waits at the worker's end: that is no error."""
    kind = record.exc_info[0] if record.exc_info else None
    cancelled = kind is not None and kind.__name__.endswith("WorkflowCancelledError")
    words = record.getMessage()
    return not (
        cancelled or "was cancelled during execution" in words or words.startswith("Asyncio task cancelled")
    )


class _Formatter(logging.Formatter):
    converter = time.gmtime  # type: ignore[assignment]

    def __init__(self, process: str) -> None:
        super().__init__(
            f"%(asctime)s.%(msecs)03dZ %(levelname)s {process} %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S"
        )

    def formatException(
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None],
    ) -> str:
        lines: list[str] = []
        error: BaseException | None = ei[1]
        while error is not None and len(lines) < 200:
            lines += [
                f"  {frame.filename}:{frame.lineno} in {frame.name}"
                for frame in traceback.extract_tb(error.__traceback__)
            ]
            lines.append(describe(error))
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
            if error is not None:
                lines.append("caused by")
        return "\n".join(lines)

    def formatMessage(self, record: logging.LogRecord) -> str:
        # one line per message: what came over the network cannot forge a second one
        record.message = record.message.replace("\r", "\\r").replace("\n", "\\n")
        return super().formatMessage(record)


def start(settings: Settings, process: str, *, name: str = "filmless") -> None:
    """Send this process's logs to HOME/log/NAME.log and, where set, standard error. `process` is in each line.

    Each process needs a `name` of its own: files are rotated by the process that writes them.
    """
    settings.logs.mkdir(parents=True, exist_ok=True)
    handlers: list[logging.Handler] = [
        logging.handlers.RotatingFileHandler(
            settings.logs / f"{name}.log",
            maxBytes=settings.log.file_bytes,
            backupCount=settings.log.files,
            encoding="utf-8",
            errors="backslashreplace",
        )
    ]
    if settings.log.to_stderr:
        handlers.append(logging.StreamHandler(sys.stderr))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
        old.close()
    for handler in handlers:
        handler.setFormatter(_Formatter(process))
        handler.addFilter(NoPatientData())
        root.addHandler(handler)
    root.setLevel(settings.log.level.upper())
    logging.getLogger("dbos").addFilter(_no_wish_of_ours)
    for quiet in _QUIET:
        logging.getLogger(quiet).setLevel(logging.WARNING)
    for silent in _SILENT:
        logging.getLogger(silent).setLevel(logging.CRITICAL + 1)
    logging.captureWarnings(capture=False)
