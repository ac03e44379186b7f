"""Backup and restore: counts, hashes and answers, on and between both databases."""

import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from sqlalchemy import Engine, select

from filmless.access.model import SYSTEM
from filmless.app import backup, restore
from filmless.app.index import open_index
from filmless.app.settings import Settings, load
from filmless.archive import integrity
from filmless.archive.model import Kind, Source
from filmless.archive.query import instances_of
from filmless.archive.reject import reject
from filmless.archive.store import Archive
from filmless.archive.tables import versions
from filmless.db import events
from filmless.db.durable import Jobs, jobs_url
from filmless.db.schema import metadata
from filmless.db.work import reading, writing
from filmless.devices import service as devices
from filmless.devices.model import Device
from filmless.exchange.media import incoming
from filmless.kit.errors import Conflict, Refused
from tests import made, postgres
from tests.peers import FilmlessServer, eventually, filmless_command, run
from tests.raw import STUDY_ROOT_FIND, RawAssociation, element

_numbers = itertools.count(1)
IMPORT = Source("import")


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Iterator[Callable[[str], str]]:
    """Makes the [database] url of an empty database: "" for SQLite, which is in the home."""
    databases: list[tuple[str, str]] = []

    def make(backend: str) -> str:
        if backend == "sqlite":
            return ""
        server: str = request.getfixturevalue("postgres_server")
        name = f"backup_{next(_numbers)}"
        databases.append((server, name))
        return postgres.make_database(server, name)

    yield make
    for server, name in databases:
        postgres.drop_database(server, name)


def settings_of(home: Path, url: str = "") -> Settings:
    environment = {"FILMLESS_ARCHIVE_MINIMUM_FREE_BYTES": "0"}
    return load(home, environment=environment | ({"FILMLESS_DATABASE_URL": url} if url else {}))


def take(settings: Settings, *paths: Path) -> incoming.Imported:
    with open_index(settings, create=True) as engine:
        archive = Archive(engine, settings.store, settings.archive)
        archive.start()
        try:
            return incoming.bring_in(archive, paths, source=IMPORT)
        finally:
            archive.stop()


@pytest.fixture
def source(tmp_path: Path) -> Callable[[str], tuple[Settings, made.Made]]:
    """Fills a home with two studies, a clash in quarantine, a rejection, a device and an event reader."""

    def fill(url: str) -> tuple[Settings, made.Made]:
        settings = settings_of(tmp_path / "home", url)
        first = made.series(tmp_path / "files" / "a", 5, name="Eins^Anna", patient_id="BACKUP1")
        made.series(tmp_path / "files" / "b", 3, name="李^四", patient_id="BACKUP2")
        clash = pydicom.dcmread(first.files[0])
        clash.StudyDescription = "another one"
        clash.save_as(tmp_path / "files" / "z.dcm")
        result = take(settings, tmp_path / "files")
        assert (result.counts[Kind.STORED], result.counts[Kind.QUARANTINED]) == (8, 1)
        with open_index(settings) as engine:
            archive = Archive(engine, settings.store, settings.archive)
            archive.start()
            uids = list(first.data_sets)[:1]
            reject(archive, SYSTEM, code="113037", by="tester", reason="wrong side", sop_uids=uids)
            archive.stop()
            with writing(engine) as connection:
                devices.add(connection, Device("CT1", host="ct1", port=104), by="tester")
                events.advance(connection, "jobs", 3)
        with jobs_of(settings) as jobs:
            jobs.add("send", {"studies": ["1.2.3"]}, device="CT1", queue="sends", job_id="waits")
        return settings, first

    return fill


def jobs_of(settings: Settings) -> Jobs:
    return Jobs(jobs_url(settings.home, settings.index_url))


def contents(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, the announcements of running writers and the store's ID aside."""
    with reading(engine) as connection:
        return {
            table.name: sorted(
                (tuple(str(value) for value in row) for row in connection.execute(select(table))), key=str
            )
            for table in metadata.sorted_tables
            if table.name not in ("open_folders", "store_ids")
        }


def data_sets(settings: Settings, engine: Engine, study: str) -> dict[str, bytes]:
    with reading(engine) as connection:
        found = instances_of(connection, SYSTEM, level="STUDY", study_uids=[study])
        return {
            one.sop_instance: (settings.store / one.path).read_bytes()[one.offset : one.offset + one.size]
            for one in found
        }


def restored(source: Path, home: Path, url: str = "") -> tuple[Settings, restore.Restored]:
    restore.bring_settings(source, home)
    settings = settings_of(home, url)
    return settings, restore.bring(settings, source)


@pytest.mark.parametrize("to", ["sqlite", "postgresql"])
@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_what_comes_back_is_what_was_there(
    backend: str,
    to: str,
    database: Callable[[str], str],
    source: Callable[[str], tuple[Settings, made.Made]],
    tmp_path: Path,
) -> None:
    settings, series = source(database(backend))
    seen: list[tuple[int, int]] = []
    manifest = backup.make(
        settings, tmp_path / "backup", progress=lambda done, total: seen.append((done, total))
    )
    assert manifest.damaged == []
    assert seen[-1][0] == seen[-1][1] == manifest.bytes
    counts = {"patients": 2, "studies": 2, "instances": 9, "versions": 9, "quarantine": 1}
    assert counts.items() <= manifest.counts.items()
    with open_index(settings) as engine:
        before, objects = contents(engine), data_sets(settings, engine, series.study_uid)
    assert before["devices"]
    assert before["rejections"]
    assert before["event_readers"]

    after, result = restored(tmp_path / "backup", tmp_path / "new", database(to))
    assert result.damaged == []
    with open_index(after) as engine:
        assert contents(engine) == before
        assert data_sets(after, engine, series.study_uid) == objects
        assert set(objects.values()) == set(list(series.data_sets.values())[1:]), "all but the rejected one"
        report = integrity.check(engine, after.store)
        assert (report.objects, report.differences) == (10, [])
    assert (after.store / "ledger.jsonl").read_bytes() == (settings.store / "ledger.jsonl").read_bytes()
    with jobs_of(after) as jobs:
        assert [(job.id, job.state, dict(job.task)) for job in jobs.newest()] == [
            ("waits", "waiting", {"studies": ["1.2.3"], "device": "CT1"})
        ]
    # a copy is an archive of its own: its index is not that of the store it came from, nor the other way
    assert (after.store / "store-id").read_text() != (settings.store / "store-id").read_text()
    # and it goes on: keys that are given next are above those that came
    more = made.series(tmp_path / "more", 2, name="Neu^Nina", patient_id="BACKUP3")
    assert take(after, more.files[0].parent).counts[Kind.STORED] == 2


def test_a_backup_of_a_running_server_holds_all_that_was_acknowledged(tmp_path: Path) -> None:
    files = made.series(tmp_path / "files", 150, patient_id="RUNNING1", side=16).files
    with FilmlessServer(tmp_path / "home") as server:
        context = [(str(pydicom.uid.CTImageStorage), ["1.2.840.10008.1.2.1"])]
        acknowledged: list[str] = []
        enough, stop = threading.Event(), threading.Event()

        def send() -> None:
            with RawAssociation(server.dicom_port, context) as association:
                for file in files:
                    uid = str(pydicom.dcmread(file, specific_tags=["SOPInstanceUID"]).SOPInstanceUID)
                    answer = association.store(context[0][0], uid, made.data_set(file))
                    assert answer.status == 0
                    acknowledged.append(uid)
                    if len(acknowledged) == 20:
                        enough.set()
                    if stop.is_set():
                        break
                association.release()

        sender = threading.Thread(target=send)
        sender.start()
        assert enough.wait(30)
        before = set(acknowledged)
        server.cli("backup", tmp_path / "backup")
        stop.set()
        sender.join(30)
        answers = studies(server.dicom_port)
    run(*filmless_command(), "restore", tmp_path / "backup", "--home", tmp_path / "new")
    with open_index(settings_of(tmp_path / "new")) as engine:
        with reading(engine) as connection:
            kept = set(connection.scalars(select(versions.c.sop_instance_uid)))
        assert integrity.check(engine, tmp_path / "new" / "store").differences == []
    assert before <= kept <= set(acknowledged)
    with FilmlessServer(tmp_path / "new") as server:
        assert studies(server.dicom_port) == answers
        eventually(lambda: server.health()["status"] == "ok", "the restored server is healthy", 30)


def studies(port: int) -> list[bytes | None]:
    """The answers to a query for everything, without the counts, which go on growing while one looks."""
    keys = (0x00080020, 0x00080030, 0x00080050, 0x00100010, 0x00100020, 0x00100030, 0x0020000D, 0x00200010)
    identifier = element(0x00080005, "ISO_IR 192") + element(0x00080020, "") + element(0x00080030, "")
    identifier += element(0x00080050, "") + element(0x00080052, "STUDY")
    identifier += b"".join(element(tag, "") for tag in keys[3:])
    with RawAssociation(port, [(STUDY_ROOT_FIND, ["1.2.840.10008.1.2"])]) as association:
        found = [answer.data for answer in association.find(identifier)]
        association.release()
    assert len(found) == 2, "one study and the final response"
    return found


def test_a_second_backup_into_the_folder_takes_what_is_new(
    source: Callable[[str], tuple[Settings, made.Made]], tmp_path: Path
) -> None:
    settings, _ = source("")
    first = backup.make(settings, tmp_path / "backup")
    before = {path: path.stat().st_ino for path in (tmp_path / "backup" / "store").rglob("*.dcm")}
    take(settings, made.series(tmp_path / "more", 2, patient_id="BACKUP3").files[0].parent)
    second = backup.make(settings, tmp_path / "backup")
    after = {path: path.stat().st_ino for path in (tmp_path / "backup" / "store").rglob("*.dcm")}
    assert before.items() < after.items()
    assert len(after) == len(before) + 2
    assert second.counts["versions"] == first.counts["versions"] + 2
    kept = sorted(path.name for path in (tmp_path / "backup").iterdir())
    assert kept == sorted(
        {"lock", "manifest.json", "metadata", "store"} | {file for file, _ in second.parts.values()}
    )
    new, result = restored(tmp_path / "backup", tmp_path / "new")
    assert result.manifest == second
    with open_index(new) as engine:
        assert integrity.check(engine, new.store).differences == []


def test_hard_links_take_no_room(source: Callable[[str], tuple[Settings, made.Made]], tmp_path: Path) -> None:
    settings, _ = source("")
    backup.make(settings, tmp_path / "backup", link=True)
    for path in settings.store.rglob("*.dcm"):
        assert (tmp_path / "backup" / "store" / path.relative_to(settings.store)).samefile(path)
    _, result = restored(tmp_path / "backup", tmp_path / "new")
    assert result.damaged == []


def test_damage_is_named_and_the_rest_is_saved(
    source: Callable[[str], tuple[Settings, made.Made]], tmp_path: Path
) -> None:
    settings, _ = source("")
    missing, changed, *_ = sorted(settings.store.rglob("*.dcm"))
    missing.unlink()
    changed.write_bytes(changed.read_bytes()[:-1] + b"\xff")
    names = [str(path.relative_to(settings.store)) for path in (missing, changed)]
    done = run(*filmless_command(), "backup", tmp_path / "backup", "--home", settings.home, check=False)
    assert done.status == 4
    assert all(name in done.output for name in names)
    assert backup.read_manifest(tmp_path / "backup").damaged == sorted(names)

    third = min((tmp_path / "backup" / "store").rglob("*.dcm"))
    third.write_bytes(third.read_bytes()[:-2])
    _, result = restored(tmp_path / "backup", tmp_path / "new")
    assert result.damaged == sorted([*names, str(third.relative_to(tmp_path / "backup" / "store"))])


def test_settings_come_along(tmp_path: Path, source: Callable[[str], tuple[Settings, made.Made]]) -> None:
    settings, _ = source("")
    (settings.home / "filmless.toml").write_text('aet = "FROMBACKUP"\n', "utf-8")
    run(*filmless_command(), "backup", tmp_path / "backup", "--home", settings.home)
    run(*filmless_command(), "restore", tmp_path / "backup", "--home", tmp_path / "new")
    assert load(tmp_path / "new", environment={}).server.aet == "FROMBACKUP"


def test_places_where_a_backup_would_do_harm_are_refused(
    source: Callable[[str], tuple[Settings, made.Made]], tmp_path: Path
) -> None:
    settings, _ = source("")
    with pytest.raises(Refused, match="outside the server's home"):
        backup.make(settings, settings.home / "store" / "backup")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").touch()
    with pytest.raises(Conflict, match="holds other files"):
        backup.make(settings, tmp_path / "full")
    backup.make(settings, tmp_path / "backup")
    with pytest.raises(Conflict, match="is not empty"):
        restore.bring_settings(tmp_path / "backup", tmp_path / "full")
    with pytest.raises(Conflict, match="is not empty"):
        restore.bring_settings(tmp_path / "backup", settings.home)


def test_an_unfinished_or_changed_backup_is_refused(
    source: Callable[[str], tuple[Settings, made.Made]], tmp_path: Path
) -> None:
    settings, _ = source("")
    manifest = backup.make(settings, tmp_path / "backup")
    index = tmp_path / "backup" / manifest.parts[backup.INDEX][0]
    content = index.read_bytes()
    index.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(Refused, match="is not the file that was backed up"):
        restore.bring_settings(tmp_path / "backup", tmp_path / "new")
    (tmp_path / "backup" / "manifest.json").unlink()
    with pytest.raises(Refused, match="no finished backup"):
        restore.bring_settings(tmp_path / "backup", tmp_path / "new")
    assert not (tmp_path / "new").exists()
