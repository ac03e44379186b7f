"""`filmless users` and `filmless tokens` as an engineer calls them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from filmless.access.audit.tables import audit
from filmless.app.cli import filmless
from filmless.app.index import open_index
from filmless.app.settings import load
from filmless.db.work import reading
from filmless.kit.errors import Conflict, Refused


class Cli:
    def __init__(self, home: Path) -> None:
        self.home = home

    def __call__(self, *arguments: str, typed: str = "") -> str:
        return self.result(*arguments, typed=typed).output

    def result(self, *arguments: str, typed: str = "") -> Result:
        result = CliRunner().invoke(filmless, [*arguments, "--home", str(self.home)], input=typed)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--json"))

    def trail(self) -> list[tuple[str, str]]:
        with open_index(load(self.home, environment={})) as engine, reading(engine) as connection:
            rows = connection.execute(audit.select().order_by(audit.c.seq)).all()
        return [(row.who, row.body) for row in rows if row.kind == "access"]


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path / "home")


def test_an_account_from_its_making_to_its_end(cli: Cli) -> None:
    said = cli("users", "add", "Zhang", "--display-name", "张伟", "--role", "RES", "--ward", "W1")
    told = re.search(r"shown once: (\S+)", said)
    assert told and re.fullmatch(r"([a-z2-7]{4}-){3}[a-z2-7]{4}", told[1])

    granted = cli(
        "users", "grant", "zhang", "ATT", "--site", "north", "--modality", "CT", "--reason", "senior now"
    )
    number = re.search(r"grant (\d+)", granted)
    assert number
    found = cli.json("users", "show", "zhang")
    assert [one["role"] for one in found["grants"]] == ["RES", "ATT"]
    assert found["grants"][1]["scope"] == {"sites": ["north"], "modalities": ["CT"]}
    assert found["wards"] == ["W1"] and found["must_change_password"]
    assert "RES ATT" in cli("users", "list")
    shown = cli("users", "show", "zhang")
    assert "sites: north; modalities: CT" in shown and "senior now" in shown

    cli("users", "revoke", "zhang", number[1])
    cli("users", "change", "zhang", "--ward", "none", "--language", "zh")
    found = cli.json("users", "show", "zhang")
    assert [one["role"] for one in found["grants"]] == ["RES"] and found["wards"] == []
    assert cli("users", "sessions", "zhang") == "zhang is not signed in.\n"

    cli("users", "add", "boss", "--role", "ADM")
    cli("users", "disable", "zhang", "--reason", "left")
    assert not cli.json("users", "show", "zhang")["enabled"]
    cli("users", "enable", "zhang")
    cli("users", "unlock", "zhang")
    again = cli("users", "password", "zhang")
    assert told[1] not in again

    trail = cli.trail()
    assert len(trail) == 11 and {name.split("/")[0] for name, _ in trail} == {"engineer"}
    assert told[1] not in str(trail)


def test_a_password_can_be_typed(cli: Cli) -> None:
    said = cli("users", "add", "zhang", "--ask", typed="a good password\na good password\n")
    assert "Made zhang." in said and "shown once" not in said
    with pytest.raises(Refused, match="at least 10"):
        cli("users", "password", "zhang", "--ask", typed="short\nshort\n")


def test_the_last_administrator_stays(cli: Cli) -> None:
    cli("users", "add", "boss", "--role", "ADM")
    with pytest.raises(Conflict, match="another administrator"):
        cli("users", "disable", "boss")
    with pytest.raises(Conflict):
        cli("users", "add", "boss")
    with pytest.raises(Refused, match="no account 'nobody'"):
        cli("users", "show", "nobody")


def test_a_token_from_its_making_to_its_end(cli: Cli) -> None:
    cli("users", "add", "ai", "--no-password", "--role", "DEV")
    said = cli(
        "tokens", "add", "ai", "--label", "nightly", "--scope", "search", "--scope", "view", "--days", "30"
    )
    secret = said.splitlines()[-1]
    assert secret.startswith("fl_")
    found = cli.json("tokens", "list", "ai")
    assert found[0]["scopes"] == ["search", "view"] and found[0]["in_force"]
    assert secret not in json.dumps(found)
    cli("tokens", "revoke", "ai", str(found[0]["id"]))
    assert "revoked" in cli("tokens", "list", "ai")
    assert secret not in str(cli.trail())


def test_an_identity_needs_a_provider(cli: Cli) -> None:
    cli("users", "add", "zhang")
    with pytest.raises(Refused, match="no OpenID provider"):
        cli("users", "change", "zhang", "--oidc-subject", "u1")
    (cli.home / "filmless.toml").write_text(
        '[access]\noidc_issuer = "https://login.example"\noidc_client_id = "filmless"\n'
    )
    cli("users", "change", "zhang", "--oidc-subject", "u1")
    assert cli.json("users", "show", "zhang")["identities"] == [["https://login.example", "u1"]]
    cli("users", "add", "li")
    with pytest.raises(Conflict, match="zhang's"):
        cli("users", "change", "li", "--oidc-subject", "u1")
    cli("users", "change", "zhang", "--oidc-none")
    assert cli.json("users", "show", "zhang")["identities"] == []
