"""Why somebody does not find a study: for themselves, in words that tell nothing of others, and in full for those
whom people ask (Action.EXPLAIN)."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, select

from filmless.access import accounts, grants
from filmless.access.accounts import Account
from filmless.access.model import Action, Principal, Role
from filmless.archive.explain import rights, traces
from filmless.archive.explain.rights import Judged, Opened, StudyFacts
from filmless.archive.explain.traces import By, Event, InQuarantine, Rejected, Trace
from filmless.archive.query.visibility import in_force, restricted, seen
from filmless.archive.tables import studies
from filmless.patients.tables import patients

#: whom people ask first, and whom where there is no steward
_ASK = (Role.PAD, Role.ADM)
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Mine:
    """The studies of a number that the asker sees, and whom to ask about others."""

    studies: list[Trace]
    ask: list[str]


@dataclass(frozen=True, slots=True)
class Explained:
    """A study, and why the account sees it or not."""

    trace: Trace
    facts: StudyFacts
    #: the account's rights reach it, and something in it is not hidden
    seen: bool
    rights_reach: bool
    rejected: Rejected | None
    judged: list[Judged]
    opened: list[Opened]


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that is known of a number, for those whom people ask."""

    account: Account | None
    studies: list[Explained]
    quarantined: list[InQuarantine]
    events: list[Event]
    #: devices turned away during the last day; only where nothing of the number is here
    turned_away: list[Event]


def own(connection: Connection, who: Principal, text: str) -> Mine:
    """What `who` sees of a number. What `who` does not see is nowhere in it, nor in how long it takes."""
    mine = (in_force("STUDY", who), seen(who, studies, action=Action.SEARCH))
    found: dict[int, By] = {}
    for by, condition in traces.exactly(text):
        rows = connection.scalars(select(studies.c.id).where(condition, *mine).limit(_SHOWN))
        found |= {number: by for number in rows if number not in found}
    return Mine(traces.read(connection, found)[:_SHOWN], rights.people_with(connection, _ASK))


def explain(
    connection: Connection,
    who: Principal,
    root: Path,
    text: str,
    account: str,
    quarantined_among: ColumnElement[bool] | None,
) -> Explanation:
    """All about a number, and about the rights of the account of that name ("" for none) on what is found.

    `who` is narrowed to Action.EXPLAIN; within its scope, sensitive studies too. Raises Refused ("not-found").
    """
    of = accounts.get(connection, account) if account else None
    principal = grants.principal_of(connection, of) if of is not None else None
    among = seen(rights.whole(who), studies, action=Action.EXPLAIN)
    found = traces.find(connection, root, text, among)
    explained = [_explained(connection, of, principal, one) for one in found]
    uids = [one.study_uid for one in found]
    waiting = traces.quarantined(connection, root, text, uids, quarantined_among)
    events = traces.events(connection, text, uids)
    away = (
        []
        if found or waiting or restricted(rights.whole(who), Action.EXPLAIN)
        else traces.turned_away(connection)
    )
    return Explanation(of, explained, waiting, events, away)


def _explained(
    connection: Connection, account: Account | None, principal: Principal | None, trace: Trace
) -> Explained:
    facts = rights.facts(connection, trace.id, trace.study_uid)
    hidden = traces.rejected(connection, trace.id)
    if account is None or principal is None:
        return Explained(trace, facts, seen=False, rights_reach=False, rejected=hidden, judged=[], opened=[])
    reach = account.enabled and rights.is_open(connection, principal, trace.id)
    people = connection.execute(
        select(patients.c.patient_id, patients.c.issuer)
        .join(studies, studies.c.patient == patients.c.id)
        .where(studies.c.id == trace.id)
    ).all()
    return Explained(
        trace,
        facts,
        seen=reach and rights.is_in_force(connection, principal, trace.id),
        rights_reach=reach,
        rejected=hidden,
        judged=rights.judge(connection, account, trace.id, facts),
        opened=rights.opened(
            connection, account, trace.study_uid, [(row.patient_id, row.issuer) for row in people]
        ),
    )
