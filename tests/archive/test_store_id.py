"""Store and index know each other: where they are not each other's, nothing is written and nothing destroyed."""

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, delete, select
from tests.archive.conftest import CT, EXPLICIT_LE, Put, ct, encoded

from filmless.archive import rebuild, store_id
from filmless.archive.blobs import BlobStore, any_file
from filmless.archive.model import ArchiveSettings, Arrival, Source
from filmless.archive.store import Archive
from filmless.archive.tables import open_folders, store_ids
from filmless.db.engine import open_engine
from filmless.db.work import reading, writing
from filmless.kit.errors import Refused

SETTINGS = ArchiveSettings(minimum_free_bytes=0)


def of_index(engine: Engine) -> str | None:
    with reading(engine) as connection:
        rows = connection.scalars(select(store_ids.c.id)).all()
    assert len(rows) <= 1
    return rows[0] if rows else None


def of_store(root: Path) -> str | None:
    file = root / store_id.NAME
    return file.read_text().strip() if file.exists() else None


def forget(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(delete(store_ids))


def refused(engine: Engine, root: Path, *, new: bool = True) -> Refused:
    """It is refused, and nothing has changed."""
    before = of_index(engine), of_store(root)
    with pytest.raises(Refused) as why:
        store_id.bind(engine, root, new=new)
    assert (of_index(engine), of_store(root)) == before
    return why.value


@pytest.fixture
def stranger(sqlite_template: Path, tmp_path: Path) -> Iterator[Callable[[], Engine]]:
    """Makes the empty indexes of other installations."""
    engines: list[Engine] = []

    def make() -> Engine:
        file = tmp_path / f"stranger{len(engines)}.sqlite"
        shutil.copyfile(sqlite_template, file)
        engines.append(open_engine(f"sqlite:///{file}"))
        return engines[-1]

    yield make
    for engine in engines:
        engine.dispose()


def test_several_that_start_at_once_give_one_id(engine: Engine, tmp_path: Path) -> None:
    root = tmp_path / "home" / "store"
    store_id.bind(engine, root, new=False)
    # a command that only asks makes nothing
    assert (of_index(engine), root.exists()) == (None, False)
    with ThreadPoolExecutor(6) as pool:
        for _ in pool.map(lambda _: store_id.bind(engine, root, new=True), range(12)):
            pass
    given = of_index(engine)
    assert given and given == of_store(root)
    store_id.bind(engine, root, new=True)
    assert (of_index(engine), of_store(root)) == (given, given)
    assert [file.name for file in root.iterdir()] == [store_id.NAME]


def test_a_crash_between_the_two_is_made_good(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash() -> datetime:
        raise KeyboardInterrupt

    monkeypatch.setattr(store_id.clock, "now", crash)
    with pytest.raises(KeyboardInterrupt):
        store_id.bind(engine, tmp_path, new=True)
    monkeypatch.undo()
    half = of_store(tmp_path)
    assert half and of_index(engine) is None
    store_id.bind(engine, tmp_path, new=True)
    assert of_index(engine) == half == of_store(tmp_path)


def test_an_archive_of_before_gets_one_by_its_files(archive: Archive, put: Put) -> None:
    put(ct())
    engine, root = archive.engine, archive.root
    store_id.bind(engine, root, new=False)
    given = of_index(engine)
    assert given and given == of_store(root)
    # as after a copy of the objects alone, and with an index of before
    (root / store_id.NAME).unlink()
    store_id.bind(engine, root, new=False)
    forget(engine)
    store_id.bind(engine, root, new=False)
    assert (of_index(engine), of_store(root)) == (given, given)


@pytest.mark.parametrize("before", [False, True], ids=["known", "of before"])
def test_a_store_that_is_not_there_is_refused(archive: Archive, put: Put, *, before: bool) -> None:
    put(ct())
    archive.stop()
    engine, root = archive.engine, archive.root
    if not before:
        store_id.bind(engine, root, new=True)
    away = root.rename(root.with_name("away"))
    for _ in range(2):
        why = refused(engine, root)
        assert why.code == "other-store"
        assert str(root) in why.message and engine.url.render_as_string() in why.message
        assert "is empty" in why.message
        with pytest.raises(Refused, match="no objects in"):
            store_id.may_rebuild(engine, root, replace=True)
        # a disk that is not mounted leaves an empty folder
        root.mkdir(exist_ok=True)
    root.rmdir()
    away.rename(root)
    store_id.bind(engine, root, new=True)


def test_an_index_and_the_store_of_another_are_refused(
    archive: Archive, put: Put, stranger: Callable[[], Engine], tmp_path: Path
) -> None:
    put(ct())
    archive.stop()
    engine, root = archive.engine, archive.root
    store_id.bind(engine, root, new=True)
    mine = of_index(engine)

    # an index that knows nothing: a database whose address is mistyped
    empty = stranger()
    assert refused(empty, root).code == "no-index"
    assert refused(empty, root, new=False).code == "no-index"
    # one of another installation, before and after it has anything
    other, other_root = stranger(), tmp_path / "other" / "store"
    store_id.bind(other, other_root, new=True)
    assert refused(other, root).code == "other-store"
    assert refused(engine, other_root).code == "other-store"
    theirs = Archive(other, other_root, SETTINGS)
    theirs.start()
    theirs.store_blocking(
        Arrival(CT, "1.2.3.1.1.1", EXPLICIT_LE, Source("CT1")), [encoded(ct(PatientID="OTHER"))]
    )
    theirs.stop()
    for one, where in ((other, root), (engine, other_root)):
        why = refused(one, where)
        assert why.code == "other-store"
        assert str(of_index(one)) in why.message and str(of_store(where)) in why.message
        assert "--replace-index" in why.message
        with pytest.raises(Refused) as refusal:
            store_id.may_rebuild(one, where, replace=False)
        assert refusal.value.code == "other-store"
    # also where either was there before there were IDs
    (root / store_id.NAME).unlink()
    assert refused(other, root).code == "other-store"
    forget(other)
    assert refused(other, root).code == "other-store"
    store_id.bind(engine, root, new=True)
    assert of_store(root) == mine


def test_what_a_rebuild_makes_the_stores_own(
    archive: Archive, put: Put, stranger: Callable[[], Engine]
) -> None:
    put(ct())
    archive.stop()
    engine, root = archive.engine, archive.root
    store_id.bind(engine, root, new=True)
    mine = of_index(engine)
    store_id.may_rebuild(engine, root, replace=False)
    rebuild.rebuild(engine, root, SETTINGS)
    assert of_index(engine) == mine == of_store(root)

    # into another database, new or another's: the one of before does not know what comes from now on
    other = stranger()
    store_id.may_rebuild(other, root, replace=False)
    rebuild.rebuild(other, root, SETTINGS)
    assert of_index(other) == of_store(root) != mine
    store_id.bind(other, root, new=True)
    assert refused(engine, root).code == "other-store"
    store_id.may_rebuild(engine, root, replace=True)
    rebuild.rebuild(engine, root, SETTINGS)
    store_id.bind(engine, root, new=True)
    assert refused(other, root).code == "other-store"


def test_an_empty_archive_whose_home_was_made_anew_can_be_rebuilt(engine: Engine, tmp_path: Path) -> None:
    store_id.bind(engine, tmp_path / "store", new=True)
    new = tmp_path / "new" / "store"
    why = refused(engine, new)
    assert why.code == "other-store" and "`filmless rebuild` brings the two together" in why.message
    store_id.may_rebuild(engine, new, replace=False)
    new.mkdir(parents=True)
    rebuild.rebuild(engine, new, SETTINGS)
    store_id.bind(engine, new, new=True)
    assert refused(engine, tmp_path / "store").code == "other-store"


def test_what_lies_beside_the_years_is_no_object(engine: Engine, tmp_path: Path) -> None:
    """A store that is a disk of its own has a lost+found, which its server may not even read."""
    store = BlobStore(engine, tmp_path / "store")
    (store.root / "lost+found").mkdir()
    for name in ("lost+found/found.dcm", "loose.dcm"):
        (store.root / name).write_bytes(b"x")
    assert not any_file(store.root) and list(store.files()) == []
    store_id.bind(engine, store.root, new=True)
    assert of_store(store.root) == of_index(engine) is not None


def test_an_archive_of_before_in_which_only_an_upload_was_broken_off(engine: Engine, tmp_path: Path) -> None:
    store = BlobStore(engine, tmp_path / "store")
    folder = store.place()
    (store.root / folder.path / "half.dcm").write_bytes(b"half")
    store_id.bind(engine, store.root, new=True)
    assert of_store(store.root) == of_index(engine) is not None
    (store.root / store_id.NAME).unlink()
    forget(engine)
    with writing(engine) as connection:
        connection.execute(delete(open_folders))
    assert refused(engine, store.root).code == "no-index"
