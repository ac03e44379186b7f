"""A hospital to try out: everybody may sign in as anybody of its accounts, which the sign-in page names."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select

from filmless.access.account_tables import accounts, grants
from filmless.access.model import Role

#: of every account of a demonstration; told on its first page, which is served on this machine alone
PASSWORD: Final = "demonstration"


@dataclass(frozen=True, slots=True)
class Somebody:
    """An account that a newcomer may sign in as."""

    account: str
    name: str
    role: Role


def everybody(connection: Connection, *, limit: int = 40) -> list[Somebody]:
    """The accounts of a demonstration, in the order in which they were made."""
    rows = connection.execute(
        select(accounts.c.name, accounts.c.display_name, grants.c.role)
        .join(grants, grants.c.account_id == accounts.c.id)
        .where(accounts.c.enabled)
        .order_by(accounts.c.id, grants.c.id)
        .limit(limit)
    )
    return [Somebody(row.name, row.display_name or row.name, Role(row.role)) for row in rows]
