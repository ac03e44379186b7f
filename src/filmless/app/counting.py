"""Attempts (access/rates.py) counted by the server for all its web processes, over the control socket."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filmless.access.rates import Rates
from filmless.app import control
from filmless.kit.errors import Unavailable

log = logging.getLogger(__name__)


class AtServer:
    """access.rates.Counting, for a web process. Blocks for as long as the server needs to answer."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def take(self, kind: str, key: str, most: int) -> None:
        """Raises Refused (code "too-many")."""
        self._ask(kind, key, most=most)

    def give_back(self, kind: str, key: str) -> None:
        self._ask(kind, key)

    def _ask(self, kind: str, key: str, **more: Any) -> None:
        try:
            control.ask(self._socket, "attempt", kind=kind, key=key, **more)
        except Unavailable as why:
            # what this process has counted by itself holds
            log.error("attempts cannot be counted by the server: %s", why.message)


def counter(rates: Rates) -> control.Action:
    """Answers what AtServer asks."""

    async def attempt(request: Mapping[str, Any]) -> Mapping[str, Any]:
        kind, key = str(request.get("kind", "")), str(request.get("key", ""))
        if "most" in request:
            rates.take(kind, key, int(request["most"]))
        else:
            rates.give_back(kind, key)
        return {}

    return attempt
