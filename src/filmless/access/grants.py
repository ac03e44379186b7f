"""What accounts may do: roles within scopes, given, taken back, and read as a Principal."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, insert, or_, select, update

from filmless.access.account_tables import accounts, sessions
from filmless.access.account_tables import grants as table
from filmless.access.accounts import Account, get
from filmless.access.acting import Acting
from filmless.access.audit.model import Kind
from filmless.access.model import (
    EVERYWHERE,
    Action,
    Grant,
    Principal,
    Role,
    Scope,
    account_principal,
    check_roles,
    scope_as_json,
    scope_from_json,
)
from filmless.kit import clock
from filmless.kit.errors import Conflict, Refused

#: what the account of the first start holds for as long as nobody else does
FIRST_ROLES: Final = (Role.ADM, Role.PAD)
_MOST: Final = 100


@dataclass(frozen=True, slots=True)
class Given:
    """A grant as it was given."""

    id: int
    grant: Grant
    #: "" by a person, "first" to the first account, "oidc" by the OpenID provider
    source: str
    granted_at: datetime
    granted_by: str
    reason: str
    #: not in force: its time is over, or others hold the first account's role now
    idle: bool


def list_grants(connection: Connection, account: Account) -> list[Given]:
    """All grants of an account, those that are not in force among them."""
    query = select(table).where(table.c.account_id == account.id).order_by(table.c.id)
    rows = connection.execute(query).all()
    others = _held_by_others(connection, account) if account.first else frozenset()
    return [_given(row, others) for row in rows]


def principal_of(
    connection: Connection, account: Account, *, only: Iterable[Action] | None = None
) -> Principal:
    """On whose behalf: the account with the grants that are in force. `only`: a token's scopes."""
    in_force = [given.grant for given in list_grants(connection, account) if not given.idle]
    return account_principal(account.name, account.id, in_force, wards=account.wards, only=only)


def is_still_first(connection: Connection, account: Account) -> bool:
    """Whether it is the first account and holds a role only because nobody else does."""
    if not account.first:
        return False
    return any(given.source == "first" and not given.idle for given in list_grants(connection, account))


def grant(
    connection: Connection,
    name: str,
    role: Role,
    acting: Acting,
    *,
    scope: Scope = EVERYWHERE,
    until: datetime | None = None,
    source: str = "",
) -> Given:
    """Give an account a role within a scope.

    Raises Refused (codes "not-found", "barred-roles", "bad-grant") and Conflict ("grant-exists").
    """
    account = get(connection, name)
    if until is not None and until <= clock.now():
        raise Refused("The grant would have ended already.", code="bad-grant")
    held = [given for given in list_grants(connection, account) if not given.idle]
    if len(held) >= _MOST:
        raise Refused(f"An account holds at most {_MOST} grants.", code="bad-grant")
    check_roles({role, *(given.grant.role for given in held)})
    wanted = Grant(role, scope, until)
    if any(given.grant == wanted and given.source == source for given in held):
        raise Conflict(f"{account.name} holds {role} within that scope already.", code="grant-exists")
    made = connection.execute(
        insert(table)
        .values(
            account_id=account.id,
            role=role.value,
            scope=scope_as_json(scope),
            expires_at=until,
            source=source,
            granted_at=clock.now(),
            granted_by=acting.who.name,
            reason=acting.reason[:400],
        )
        .returning(table)
    ).one()
    acting.note(
        connection,
        "role granted",
        account=account.name,
        role=role.value,
        scope=scope_as_json(scope),
        until=until.isoformat() if until else None,
    )
    if source != "first" and (role is Role.PAD or scope.sensitive):
        # who may see everything, or the studies of colleagues: a privacy officer hears of it by himself
        acting.note(
            connection,
            "own rights widened" if acting.who.account == account.id else "wide rights given",
            kind=Kind.ALERT,
            account=account.name,
            role=role.value,
            scope=scope_as_json(scope),
        )
    return _given(made, frozenset())


def revoke(connection: Connection, name: str, grant_id: int, acting: Acting) -> None:
    """Take a grant back. Raises Refused (code "not-found"), Conflict (code "last-administrator")."""
    account = get(connection, name)
    row = connection.execute(
        select(table).where(table.c.id == grant_id, table.c.account_id == account.id)
    ).first()
    if row is None:
        raise Refused(f"{account.name} has no grant {grant_id}.", code="not-found")
    connection.execute(delete(table).where(table.c.id == grant_id))
    if row.role == Role.ADM.value:
        keep_an_administrator(connection)
    acting.note(connection, "role revoked", account=account.name, role=row.role, scope=row.scope)


def replace_from_provider(
    connection: Connection, account: Account, roles: frozenset[Role], acting: Acting
) -> None:
    """Make the grants that came from the OpenID provider those that it names now; what people gave stays."""
    mine = table.c.account_id == account.id
    rows = connection.execute(select(table.c.id, table.c.role).where(mine, table.c.source == "oidc")).all()
    for row in rows:
        if row.role not in roles:
            connection.execute(delete(table).where(table.c.id == row.id))
            acting.note(connection, "role revoked", account=account.name, role=row.role, by="provider")
    for role in sorted(roles - {row.role for row in rows}):
        grant(connection, account.name, role, acting, source="oidc")


def set_enabled(connection: Connection, name: str, acting: Acting, *, enabled: bool) -> Account:
    """Let an account sign in again, or no longer: its sessions end, its tokens are refused.

    Raises Refused (code "not-found"), Conflict (code "last-administrator").
    """
    account = get(connection, name)
    if account.enabled is not enabled:
        connection.execute(update(accounts).where(accounts.c.id == account.id).values(enabled=enabled))
        if not enabled:
            connection.execute(delete(sessions).where(sessions.c.account_id == account.id))
            if any(given.grant.role is Role.ADM for given in list_grants(connection, account)):
                keep_an_administrator(connection)
        acting.note(connection, "account enabled" if enabled else "account disabled", account=account.name)
    return get(connection, name)


def keep_an_administrator(connection: Connection) -> None:
    """Raises Conflict (code "last-administrator") where nobody could manage accounts any more."""
    found = connection.execute(
        select(table.c.id)
        .join(accounts, accounts.c.id == table.c.account_id)
        .where(accounts.c.enabled, table.c.role == Role.ADM.value, _in_time())
        .limit(1)
    ).first()
    if found is None:
        raise Conflict(
            "Nobody would be left who may manage accounts: make another administrator first.",
            code="last-administrator",
        )


def _held_by_others(connection: Connection, account: Account) -> frozenset[str]:
    """Which of the first account's roles other accounts hold."""
    rows = connection.scalars(
        select(table.c.role)
        .join(accounts, accounts.c.id == table.c.account_id)
        .where(
            accounts.c.enabled,
            table.c.account_id != account.id,
            table.c.role.in_([role.value for role in FIRST_ROLES]),
            _in_time(),
        )
        .distinct()
    )
    return frozenset(rows)


def _in_time() -> Any:
    return or_(table.c.expires_at.is_(None), table.c.expires_at > clock.now())


def _given(row: Row[Any], held_by_others: frozenset[str]) -> Given:
    over = row.expires_at is not None and row.expires_at <= clock.now()
    return Given(
        row.id,
        Grant(Role(row.role), scope_from_json(row.scope), row.expires_at),
        row.source,
        row.granted_at,
        row.granted_by,
        row.reason,
        idle=over or (row.source == "first" and row.role in held_by_others),
    )
