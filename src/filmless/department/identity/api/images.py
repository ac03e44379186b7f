"""The archive as these routes use it: images follow what was decided, in the same request."""

import logging

from filmless.access.acting import Acting
from filmless.archive.web.context import ArchiveWeb
from filmless.department.identity import moving, overlay, voiding
from filmless.department.identity.journal import Entry
from filmless.kit.errors import FilmlessError

#: images that are moved within the request
_AT_ONCE = 400
#: seconds that a request waits for another move
_WAIT = 5.0

log = logging.getLogger(__name__)


class Images:
    """None for the archive: only to be described."""

    def __init__(self, context: ArchiveWeb | None) -> None:
        self._context = context

    def follow(self, entry: Entry, acting: Acting) -> None:
        """After the transaction of an entry of the journal. What does not succeed now, the worker does."""
        if self._context is None:
            return
        if entry.kind == "move":
            self._move(entry, acting)
            return
        try:
            overlay.settle(self._context.engine, self._context.store, acting, entry.id)
        except FilmlessError as error:
            log.warning("images follow entry %d later: %s", entry.id, error.code)

    def _move(self, entry: Entry, acting: Acting) -> None:
        archive = self._context.archive if self._context is not None else None
        # many take longer than anybody waits
        if archive is None or int(entry.body["objects"]) > _AT_ONCE:
            return
        try:
            moving.settle(archive, acting, entry.id, seconds=_WAIT)
        except (FilmlessError, OSError) as error:
            log.warning("images are moved later (entry %d): %s", entry.id, type(error).__name__)

    def take_out(self, exam: int, acting: Acting) -> None:
        """After the transaction that made an exam void."""
        if self._context is None or self._context.archive is None:
            return
        try:
            voiding.take_out(self._context.archive, exam, acting)
        except FilmlessError as error:
            log.warning("images of the void exam %d are taken out later: %s", exam, error.code)
