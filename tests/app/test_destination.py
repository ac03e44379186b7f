"""The folder of a backup: what is taken up in it, who may work there; PostgreSQL by the command line."""

import itertools
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from filmless.app import backup, destination, restore
from filmless.app.cli import main
from filmless.app.index import open_index
from filmless.app.settings import FILE_NAME, Settings, load
from filmless.archive import overlays
from filmless.archive.model import Source
from filmless.archive.store import Archive
from filmless.exchange.media import incoming
from filmless.kit.errors import Conflict
from filmless.reporting import signing
from tests import made, postgres
from tests.peers import Done, filmless_command, run

_numbers = itertools.count(1)


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Iterator[Callable[[], str]]:
    """Makes the [database] url of an empty PostgreSQL database."""
    server: str = request.getfixturevalue("postgres_server")
    names: list[str] = []

    def make() -> str:
        names.append(f"destination_{next(_numbers)}")
        return postgres.make_database(server, names[-1])

    yield make
    for name in names:
        postgres.drop_database(server, name)


def settings_of(home: Path, url: str = "") -> Settings:
    environment = {"FILMLESS_ARCHIVE_MINIMUM_FREE_BYTES": "0"}
    return load(home, environment=environment | ({"FILMLESS_DATABASE_URL": url} if url else {}))


def filled(home: Path, files: Path, url: str = "") -> Settings:
    """A home with one series of four objects."""
    settings = settings_of(home, url)
    made.series(files, 4, side=16)
    with open_index(settings, create=True) as engine:
        archive = Archive(engine, settings.store, settings.archive)
        archive.start()
        try:
            incoming.bring_in(archive, [files], source=Source("import"))
        finally:
            archive.stop()
    return settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return filled(tmp_path / "home", tmp_path / "files")


def restored(source: Path, home: Path) -> restore.Restored:
    restore.bring_settings(source, home)
    return restore.bring(settings_of(home), source)


def test_what_a_power_cut_left_short_is_copied_again(settings: Settings, tmp_path: Path) -> None:
    backup.make(settings, tmp_path / "backup")
    short, empty, *_ = sorted((tmp_path / "backup" / "store").rglob("*.dcm"))
    short.write_bytes(short.read_bytes()[:-1])
    empty.write_bytes(b"")
    backup.make(settings, tmp_path / "backup")
    assert restored(tmp_path / "backup", tmp_path / "new").damaged == []


def test_corrections_that_a_power_cut_left_short_are_copied_again(tmp_path: Path) -> None:
    (tmp_path / "store" / overlays.FOLDER).mkdir(parents=True)
    (tmp_path / "store" / overlays.FOLDER / "5.json").write_bytes(b"[]")
    assert overlays.copy(tmp_path / "store", tmp_path / "backup") == 1
    kept = tmp_path / "backup" / overlays.FOLDER / "5.json"
    kept.write_bytes(b"")
    assert overlays.copy(tmp_path / "store", tmp_path / "backup") == 1
    assert kept.read_bytes() == b"[]"
    assert overlays.copy(tmp_path / "store", tmp_path / "backup") == 0


def test_a_restore_that_has_to_wait_leaves_the_new_home_empty(settings: Settings, tmp_path: Path) -> None:
    (settings.home / FILE_NAME).write_text("[archive]\nminimum_free_bytes = 0\n")
    backup.make(settings_of(settings.home), tmp_path / "backup")
    command = ["restore", str(tmp_path / "backup"), "--home", str(tmp_path / "new")]
    with destination.alone(tmp_path / "backup"), pytest.raises(SystemExit) as refused:
        main(command)
    assert refused.value.code and not list(tmp_path.glob("new/*"))
    with pytest.raises(SystemExit) as done:
        main(command)
    assert not done.value.code
    assert (tmp_path / "new" / FILE_NAME).exists()


def test_the_keys_of_signatures_come_along(settings: Settings, tmp_path: Path) -> None:
    keys = signing.Keys(settings.home / "keys")
    keys.private()
    (settings.home / "keys" / "report-signing.pem").rename(tmp_path / "under-lock.pem")
    second = signing.fingerprint(keys.private().public_key())
    backup.make(settings, tmp_path / "backup")
    restored(tmp_path / "backup", tmp_path / "new")
    after = signing.Keys(tmp_path / "new" / "keys")
    known = list(keys.known())
    assert (len(known), list(after.known())) == (2, known)
    assert None not in [after.public(key) for key in known]
    assert signing.fingerprint(after.private().public_key()) == second
    assert stat.S_IMODE((after.folder / "report-signing.pem").stat().st_mode) == 0o600


def test_one_at_a_time_works_in_a_folder(settings: Settings, tmp_path: Path) -> None:
    seen = []

    def another(done: int, _all: int) -> None:
        seen.append(done)
        with pytest.raises(Conflict, match="is under way"):
            backup.make(settings, tmp_path / "backup")
        with pytest.raises(Conflict, match="is under way"):
            restored(tmp_path / "backup", tmp_path / f"early-{done}")

    backup.make(settings, tmp_path / "backup")
    backup.make(settings, tmp_path / "backup", progress=another)
    assert len(seen) == 4
    result = restored(tmp_path / "backup", tmp_path / "new")
    assert (result.damaged, result.manifest.counts["instances"]) == ([], 4)


def test_a_first_backup_that_was_cut_off_goes_on_in_its_folder(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "backup").mkdir()
    for name in ("lock", "index-20261122T020000000000Z.sqlite"):
        (tmp_path / "backup" / name).touch()
    made_now = backup.make(settings, tmp_path / "backup")
    left = {path.name for path in (tmp_path / "backup").glob("index-*")}
    assert left == {made_now.parts["index.sqlite"][0]}


def test_no_backup_goes_into_a_home(settings: Settings, tmp_path: Path) -> None:
    other = filled(tmp_path / "other", tmp_path / "more")
    with pytest.raises(Conflict, match="is a server's home"):
        backup.make(settings, other.home)


def test_an_engineer_moves_postgresql(database: Callable[[], str], tmp_path: Path) -> None:
    """By the command line alone, in processes that have imported nothing else: every table has to come along."""

    def command(*arguments: str | Path, url: str) -> Done:
        config = tmp_path / "filmless.toml"
        config.write_text(f'[database]\nurl = "{url}"\n[archive]\nminimum_free_bytes = 0\n', "utf-8")
        return run(*filmless_command(), *arguments, "--config", config, check=False)

    old, new = database(), database()
    settings = filled(tmp_path / "home", tmp_path / "files", old)
    made_now = command("backup", tmp_path / "backup", "--home", settings.home, url=old)
    assert (made_now.status, "4 instances" in made_now.output) == (0, True), made_now.output
    # into the database that is in use: refused, and nothing is left in the new home
    bring = ("restore", tmp_path / "backup", "--home", tmp_path / "new")
    for _ in range(2):
        refused = command(*bring, url=old)
        assert (refused.status, "not empty: it has tables" in refused.output) == (3, True), refused.output
    brought = command(*bring, url=new)
    assert (brought.status, "4 instances" in brought.output) == (0, True), brought.output
    checked = command("check", "--home", tmp_path / "new", url=new)
    assert (checked.status, "no differences" in checked.output) == (0, True), checked.output
