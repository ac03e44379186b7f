"""The audit trail outlives its machine: a backup has all that it needs, on and between both databases."""

import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from filmless.access.audit.model import Entry, Kind
from filmless.access.audit.verify import Report, verify
from filmless.access.model import Principal
from filmless.app import backup, restore
from filmless.app.index import open_index
from filmless.app.settings import Settings, load
from filmless.app.trail import anchors_of, began, ended, keys_of, open_trail
from tests import postgres
from tests.trails import entries

WANG = Principal("user", "wang")
Make = Callable[[str, str], Settings]


@pytest.fixture
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Settings of a home with its index on a database of its own."""
    dropped: list[tuple[str, str]] = []

    def settings(name: str, backend: str, **more: str) -> Settings:
        environment = {f"FILMLESS_{key.upper()}": value for key, value in more.items()}
        if backend == "postgresql":
            server: str = request.getfixturevalue("postgres_server")
            database = f"audit_{name}"
            environment["FILMLESS_DATABASE_URL"] = postgres.make_database(server, database)
            dropped.append((server, database))
        return load(tmp_path / name, environment=environment)

    yield settings
    for server, database in dropped:
        postgres.drop_database(server, database)


def check(settings: Settings) -> Report:
    keys = keys_of(settings)
    with open_index(settings) as engine:
        return verify(engine, keys, anchors_of(settings, keys))


@pytest.mark.parametrize(
    ("first", "second"),
    [("sqlite", "sqlite"), ("sqlite", "postgresql"), ("postgresql", "sqlite")],
)
def test_a_restored_trail_is_whole_and_goes_on(make: Make, tmp_path: Path, first: str, second: str) -> None:
    old = make("old", first)
    with open_index(old, create=True) as engine, open_trail(old, engine, "serve") as trail:
        for number in range(30):
            trail.record(
                Entry(Kind.VIEW, WANG, studies=(f"1.2.{number}",), patients=("王^1",), what="pixels")
            )
    backup.make(old, tmp_path / "backup")
    with open_index(old) as engine, open_trail(old, engine, "serve") as trail:
        trail.record(Entry(Kind.VIEW, WANG, studies=("1.2.99",)))
    backup.make(old, tmp_path / "backup")  # the second one in the same folder replaces the first
    keys = list((tmp_path / "backup").rglob("*.key"))
    assert [stat.S_IMODE(file.stat().st_mode) for file in keys] == [0o600]

    new = make("new", second)
    restore.bring_settings(tmp_path / "backup", new.home)
    restore.bring(new, tmp_path / "backup")
    report = check(new)
    assert report.findings == []
    assert report.records == 31
    assert stat.S_IMODE((new.home / "keys" / "audit.key").stat().st_mode) == 0o600
    assert keys_of(new).current.id == keys_of(old).current.id
    with open_index(new) as engine, open_trail(new, engine, "serve") as trail:
        trail.record(Entry(Kind.VIEW, WANG, studies=("1.2.100",)))
    assert check(new).whole
    # the machine that went on meanwhile has anchors that the restored database cannot have
    with open_index(old) as engine, open_trail(old, engine, "serve") as trail:
        trail.record(Entry(Kind.VIEW, WANG))
        trail.record(Entry(Kind.VIEW, WANG))
    (new.home / "audit" / "anchors.log").write_bytes((old.home / "audit" / "anchors.log").read_bytes())
    assert check(new).first == 33


def test_a_start_tells_which_settings_changed_and_no_secret(make: Make) -> None:
    def start(**more: str) -> None:
        settings = make("home", "sqlite", **more)  # type: ignore[call-arg]
        with open_index(settings, create=True) as engine, open_trail(settings, engine, "serve") as trail:
            began(trail, engine, settings)
            ended(trail, settings)

    start(aet="FIRST")
    start(aet="FIRST")
    start(aet="SECOND", admin_password="correct horse battery")
    start(aet="SECOND", admin_password="another horse battery")
    start(aet="SECOND")
    with open_index(make("home", "sqlite")) as engine:
        found = entries(engine)
    changes = [one.body["detail"]["changed"] for one in found if one.kind == "config"]
    assert len(changes) == 3
    assert changes[0]["aet"] == ["FIRST", "SECOND"]
    assert changes[0]["admin_password"][0] is None
    assert set(changes[1]) == set(changes[2]) == {"admin_password"}
    assert "horse" not in str([one.body for one in found])
    assert [one.kind for one in found].count("start") == [one.kind for one in found].count("stop") == 5
