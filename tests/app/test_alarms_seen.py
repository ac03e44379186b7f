"""An alarm that somebody has seen is quiet until something is newer; rights that are given widely are an alarm."""

import dataclasses
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from filmless.access import accounts, grants
from filmless.access.acting import Acting
from filmless.access.audit.trail import Trail
from filmless.access.model import SYSTEM, Principal, Role, Scope
from filmless.app.alarms import conditions, seen
from filmless.app.alarms.model import Condition
from filmless.db.durable import Job
from filmless.db.work import reading, writing
from filmless.kit import clock
from tests.trails import keys


@pytest.fixture
def trail(engine: Engine) -> Iterator[Trail]:
    made = Trail(engine, keys())
    yield made
    made.close()


class Failed:
    """What the list of jobs says: these have failed."""

    def __init__(self, *jobs: Job) -> None:
        self.jobs = list(jobs)

    def newest(self, **_how: Any) -> list[Job]:
        return self.jobs


def failed(device: str, at: datetime, reason: str) -> Job:
    known = {"id": reason, "kind": "send", "state": "failed", "device": device, "reason": reason}
    made = dict.fromkeys(field.name for field in dataclasses.fields(Job))
    return Job(**{**made, **known, "created_at": at, "changed_at": at})  # type: ignore[arg-type]


def test_failed_jobs_that_were_seen_are_quiet_until_others_fail(engine: Engine, trail: Trail) -> None:
    earlier = clock.now() - timedelta(hours=1)
    jobs = Failed(failed("WS1", earlier, "b"), failed("WS1", earlier, "a"), failed("WS2", earlier, "c"))

    def found() -> list[Condition]:
        with reading(engine) as connection:
            return list(conditions.of_jobs(jobs, seen.of(connection, "job")))  # type: ignore[arg-type]

    assert [(one.about, one.count, one.seen) for one in found()] == [("WS1", 2, None), ("WS2", 1, None)]
    for name in ("li.na", "zhang.wei"):
        with writing(engine) as connection:
            seen.mark(connection, "job", "WS1", Acting(Principal("user", name), trail))
    first, second = found()
    assert first.seen is not None and first.seen.by == "zhang.wei" and first.seen.at > earlier
    assert second.seen is None
    jobs.jobs.insert(0, failed("WS1", clock.now(), "again"))
    assert next((one.about, one.count, one.reason, one.seen) for one in found()) == ("WS1", 1, "again", None)


def test_wide_rights_are_an_alarm_for_the_privacy_officer(engine: Engine, trail: Trail) -> None:
    def found() -> list[tuple[int, str]]:
        with reading(engine) as connection:
            alerts = conditions.of_alerts(connection, seen.of(connection, "alert"))
            return [(one.count, one.reason) for one in alerts]

    system = Acting(SYSTEM, trail)
    with writing(engine) as connection:
        boss = accounts.create(connection, "boss", system)
        accounts.create(connection, "li.na", system)
        grants.grant(connection, "boss", Role.ADM, system)
        by_boss = Acting(Principal("user", "boss", account=boss.id), trail)
        grants.grant(connection, "li.na", Role.ATT, by_boss, scope=Scope(sites=frozenset({"north"})))
    assert found() == []
    with writing(engine) as connection:
        grants.grant(connection, "li.na", Role.ATT, by_boss, scope=Scope(sensitive=True))
        grants.grant(connection, "boss", Role.PAD, by_boss)
    assert found() == [(2, "own rights widened")]
    with writing(engine) as connection:
        seen.mark(connection, "alert", "", Acting(Principal("user", "officer"), trail))
    assert found() == []
