"""The account of the first start."""

from typing import Final

from sqlalchemy import Engine, select

from filmless.access import accounts, grants
from filmless.access.account_tables import accounts as table
from filmless.access.acting import Acting
from filmless.access.audit.trail import Trail
from filmless.access.model import SYSTEM
from filmless.db.work import reading, writing
from filmless.kit.errors import Conflict

NAME: Final = "admin"


def first_account(engine: Engine, given_password: str, trail: Trail, *, length: int) -> str | None:
    """Where there is no account yet, make `admin`; returns its password if that is to be told, once.

    `given_password`: the one that the engineer chose (FILMLESS_ADMIN_PASSWORD); "" makes a random one. Either is to
    be changed at the first sign-in. It holds administrator and data steward for as long as nobody else does
    (grants.FIRST_ROLES). Raises Refused (code "weak-password").
    """
    with reading(engine) as connection:
        if connection.execute(select(table.c.id).limit(1)).first() is not None:
            return None
    password, kept = accounts.new_password(given_password or None, name=NAME, length=length)
    acting = Acting(SYSTEM, trail, reason="first start")
    try:
        with writing(engine) as connection:
            if connection.execute(select(table.c.id).limit(1)).first() is not None:
                return None
            accounts.create(
                connection, NAME, acting, display_name="Administrator", password_hash=kept, first=True
            )
            for role in grants.FIRST_ROLES:
                grants.grant(connection, NAME, role, acting, source="first")
    except Conflict:
        # another server of the same database was first
        return None
    return None if given_password else password
