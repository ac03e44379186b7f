"""What came and went over the DICOM network, told to the audit trail for each study, never for each object."""

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from filmless.access.audit.model import Entry, Outcome
from filmless.access.audit.model import Kind as Told
from filmless.access.audit.trail import Trail
from filmless.access.model import Principal
from filmless.archive.query import StoredInstance
from filmless.archive.retrieve.sending import SubOperation
from filmless.archive.retrieve.tally import Result

log = logging.getLogger(__name__)

#: why nothing was sent of what was asked for: it is not there, or not for them
NOTHING_FOUND = "nothing found that may be sent"
#: an association that stays open tells what came so often; seconds
_EVERY = 600.0
#: studies of one association that are kept in mind; with more, what came is told earlier
_STUDIES = 500


class Arrivals:
    """Counts the objects that come on associations. In the event loop; costs two look-ups for each object."""

    def __init__(self, trail: Trail, *, every: float = _EVERY) -> None:
        self._trail = trail
        self._every = every
        self._open: dict[str, _Came] = {}

    def count(self, association: Any, study_uid: str, sop_class: str, became: str) -> None:
        """One object more. `became`: its outcome in one word, "failed" where nothing of it was kept."""
        came = self._open.get(association.id)
        if came is None:
            who = association.who.principal
            came = self._open[association.id] = _Came(who, association.peer.host, association.calling_ae)
            association.wire.closed.add_done_callback(lambda _: self._end(association.id))
            came.timer = asyncio.get_running_loop().call_later(self._every, self._again, association.id)
        came.counts[study_uid][sop_class, became] += 1
        if len(came.counts) > _STUDIES:
            self._tell(came)

    def close(self) -> None:
        """Tell all that was not told."""
        for association_id in list(self._open):
            self._end(association_id)

    def _again(self, association_id: str) -> None:
        came = self._open[association_id]
        self._tell(came)
        came.timer = asyncio.get_running_loop().call_later(self._every, self._again, association_id)

    def _end(self, association_id: str) -> None:
        came = self._open.pop(association_id, None)
        if came is not None:
            if came.timer is not None:
                came.timer.cancel()
            self._tell(came)

    def _tell(self, came: "_Came") -> None:
        for study_uid, counts in came.counts.items():
            for outcome, bad in (("success", False), ("failed", True)):
                part = {key: number for key, number in counts.items() if (key[1] in _NOT_TAKEN) is bad}
                if part:
                    self._trail.record_late(_arrival(came, study_uid, outcome, part))  # type: ignore[arg-type]
        came.counts.clear()


#: outcomes of which the sender was not told success
_NOT_TAKEN = frozenset({"quarantined", "failed"})


class _Came:
    """What came on one association since it was last told."""

    def __init__(self, who: Principal, host: str, calling_ae: str) -> None:
        self.who = who
        self.host = host
        self.calling_ae = calling_ae
        self.timer: asyncio.TimerHandle | None = None
        #: study -> (SOP class, outcome) -> objects
        self.counts: defaultdict[str, Counter[tuple[str, str]]] = defaultdict(Counter)


def _arrival(came: _Came, study_uid: str, outcome: Outcome, part: dict[tuple[str, str], int]) -> Entry:
    classes: Counter[str] = Counter()
    became: Counter[str] = Counter()
    for (sop_class, word), number in part.items():
        classes[sop_class] += number
        became[word] += number
    detail = {
        "sop_classes": dict(classes),
        "instances": sum(classes.values()),
        "became": dict(became),
        "source": came.calling_ae,
    }
    studies = (study_uid,) if study_uid else ()
    return Entry(Told.STORE, came.who, outcome, came.host, studies, what="C-STORE", detail=detail)


class Departures:
    """Counts the objects that one request or job sends, and tells them at its end."""

    def __init__(
        self,
        trail: Trail,
        who: Principal,
        host: str,
        what: str,
        *,
        destination: str,
        address: str = "",
        job: str = "",
    ) -> None:
        """`what`: "C-MOVE", "C-GET", "send". `destination`: AE title of who gets them, at `address`."""
        self._trail = trail
        self._who = who
        self._host = host
        self._what = what
        self._destination = destination
        self.address = address
        self._job = {"job": job} if job else {}
        #: study -> outcome -> SOP class -> objects
        self._counts: defaultdict[str, defaultdict[Outcome, Counter[str]]] = defaultdict(
            lambda: defaultdict(Counter)
        )
        self._why: dict[str, str] = {}

    def count(self, one: SubOperation) -> None:
        self.count_instance(one.instance, sent=one.result is not Result.FAILED, why=one.reason)

    def count_instance(self, instance: StoredInstance, *, sent: bool, why: str = "") -> None:
        self._counts[instance.study_uid]["success" if sent else "failed"][instance.sop_class] += 1
        if not sent and why:
            self._why.setdefault(instance.study_uid, why)

    def tell(self) -> None:
        """One entry for each study, and one more where some of its objects failed. Never raises."""
        for study_uid, outcomes in self._counts.items():
            for outcome, classes in outcomes.items():
                detail = {**self._to(), "sop_classes": dict(classes), "instances": sum(classes.values())}
                why = self._why.get(study_uid, "") if outcome == "failed" else ""
                self._record(outcome, (study_uid,), detail, why)
        self._counts.clear()

    def refused(self, studies: Iterable[str], reason: str) -> None:
        """Nothing was sent, and why."""
        self._record("refused", tuple(studies), self._to(), reason)

    def _to(self) -> dict[str, Any]:
        return {"destination": self._destination, "address": self.address, **self._job}

    def _record(self, outcome: Outcome, studies: tuple[str, ...], detail: Any, reason: str) -> None:
        self._trail.record_late(
            Entry(
                Told.SEND,
                self._who,
                outcome,
                self._host,
                studies,
                what=self._what,
                detail=detail,
                reason=reason,
            )
        )
