"""The policy against the matrix, which was written by hand from the department's roles and not from the policy."""

import csv
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filmless.access.model import (
    ENGINEER,
    ROLE_NAMES,
    SYSTEM,
    Action,
    Grant,
    Role,
    Scope,
    account_principal,
    check_roles,
    device_principal,
    may,
    permit,
    scope_as_json,
    scope_from_json,
    share_principal,
)
from filmless.access.scopes import scope_from_words, scope_words
from filmless.kit import clock
from filmless.kit.errors import Refused

with (Path(__file__).parent / "matrix.csv").open(encoding="utf-8", newline="") as file:
    ROWS = list(csv.DictReader(file))
CELLS = [
    (row["action"], role, row[role] == "yes") for row in ROWS for role in row if role not in ("action", "why")
]


def test_the_matrix_has_every_action_and_role() -> None:
    assert [row["action"] for row in ROWS] == [action.value for action in Action]
    assert (
        {role for _, role, _ in CELLS} == {role.value for role in Role} == {role.value for role in ROLE_NAMES}
    )
    assert all(row[role.value] in ("yes", "no") for row in ROWS for role in Role)
    assert all(row["why"] for row in ROWS)


@pytest.mark.parametrize(("action", "role", "allowed"), CELLS)
def test_every_cell(action: str, role: str, *, allowed: bool) -> None:
    who = account_principal("li", 1, [Grant(Role(role))])
    assert may(who, Action(action)) is allowed
    if not allowed:
        with pytest.raises(Refused) as refusal:
            permit(who, Action(action))
        assert refusal.value.code == "not-permitted"


@pytest.mark.parametrize("action", list(Action))
def test_nothing_without_a_grant_in_force(action: Action) -> None:
    over = clock.now() - timedelta(seconds=1)
    everything = [Grant(role, until=over) for role in Role]
    assert not may(account_principal("li", 1, []), action)
    assert not may(account_principal("li", 1, everything), action)
    assert not may(account_principal("li", 1, [Grant(role) for role in Role], only=[]), action)
    assert may(account_principal("li", 1, [Grant(role) for role in Role], only=[action]), action)
    assert may(SYSTEM, action)
    assert may(ENGINEER, action)


def test_a_share_link_looks_and_takes_along_where_allowed() -> None:
    looks = {action for action in Action if may(share_principal("a", "1.2", download=False), action)}
    takes = {action for action in Action if may(share_principal("a", "1.2", download=True), action)}
    assert looks == {Action.SEARCH, Action.VIEW}
    assert takes == looks | {Action.EXPORT}


def test_a_device_does_what_devices_do() -> None:
    allowed = {action for action in Action if may(device_principal("CT"), action)}
    assert allowed == {Action(row["action"]) for row in ROWS if row["DEV"] == "yes"}


def test_a_permit_is_narrowed_to_the_grants_that_give_it() -> None:
    steward = Grant(Role.PAD, Scope(sites=frozenset({"North"})))
    who = account_principal("li", 1, [Grant(Role.RES), steward])
    assert permit(who, Action.CORRECT).grants == (steward,)
    assert permit(who, Action.VIEW) is who
    assert permit(SYSTEM, Action.CORRECT) is SYSTEM


def test_objects_rejected_for_quality_are_seen_by_roles_that_check_quality() -> None:
    site = Scope(sites=frozenset({"North"}))

    def sees(*grants: Grant) -> bool:
        return account_principal("li", 1, grants).quality_control

    assert sees(Grant(Role.QC))
    assert sees(Grant(Role.PAD), Grant(Role.RES))
    assert sees(Grant(Role.QC, site))
    assert sees(Grant(Role.QC, Scope(sensitive=True)), Grant(Role.RES))
    assert not sees(Grant(Role.RES))
    assert not sees(Grant(Role.QC, site), Grant(Role.RES))
    assert not sees(Grant(Role.ADM))


def test_whoever_gives_rights_does_not_review_them() -> None:
    check_roles([Role.ADM, Role.PAD])
    check_roles([Role.SEC, Role.QC])
    with pytest.raises(Refused) as refusal:
        check_roles([Role.PAD, Role.SEC, Role.ADM])
    assert refusal.value.code == "barred-roles"


def test_a_clinician_and_a_consultant_are_never_everywhere() -> None:
    assert Grant(Role.CLI).effective_scope.own_patients
    assert Grant(Role.CLI, Scope(sites=frozenset({"North"}))).effective_scope.own_patients
    assert not Grant(Role.CLI, Scope(departments=frozenset({"Surgery"}))).effective_scope.own_patients
    assert Grant(Role.RCO).effective_scope.shared_only
    assert Grant(Role.RES).effective_scope == Scope()


_WORDS = st.frozensets(
    st.text("abcXYZ 放射科-", min_size=1, max_size=12).map(str.strip).filter(bool), min_size=1
)
_SCOPES = st.builds(
    Scope,
    sites=st.none() | _WORDS,
    departments=st.none() | _WORDS,
    modalities=st.none() | st.frozensets(st.sampled_from(["CT", "MR", "US"]), min_size=1),
    own_patients=st.booleans(),
    shared_only=st.booleans(),
    sensitive=st.booleans(),
)


@given(_SCOPES)
def test_a_scope_comes_back_as_it_was_written(scope: Scope) -> None:
    assert scope_from_json(scope_as_json(scope)) == scope
    assert scope_from_words(scope_words(scope)) == scope


@pytest.mark.parametrize(
    "words", [["site"], ["site="], ["north"], ["modality=CT", "sensitive=yes"], ["everywhere=1"]]
)
def test_words_that_are_no_scope_are_refused(words: list[str]) -> None:
    with pytest.raises(Refused) as refusal:
        scope_from_words(words)
    assert refusal.value.code == "bad-scope"


def test_a_restriction_that_is_not_understood_is_never_overlooked() -> None:
    with pytest.raises(TypeError):
        scope_from_json({"planet": ["Mars"]})
