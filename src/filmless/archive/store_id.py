"""The ID that a store and its index have in common, so that neither is taken for another's.

    HOME/store/store-id     32 hexadecimal digits and a line feed
    table store_ids         the same, in one row

With PostgreSQL home and index are named by two settings: one may be mistyped, or the store's disk may not be mounted.
Images would be written where nobody looks, and a purge or a check would believe an index that speaks of other files.

Both get it when they meet for the first time: the file first and durably, so that a crash between leaves a store whose
ID an index that knows nothing takes over. Where one side has none (it is older than this, or was lost or not copied)
the files decide: one that the index knows lies nowhere but in its own store, since its path is random.
"""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection, Engine, delete, insert, select, text

from filmless.archive.blobs import any_file, index_unfinished, sync_folder
from filmless.archive.tables import open_folders, quarantine, store_ids, versions
from filmless.db.work import reading, writing
from filmless.kit import clock
from filmless.kit.errors import FilmlessError, Refused, Unavailable

NAME = "store-id"
#: one program at a time gives IDs in a PostgreSQL database
_LOCK = 0x46494C53
#: files looked for at either end of each table
_SAMPLE = 8


def bind(engine: Engine, root: Path, *, new: bool) -> None:
    """Make sure that the store at `root` is that of the index; gives both an ID where they have none.

    `new`: an index that knows nothing and a store without files may become one archive; else they are left as they
    are. Safe to call from several processes and servers at once.

    Raises:
        Refused: they do not belong together ("other-store"), or the index knows nothing of the files ("no-index").
        Unavailable: the store cannot be read or written ("store-disk").
    """
    its = _read(root)
    with reading(engine) as connection:
        mine = _of_index(connection)
    if mine is not None and mine == its:
        return
    with writing(engine) as connection:
        _alone(connection)
        mine, its, known, found = _facts(connection, root)
        if mine is not None and mine == its:
            return
        if mine is not None and its is not None:
            raise _strange(engine, root, mine, its)
        if known and not found:
            raise _strange(engine, root, mine, its)
        if known:
            # whichever of the two has one
            _give(connection, root, mine, its, mine or its or secrets.token_hex(16))
        elif mine is not None:
            raise _strange(engine, root, mine, its, knows=False)
        elif _has_files(root):
            if its is None and _announced(connection, root):
                # of an upload that was broken off: what it left is removed at the start
                _give(connection, root, mine, its, secrets.token_hex(16))
                return
            raise Refused(
                f"{root} has objects, but the index {_name(engine)} knows none. Where the database's address is "
                "mistyped, put it right; where a restore was cut off, restore again into an empty home and an empty "
                "database; else `filmless rebuild` makes the index again from the files.",
                code="no-index",
            )
        elif new:
            _give(connection, root, mine, its, its or secrets.token_hex(16))


def may_rebuild(engine: Engine, root: Path, *, replace: bool) -> None:
    """Refuse a rebuild that would empty the index for nothing, or, without `replace`, that of another store.

    Raises Refused (codes "no-archive", "other-store").
    """
    with reading(engine) as connection:
        mine, its, known, found = _facts(connection, root)
    if not _has_files(root):
        # where nothing is known nothing is lost: an empty archive whose home was made anew
        if known or mine is None:
            raise nothing_there(root)
        return
    if not known or (mine is not None and mine == its) or ((mine is None or its is None) and found):
        return
    if not replace:
        raise _strange(engine, root, mine, its)


def nothing_there(root: Path) -> Refused:
    """That there is nothing to rebuild from."""
    return Refused(
        f"There are no objects in {root} of which an index could be made: is --home right, and is the disk there?",
        code="no-archive",
    )


def rebuilt(connection: Connection, root: Path) -> None:
    """The index is made from this store from now on: where it was another's, both get a new ID.

    An index that had been the store's is known as a stranger from then on: it does not know what comes now. In the
    transaction that empties the index.
    """
    _alone(connection)
    mine, its = _of_index(connection), _read(root)
    if mine is None or mine != its:
        renew(connection, root)


def renew(connection: Connection, root: Path) -> None:
    """Give both a new ID: a copy is an archive of its own, and neither part of it one of the original's."""
    _give(connection, root, _of_index(connection), _read(root), secrets.token_hex(16))


def _facts(connection: Connection, root: Path) -> tuple[str | None, str | None, bool, bool]:
    """(ID of the index, ID of the store, whether the index knows files, whether one of a few of them is there)."""
    known = [
        path
        for table, states in ((versions, ("current", "superseded")), (quarantine, ("waiting", "discarded")))
        for order in (table.c.id, table.c.id.desc())
        for path in connection.scalars(
            select(table.c.path).where(table.c.state.in_(states)).order_by(order).limit(_SAMPLE)
        )
    ]
    its = _read(root)
    try:
        return _of_index(connection), its, bool(known), any((root / path).is_file() for path in known)
    except OSError as why:
        raise _disk(root, why) from None


def _announced(connection: Connection, root: Path) -> bool:
    """Whether the store has one of the folders in which the index says that files are being written."""
    try:
        return any((root / path).is_dir() for path in connection.scalars(select(open_folders.c.path)))
    except OSError as why:
        raise _disk(root, why) from None


def _of_index(connection: Connection) -> str | None:
    found: str | None = connection.scalar(select(store_ids.c.id))
    return found


def _read(root: Path) -> str | None:
    try:
        return (root / NAME).read_text("ascii", errors="replace").strip()[:64] or None
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as why:
        raise _disk(root, why) from None


def _give(connection: Connection, root: Path, mine: str | None, its: str | None, given: str) -> None:
    if its != given:
        _write(root, given)
    if mine != given:
        connection.execute(delete(store_ids))
        connection.execute(insert(store_ids).values(id=given, given_at=clock.now()))


def _write(root: Path, given: str) -> None:
    part = root / f"{NAME}.{os.getpid()}.part"
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with part.open("w", encoding="ascii") as file:
            # no secret: whichever account the server runs under can read it, whoever gave it
            os.fchmod(file.fileno(), 0o644)
            file.write(given + "\n")
            file.flush()
            os.fsync(file.fileno())
        part.replace(root / NAME)
        # a new home as well: an index that has the ID must not find the store gone after a power cut
        for folder in (root, root.parent):
            sync_folder(folder)
        # it may be one that we may pass through, but not read
        with suppress(OSError):
            sync_folder(root.parent.parent)
    except OSError as why:
        raise _disk(root, why) from None


def _alone(connection: Connection) -> None:
    """Until the transaction ends. On SQLite it holds the writer's lock already."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def _has_files(root: Path) -> bool:
    try:
        return any_file(root)
    except OSError as why:
        raise _disk(root, why) from None


def _strange(
    engine: Engine, root: Path, mine: str | None, its: str | None, *, knows: bool = True
) -> FilmlessError:
    if index_unfinished(root):
        return Refused(
            "The index is not whole: `filmless rebuild` was cut off before its end. Run it again first, with "
            "--replace-index where it was given.",
            code="index-unfinished",
        )
    index = f"the index {_name(engine)}" + (f" (of the store with the ID {mine})" if mine else "")
    store = f"the store {root}" + (f" (ID {its})" if its else "")
    if not _has_files(root):
        last = (
            "Where the store is lost, restore a backup into a new home."
            if knows
            else "The index knows no object: where the store's folder was made anew, or its disk was changed, "
            "`filmless rebuild` brings the two together."
        )
        return Refused(
            f"{store[0].upper()}{store[1:]} is empty, and not that of {index}: is --home right, is the address of the "
            f"database, and is the disk there? {last}",
            code="other-store",
        )
    return Refused(
        f"{store[0].upper()}{store[1:]} and {index} do not belong together: is --home right, and the address of the "
        "database? Only where that index shall be emptied and made from the files of this store: "
        "`filmless rebuild --replace-index`.",
        code="other-store",
    )


def _disk(root: Path, why: OSError) -> Unavailable:
    return Unavailable(f"The store {root} cannot be read or written: {why.strerror}.", code="store-disk")


def _name(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=True)
