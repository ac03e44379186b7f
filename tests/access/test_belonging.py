"""To whom studies belong, who cares for whom, emergencies, links: what is written, refused, and told to the trail."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select, update
from tests.trails import trail_of

from filmless.access import belonging, emergency, shares
from filmless.access.account_tables import accounts
from filmless.access.acting import Acting
from filmless.access.audit.tables import audit
from filmless.access.audit.trail import Trail
from filmless.access.model import SYSTEM, Grant, Principal, Role, account_principal
from filmless.access.settings import AccessSettings
from filmless.access.tables import break_glass, share_links, share_sessions
from filmless.db import events
from filmless.db.work import reading, writing
from filmless.kit import clock
from filmless.kit.errors import Conflict, Refused

SETTINGS = AccessSettings()
UID = "1.2.840.99.1"


@pytest.fixture
def trail(engine: Engine) -> Iterator[Trail]:
    with writing(engine) as connection:
        for number, name in ((1, "li"), (2, "chen"), (3, "sun")):
            connection.execute(
                insert(accounts).values(id=number, name=name, wards=[], created_at=clock.now())
            )
    with trail_of(engine) as made:
        yield made


def steward(trail: Trail, reason: str = "as the ward says") -> Acting:
    return Acting(SYSTEM, trail, "10.1.1.1", reason)


def person(number: int, *roles: Role) -> Principal:
    names = {1: "li", 2: "chen", 3: "sun"}
    return account_principal(names[number], number, [Grant(role) for role in roles])


def told(engine: Engine, kind: str) -> list[Any]:
    with reading(engine) as connection:
        return list(connection.execute(select(audit).where(audit.c.kind == kind).order_by(audit.c.seq)))


def refused(code: str) -> Any:
    return pytest.raises(Refused, check=lambda error: error.code == code)


def test_a_study_is_assigned_piece_by_piece(engine: Engine, trail: Trail) -> None:
    with writing(engine) as connection:
        belonging.assign(connection, UID, steward(trail), site="North", requested_by="Li")
        belonging.assign(connection, UID, steward(trail), sensitive=True, ward="W1")
        after = belonging.assign(connection, UID, steward(trail, "moved"), site="", requested_by="")
        # nothing changes: nothing is told
        belonging.assign(connection, UID, steward(trail), ward="W1")
    assert (after.site, after.ward, after.requested_by, after.sensitive) == ("", "W1", "", True)
    rows = told(engine, "access")
    assert len(rows) == 3
    assert '"requested_by":["","li"]' in rows[0].body.replace(" ", "")
    assert "moved" in rows[2].body
    with reading(engine) as connection:
        assert [one.study_uid for one in belonging.sensitive_studies(connection)] == [UID]
        happened = events.after(connection, 0, kinds=["study-access-changed"])
    assert [event.body["changes"] for event in happened] == [
        ["requested_by", "site"],
        ["sensitive", "ward"],
        ["requested_by", "site"],
    ]


@pytest.mark.parametrize(
    ("uid", "changes", "code"),
    [
        ("", {"site": "North"}, "bad-value"),
        ("1.2/../3", {"site": "North"}, "bad-value"),
        ("1" * 65, {"site": "North"}, "bad-value"),
        (UID, {"site": "x" * 65}, "bad-value"),
        (UID, {"ward": "a\nb"}, "bad-value"),
        (UID, {"requested_by": "nobody"}, "not-found"),
    ],
)
def test_what_cannot_be_assigned(
    engine: Engine, trail: Trail, uid: str, changes: dict[str, Any], code: str
) -> None:
    with writing(engine) as connection, refused(code):
        belonging.assign(connection, uid, steward(trail), **changes)
    with writing(engine) as connection, refused("no-reason"):
        belonging.assign(connection, UID, steward(trail, " "), site="North")
    assert told(engine, "access") == []


def test_care_is_written_again_and_ended(engine: Engine, trail: Trail) -> None:
    until = clock.now() + timedelta(days=1)
    with writing(engine) as connection:
        belonging.care(connection, "P1", steward(trail), account="li")
        belonging.care(connection, "P1", steward(trail), account="li", until=until)
        belonging.care(connection, "P1", steward(trail), ward="W1", issuer="A")
        (one,) = belonging.cares(connection, "P1")
        assert (one.account, one.ward, one.until) == ("li", "", until)
        assert [each.ward for each in belonging.cares(connection, "P1", issuer="A")] == ["W1"]
        belonging.end_care(connection, one.id, steward(trail))
        assert belonging.cares(connection, "P1") == []
    for wrong in ({"account": "li", "ward": "W1"}, {}, {"ward": "x" * 65}):
        with writing(engine) as connection, refused("bad-value"):
            belonging.care(connection, "P1", steward(trail), **wrong)  # type: ignore[arg-type]
    with writing(engine) as connection, refused("not-found"):
        belonging.end_care(connection, 999, steward(trail))


def test_an_emergency_needs_a_right_a_reason_and_one_object(engine: Engine, trail: Trail) -> None:
    doctor = person(1, Role.CLI)

    def attempt(who: Principal, reason: str, **what: str) -> None:
        with writing(engine) as connection:
            emergency.open_in_emergency(connection, Acting(who, trail, reason=reason), SETTINGS, **what)

    for code, who, reason, what in (
        ("not-permitted", person(1, Role.ADM), "an emergency", {"study_uid": UID}),
        ("not-permitted", SYSTEM, "an emergency", {"study_uid": UID}),
        ("no-reason", doctor, "", {"study_uid": UID}),
        ("no-reason", doctor, "  ER  ", {"study_uid": UID}),
        ("bad-value", doctor, "an emergency", {}),
        ("bad-value", doctor, "an emergency", {"study_uid": UID, "patient_id": "P1"}),
        ("bad-value", doctor, "an emergency", {"study_uid": "x"}),
        ("bad-value", doctor, "an emergency", {"patient_id": "a\nb"}),
    ):
        with refused(code):
            attempt(who, reason, **what)
    assert told(engine, "break-glass") == []


def test_an_emergency_lasts_as_set_and_is_reviewed_by_another(engine: Engine, trail: Trail) -> None:
    doctor, officer = person(1, Role.CLI), person(2, Role.SEC)
    acting = Acting(doctor, trail, "10.1.1.2", "cardiac arrest")
    with writing(engine) as connection:
        case = emergency.open_in_emergency(connection, acting, SETTINGS, patient_id="P1", issuer="A")
        assert case.until - case.at == timedelta(minutes=60)
        assert emergency.waiting_for_review(connection) == 1
        happened = events.after(connection, 0, kinds=["glass-broken"])
    # events tell no patient
    assert [event.body for event in happened] == [{"id": case.id, "by": "li", "study_uid": ""}]
    with writing(engine) as connection:
        both = person(1, Role.SEC)
        with refused("not-permitted"):
            review = Acting(both, trail)
            emergency.review(connection, case.id, review, finding="justified", note="mine")
        with refused("not-permitted"):
            emergency.review(connection, case.id, acting, finding="justified", note="mine")
        review = Acting(officer, trail)
        for finding, note, code in (("fine", "x", "bad-value"), ("justified", " ", "no-reason")):
            with refused(code):
                emergency.review(connection, case.id, review, finding=finding, note=note)
        done = emergency.review(
            connection, case.id, review, finding="unjustified", note="no such patient here"
        )
        assert (done.reviewed_by, done.finding) == ("chen", "unjustified")
        with pytest.raises(Conflict):
            emergency.review(connection, case.id, review, finding="justified", note="again")
        assert emergency.emergencies(connection, waiting=True) == []
        assert [one.id for one in emergency.emergencies(connection, account="li")] == [case.id]
    assert [row.who for row in told(engine, "break-glass")] == ["li", "chen"]


def test_an_emergency_can_be_ended_by_whoever_began_it(engine: Engine, trail: Trail) -> None:
    with writing(engine) as connection:
        acting = Acting(person(1, Role.RES), trail, reason="an emergency")
        case = emergency.open_in_emergency(connection, acting, SETTINGS, study_uid=UID)
        with refused("not-found"):
            emergency.end_emergency(connection, case.id, Acting(person(2, Role.RES), trail))
        assert emergency.end_emergency(connection, case.id, acting).until <= clock.now()
        # over: the next one is another case
        assert emergency.open_in_emergency(connection, acting, SETTINGS, study_uid=UID).id != case.id
        assert connection.scalar(select(break_glass.c.reason).limit(1)) == "an emergency"


def test_links_are_kept_as_hashes_and_close(engine: Engine, trail: Trail) -> None:
    acting = Acting(person(2, Role.ATT), trail)
    with writing(engine) as connection:
        until = clock.now() + timedelta(days=2)
        link, secret = shares.make_link(connection, acting, SETTINGS, study_uid=UID, until=until)
        rows = str(connection.execute(select(share_links)).all())
        assert secret not in rows
        assert shares.link_of(connection, secret) == link
        assert shares.link_of(connection, ("B" if secret[0] == "A" else "A") + secret[1:]) is None
        session = shares.opened(connection, link, acting)
        assert session not in str(connection.execute(select(share_sessions)).all())
        assert shares.link_of_session(connection, link.name, session) is not None
        assert shares.link_of_session(connection, "0" * 32, session) is None
        shares.revoke_link(connection, link.name, acting)
        assert shares.link_of(connection, secret) is None
        assert shares.link_of_session(connection, link.name, session) is None
    assert secret not in str(told(engine, "share"))


def test_links_end(engine: Engine, trail: Trail) -> None:
    acting = Acting(person(2, Role.ATT), trail)
    now = clock.now()
    for until in (now, now - timedelta(days=1), now + timedelta(days=SETTINGS.share_days + 1)):
        with writing(engine) as connection, refused("bad-value"):
            shares.make_link(connection, acting, SETTINGS, study_uid=UID, until=until)
    with writing(engine) as connection, refused("not-permitted"):
        reader = Acting(person(1, Role.RES), trail)
        shares.make_link(connection, reader, SETTINGS, study_uid=UID, until=now + timedelta(days=1))
    with writing(engine) as connection:
        until = clock.now() + timedelta(days=1)
        link, secret = shares.make_link(connection, acting, SETTINGS, study_uid=UID, until=until)
        session = shares.opened(connection, link, acting)
        connection.execute(update(share_links).values(expires_at=clock.now()))
        assert shares.link_of(connection, secret) is None
        assert shares.link_of_session(connection, link.name, session) is None


def test_studies_shared_with_accounts(engine: Engine, trail: Trail) -> None:
    acting = Acting(person(2, Role.ATT), trail, reason="second opinion")
    until = clock.now() + timedelta(days=1)
    with writing(engine) as connection:
        made = shares.share_with(connection, acting, SETTINGS, study_uid=UID, account="sun", until=until)
        assert [one.account for one in shares.shared(connection, study_uid=UID)] == ["sun"]
        shares.stop_sharing(connection, made.id, acting)
        assert shares.shared(connection, account="sun") == []
        with refused("not-found"):
            shares.share_with(connection, acting, SETTINGS, study_uid=UID, account="nobody", until=until)
    assert [row.who for row in told(engine, "share")] == ["chen", "chen"]
