"""Why an account sees a study or not: each of its grants, held against the study.

The verdict itself is that of the queries (archive/query/visibility.py); here is said what it is made of.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

from sqlalchemy import Connection, or_, select

from filmless.access import account_tables, belonging, grants
from filmless.access.account_tables import accounts
from filmless.access.accounts import Account
from filmless.access.grants import Given
from filmless.access.model import ALLOWED, Action, Grant, Principal, Role, Scope
from filmless.access.tables import break_glass, shared_studies
from filmless.archive.query.visibility import in_force, seen
from filmless.archive.tables import series, studies
from filmless.kit import clock

#: why a grant does not open a study; "role": whatever the study, the role sees none
Miss = Literal["role", "ended", "site", "department", "modality", "own-patients", "shared-only", "sensitive"]

_LATEST: Final = 5


@dataclass(frozen=True, slots=True)
class Judged:
    """A grant of the account, and what of it the study does not fulfil; nothing: it opens the study."""

    given: Given
    misses: tuple[Miss, ...]


@dataclass(frozen=True, slots=True)
class StudyFacts:
    """What decides about a study, whoever asks."""

    site: str
    department: str
    ward: str
    requested_by: str
    sensitive: bool
    modalities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """Something that opened the study to the account once: "shared" with it, or an "emergency" of its own."""

    how: Literal["shared", "emergency"]
    until: datetime
    in_force: bool


def facts(connection: Connection, study: int, study_uid: str) -> StudyFacts:
    """Of the study with that number and Study Instance UID."""
    written = belonging.belonging_of(connection, study_uid)
    modalities = connection.scalars(
        select(series.c.modality).where(series.c.study == study, series.c.modality != "").distinct()
    )
    return StudyFacts(
        written.site,
        written.department,
        written.ward,
        written.requested_by,
        written.sensitive,
        tuple(sorted(modalities)),
    )


def judge(connection: Connection, account: Account, study: int, of: StudyFacts) -> list[Judged]:
    """Each grant of the account against the study, in the order in which they were given."""
    own = _is_own(connection, account, study)
    return [Judged(given, _misses(given, of, own=own)) for given in grants.list_grants(connection, account)]


def _misses(given: Given, of: StudyFacts, *, own: bool) -> tuple[Miss, ...]:
    if Action.VIEW not in ALLOWED[given.grant.role] and Action.SEARCH not in ALLOWED[given.grant.role]:
        return ("role",)
    scope = given.grant.effective_scope
    missing: list[Miss] = ["ended"] if given.idle else []
    if scope.shared_only:
        # what was shared is told by `opened`
        return (*missing, "shared-only")
    if scope.sites is not None and of.site not in scope.sites:
        missing.append("site")
    if scope.departments is not None and of.department not in scope.departments:
        missing.append("department")
    if scope.modalities is not None and not scope.modalities & set(of.modalities):
        missing.append("modality")
    if scope.own_patients and not own:
        missing.append("own-patients")
    # the care relation opens what is sensitive
    if of.sensitive and not scope.sensitive and not own:
        missing.append("sensitive")
    return tuple(missing)


def _is_own(connection: Connection, account: Account, study: int) -> bool:
    """Whether the study is one of the account's own patients, as the queries see it."""
    asker = Principal(
        "user",
        account.name,
        grants=(Grant(Role.CLI, Scope(own_patients=True)),),
        account=account.id,
        wards=account.wards,
        opened=False,
    )
    return is_open(connection, asker, study)


def is_open(
    connection: Connection, principal: Principal, study: int, *, action: Action = Action.VIEW
) -> bool:
    """Whether the rights of a principal reach the study; whether anything in it is in force is another question."""
    query = select(studies.c.id).where(studies.c.id == study, seen(principal, studies, action=action))
    return connection.execute(query).first() is not None


def is_in_force(connection: Connection, principal: Principal, study: int) -> bool:
    """Whether the study has something that is not rejected."""
    query = select(studies.c.id).where(studies.c.id == study, in_force("STUDY", principal, studies))
    return connection.execute(query).first() is not None


def opened(
    connection: Connection, account: Account, study_uid: str, people: Sequence[tuple[str, str]]
) -> list[Opened]:
    """What opened the study to the account, the latest first. `people`: (ID, issuer) of its patients."""
    now = clock.now()
    shared = connection.execute(
        select(shared_studies.c.until, shared_studies.c.revoked_at)
        .where(shared_studies.c.account_id == account.id, shared_studies.c.study_uid == study_uid)
        .order_by(shared_studies.c.id.desc())
        .limit(_LATEST)
    )
    found = [Opened("shared", row.until, row.until > now and row.revoked_at is None) for row in shared]
    cases = connection.execute(
        select(break_glass)
        .where(break_glass.c.account_id == account.id)
        .order_by(break_glass.c.id.desc())
        .limit(200)
    )
    for row in cases:
        about = row.study_uid == study_uid or (row.patient_id and (row.patient_id, row.issuer) in people)
        if about:
            found.append(Opened("emergency", row.until, row.until > now))
    return found[: 2 * _LATEST]


def whole(principal: Principal) -> Principal:
    """The principal with sensitive studies in each of its scopes: who explains rights has to see what is marked."""
    return replace(
        principal,
        grants=tuple(
            replace(grant, scope=replace(grant.scope, sensitive=True)) for grant in principal.grants
        ),
    )


def people_with(connection: Connection, roles: Sequence[Role], limit: int = 5) -> list[str]:
    """Whom to ask: names of people who hold one of these roles now and may sign in, those seen last first."""
    table = account_tables.grants
    rows = connection.execute(
        select(accounts.c.name, accounts.c.display_name)
        .where(
            accounts.c.enabled,
            accounts.c.id.in_(
                select(table.c.account_id).where(
                    table.c.role.in_([role.value for role in roles]),
                    or_(table.c.expires_at.is_(None), table.c.expires_at > clock.now()),
                )
            ),
        )
        .order_by(accounts.c.signed_in_at.is_(None), accounts.c.signed_in_at.desc(), accounts.c.id)
        .limit(limit)
    )
    return [row.display_name or row.name for row in rows]
