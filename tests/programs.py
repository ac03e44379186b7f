"""Programs that ask a server over HTTP: an account of their own, and a token."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import httpx

from filmless.access import accounts, grants, tokens
from filmless.access.acting import Acting
from filmless.access.model import SYSTEM, Action, Role
from filmless.app.index import open_index
from filmless.app.settings import load
from filmless.app.trail import open_trail
from filmless.db.work import writing

#: all that a token may be made for
EVERYTHING = frozenset(Action) - {Action.OWN_ACCOUNT}


def token(
    home: Path,
    name: str = "program",
    *,
    roles: Iterable[Role] = (Role.PAD,),
    actions: Iterable[Action] = EVERYTHING,
) -> str:
    """A new account on the server of a home, and its token."""
    settings = load(home, environment={})
    with open_index(settings) as engine, open_trail(settings, engine, "test") as trail:
        acting = Acting(SYSTEM, trail, reason="a test")
        with writing(engine) as connection:
            account = accounts.create(connection, name, acting, must_change_password=False)
            for role in roles:
                grants.grant(connection, name, role, acting)
            secret, _ = tokens.add(
                connection, account, settings.access, acting, label="a test", scopes=frozenset(actions)
            )
    return secret


def client(base: str, secret: str, **more: object) -> httpx.Client:
    """Asks as the program; `base`: such as http://127.0.0.1:8080."""
    return httpx.Client(
        base_url=base,
        headers={"Authorization": f"Bearer {secret}"},
        timeout=60,
        **more,  # type: ignore[arg-type]
    )
