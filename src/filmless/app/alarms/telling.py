"""Telling of conditions: each once when it has stood for a while, and once when it is over.

What stands and what is still to be sent is in HOME/alarms.json and not in the database: an alarm about the database
has to go out too. One process (the worker) writes it, others read.
"""

import json
import logging
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from filmless.app.alarms import channels
from filmless.app.alarms.model import Channel, Condition
from filmless.app.alarms.settings import AlarmSettings
from filmless.kit import clock
from filmless.kit.errors import FilmlessError, Unavailable

log = logging.getLogger(__name__)

FILE: Final = "alarms.json"
#: seconds before the next try
_BACK_OFF: Final = (10, 30, 120, 600, 1800)
#: a notice that could not be sent for so long is given up
_PATIENCE: Final = timedelta(days=3)
_MOST: Final = 500
#: tries after which it is shown that nobody can be told
_WORRY: Final = 3

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Trouble:
    """A channel that has failed several times in a row."""

    channel: str
    reason: str
    waiting: int


class Teller:
    """Compares the conditions with those before, and sends what is due. Used by one thread."""

    def __init__(self, home: Path, settings: AlarmSettings, server: str) -> None:
        """`server`: how this server is called in what it tells."""
        self._path = home / FILE
        self._settings = settings
        self._server = settings.name or server
        self._state = read(home)
        self._saved = ""

    def look(self, found: Iterable[Condition]) -> int:
        """Take note of the conditions of this moment; returns how many notices go out because of them."""
        now, settings = clock.now(), self._settings
        standing: dict[str, Json] = self._state["standing"]
        present = {f"{one.why} {one.about}": one for one in found if one.why in settings.tell}
        notices: list[Json] = []
        for key, one in present.items():
            kept = standing.setdefault(key, {"since": now.isoformat(), "told": "", "grave": False})
            kept |= {"why": one.why, "about": one.about, "count": one.count}
            stood = now - datetime.fromisoformat(kept["since"])
            if stood.total_seconds() < settings.after_seconds:
                continue
            graver = one.grave and not kept["grave"]
            if not kept["told"] or graver or self._again(kept, now):
                what = "again" if kept["told"] and not graver else "raised"
                kept |= {"told": now.isoformat(), "grave": one.grave}
                notices.append(self._notice(what, kept))
        for key in [key for key in standing if key not in present]:
            gone = standing.pop(key)
            if gone["told"]:
                notices.append(self._notice("over", gone))
        for notice in notices:
            log.warning("alarm: %s %s %s", notice["what"], notice["why"], notice["about"])
            self._state["waiting"] += [
                {"notice": notice, "channel": channel, "tries": 0, "due": now.isoformat(), "error": ""}
                for channel in settings.channels
            ]
        self._save()
        return len(notices)

    def standing(self, kinds: tuple[str, ...]) -> list[Condition]:
        """The conditions of these kinds that stood when they were looked at last."""
        return [
            Condition(kept["why"], kept["grave"], kept["about"], kept["count"])
            for kept in self._state["standing"].values()
            if kept["why"] in kinds
        ]

    def _again(self, kept: Json, now: datetime) -> bool:
        hours = self._settings.repeat_hours
        return hours > 0 and now - datetime.fromisoformat(kept["told"]) >= timedelta(hours=hours)

    def _notice(self, what: str, kept: Json) -> Json:
        return notice(self._server, what, kept)

    def send_due(self) -> int:
        """Send what is due; returns how many were sent. What fails is tried again later."""
        sent = 0
        for one in list(self._state["waiting"]):
            now = clock.now()
            if datetime.fromisoformat(one["due"]) > now:
                continue
            if one["channel"] not in self._settings.channels:
                self._state["waiting"].remove(one)
                continue
            try:
                channels.send(one["channel"], one["notice"], self._settings)
            except FilmlessError as error:
                self._failed(one, error, now)
            else:
                sent += 1
                self._state["waiting"].remove(one)
                self._state["errors"].pop(one["channel"], None)
            self._save()
        return sent

    def _failed(self, one: Json, error: FilmlessError, now: datetime) -> None:
        one["tries"] += 1
        one["error"] = error.message
        errors = self._state["errors"].setdefault(one["channel"], {"times": 0})
        errors |= {"times": errors["times"] + 1, "reason": error.message}
        if errors["times"] in (1, _WORRY):
            log.error("an alarm could not be told: %s", error.message)
        if now - datetime.fromisoformat(one["notice"]["at"]) > _PATIENCE:
            self._state["waiting"].remove(one)
            return
        wait = _BACK_OFF[min(one["tries"], len(_BACK_OFF)) - 1]
        one["due"] = (now + timedelta(seconds=wait)).isoformat()

    def _save(self) -> None:
        self._state["waiting"] = self._state["waiting"][-_MOST:]
        content = json.dumps(self._state, ensure_ascii=False, indent=1)
        if content == self._saved:
            return
        part = self._path.with_suffix(".part")
        try:
            with part.open("w", encoding="utf-8") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._path)
            self._saved = content
        except OSError as error:
            # the disk is full, perhaps: just that has to be told, from memory
            log.error("%s cannot be written: %s", FILE, error.strerror)


def notice(server: str, what: str, kept: Json) -> Json:
    """What goes out. Nothing of patients, and no words that a device or job has said."""
    return {
        "id": secrets.token_hex(16),
        "at": clock.now().isoformat(timespec="seconds"),
        "server": server,
        "what": what,
        "why": kept["why"],
        "about": kept["about"],
        "count": kept["count"],
        "grave": kept["grave"],
        "since": kept["since"],
    }


def test(settings: AlarmSettings, server: str) -> list[tuple[Channel, str]]:
    """Send a test by each channel that is set: (channel, "" or why it failed)."""
    kept: Json = {"why": "test", "about": "", "count": 0, "grave": False, "since": ""}
    made = notice(settings.name or server, "tested", kept)
    results: list[tuple[Channel, str]] = []
    for channel in settings.channels:
        try:
            channels.send(channel, made, settings)
            results.append((channel, ""))
        except Unavailable as error:
            results.append((channel, error.message))
    return results


def read(home: Path) -> Json:
    """What stands and what waits, as it was written last; empty where nothing was, or it cannot be read."""
    try:
        found = json.loads((home / FILE).read_text(encoding="utf-8"))
        if {"standing", "waiting", "errors"} <= found.keys():
            return dict(found)
        log.error("%s is not what it was and begins anew", FILE)
    except FileNotFoundError:
        pass
    except (OSError, ValueError, AttributeError):
        log.exception("%s cannot be read and begins anew", FILE)
    return {"standing": {}, "waiting": [], "errors": {}}


def troubles(home: Path) -> list[Trouble]:
    """Channels by which nothing can be told at the moment."""
    state = read(home)
    return [
        Trouble(channel, one["reason"], sum(each["channel"] == channel for each in state["waiting"]))
        for channel, one in state["errors"].items()
        if one["times"] >= _WORRY
    ]
