"""Users whom DICOM associations identify (PS3.7 D.3.3.7)."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from filmless.access import accounts, grants, tokens
from filmless.access.acting import Acting
from filmless.access.audit.keys import Keys
from filmless.access.audit.tables import audit
from filmless.access.audit.trail import Trail
from filmless.access.gate import Gate
from filmless.access.model import SYSTEM, Action, Principal, Role, Scope, may
from filmless.access.settings import AccessSettings
from filmless.db.work import reading, writing
from filmless.devices.model import Device, Refusal
from filmless.devices.users import Users
from filmless.dicom.ul.pdu import UserIdentity
from filmless.net.http.model import HttpSettings
from filmless.net.model import Peer

PASSWORD = "correct horse battery"


@pytest.fixture
def gate(engine: Engine, tmp_path: Path) -> Iterator[Gate]:
    trail = Trail(engine, Keys(tmp_path / "audit.key"))
    acting = Acting(SYSTEM, trail)
    _, kept = accounts.new_password(PASSWORD, name="rita", length=10)
    with writing(engine) as connection:
        accounts.create(connection, "rita", acting, password_hash=kept, must_change_password=False)
        grants.grant(
            connection,
            "rita",
            Role.ATT,
            acting,
            scope=Scope(modalities=frozenset({"CT", "MR"}), sensitive=True),
        )
    yield Gate(engine, AccessSettings(), HttpSettings(), trail)
    trail.close()


def peer(kind: int, name: str, passcode: str = "") -> Peer:
    return Peer("WS1", "10.0.0.7", 1234, user_identity=UserIdentity(kind, name.encode(), passcode.encode()))


def test_a_right_passcode_is_the_account(gate: Gate) -> None:
    user = Users(gate).who(peer(2, "Rita", PASSWORD))
    assert isinstance(user, Principal) and user.name == "rita" and user.account
    device = Device("WS1", scope=Scope(sites=frozenset({"north"}), modalities=frozenset({"CT"})), user=user)
    acts = device.principal
    # what both may: the account's rights, and no more than a device has
    assert may(acts, Action.SEARCH) and may(acts, Action.VIEW)
    assert not may(acts, Action.SHARE) and not may(acts, Action.OWN_ACCOUNT)
    assert acts.within == Scope(sites=frozenset({"north"}), modalities=frozenset({"CT"}))


def test_a_wrong_one_is_refused_and_told(gate: Gate) -> None:
    users = Users(gate)
    for name, passcode in (
        ("rita", "wrong"),
        ("nobody", PASSWORD),
        ("", ""),
        ("rita", "fl_wrong"),
        ("\0", "x"),
    ):
        found = users.who(peer(2, name, passcode))
        assert isinstance(found, Refusal) and found.rejection == (1, 1, 1), name
    gate.trail.flush()
    with reading(gate.engine) as connection:
        rows = connection.execute(audit.select().where(audit.c.kind == "sign-in")).all()
    assert [row.outcome for row in rows] == ["refused"] * 5
    assert PASSWORD not in str(rows)


@pytest.mark.parametrize("backend", ["sqlite"])
def test_wrong_ones_lock_the_account(gate: Gate) -> None:
    users = Users(gate)
    for _ in range(5):
        users.who(peer(2, "rita", "wrong"))
    assert isinstance(users.who(peer(2, "rita", PASSWORD)), Refusal)


@pytest.mark.parametrize("backend", ["sqlite"])
def test_too_many_are_refused_for_a_while(gate: Gate) -> None:
    users = Users(gate)
    found = [users.who(peer(2, "rita", "wrong")) for _ in range(11)]
    assert isinstance(found[-1], Refusal) and found[-1].rejection == (2, 1, 1)


def test_a_token_is_a_passcode_too(gate: Gate) -> None:
    with writing(gate.engine) as connection:
        secret, _ = tokens.add(
            connection,
            accounts.get(connection, "rita"),
            gate.settings,
            Acting(SYSTEM, gate.trail),
            label="workstation",
            scopes=frozenset({Action.SEARCH}),
        )
    user = Users(gate).who(peer(2, "rita", secret))
    assert isinstance(user, Principal)
    acts = Device("WS1", user=user).principal
    assert may(acts, Action.SEARCH) and not may(acts, Action.VIEW)
    assert isinstance(Users(gate).who(peer(2, "other", secret)), Refusal)


@pytest.mark.parametrize("backend", ["sqlite"])
def test_what_proves_nothing_changes_nothing(gate: Gate) -> None:
    users = Users(gate)
    for kind in (1, 3, 4, 5):
        assert users.who(peer(kind, "rita")) is None
    assert users.who(Peer("WS1", "10.0.0.7", 1234)) is None


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_password_that_others_chose_opens_nothing(gate: Gate) -> None:
    _, kept = accounts.new_password(None, name="new", length=10)
    password, kept = accounts.new_password("chosen by an admin", name="new", length=10)
    with writing(gate.engine) as connection:
        accounts.create(connection, "new", Acting(SYSTEM, gate.trail), password_hash=kept)
    assert isinstance(Users(gate).who(peer(2, "new", password)), Refusal)


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_clinician_at_a_device_of_a_department_sees_own_patients_there(gate: Gate) -> None:
    """Intersecting never widens: a department of the device does not stand for one of the clinician's own."""
    with writing(gate.engine) as connection:
        accounts.create(connection, "doc", Acting(SYSTEM, gate.trail))
        grants.grant(connection, "doc", Role.CLI, Acting(SYSTEM, gate.trail))
        user = grants.principal_of(connection, accounts.get(connection, "doc"))
    acts = Device("WS1", scope=Scope(departments=frozenset({"ED"})), user=user).principal
    assert acts.grants[0].effective_scope == Scope(own_patients=True)
    assert acts.within == Scope(departments=frozenset({"ED"}))
