"""Brings a database to the schema of this program: Alembic's versions in db/migrations, shipped with it.

Versions are numbered 0001, 0002, ... in one line. A start with nothing to do reads one row and does not
load Alembic. `scripts/new_migration.py` writes the next version from the tables.
"""

import logging
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from filmless.db.work import reading, writing
from filmless.kit.errors import Refused, Unavailable

log = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).parent / "migrations"
#: one program at a time brings a PostgreSQL database up to date
_LOCK = 0x46494C4E


def newest() -> str:
    """The version that this program needs."""
    return max(path.name[:4] for path in (MIGRATIONS / "versions").glob("[0-9][0-9][0-9][0-9]_*.py"))


def current(engine: Engine) -> str:
    """The version of the database; "" where Filmless has never made its tables.

    Raises:
        Unavailable: the database holds tables of ours but does not say which version they are.
    """
    with reading(engine) as connection:
        return _current(connection)


def _current(connection: Connection) -> str:
    inspector = inspect(connection)
    if inspector.has_table("alembic_version"):
        return connection.scalar(text("SELECT max(version_num) FROM alembic_version")) or ""
    if inspector.has_table("studies"):
        raise Unavailable(
            "The database has tables of Filmless but does not say their version: an upgrade was cut off, or "
            "they were made by hand. Restore the last backup, or start with an empty database and run "
            "`filmless rebuild`.",
            code="schema-unknown",
        )
    return ""


def upgrade(engine: Engine) -> bool:
    """Bring the database to `newest()` in one transaction; True when there was something to do.

    Safe to call from several processes at once. A crash leaves the old schema or the new one.

    Raises:
        Refused: the database was made by a newer program; nothing is changed.
    """
    if _up_to_date(current(engine)):
        return False
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        before = _current(connection)
        if _up_to_date(before):
            return False
        upgrade_with(connection, newest())
    log.info("database schema brought from version %s to %s", before or "nothing", newest())
    return True


def _up_to_date(version: str) -> bool:
    if version > newest():
        raise Refused(
            f"This database has schema version {version}, but this Filmless knows versions up to "
            f"{newest()} only: it was last used by a newer Filmless. Install that version again, or restore "
            "a backup made before the upgrade.",
            code="schema-newer",
        )
    return version == newest()


def upgrade_with(connection: Connection, version: str) -> None:
    """Run the versions up to and including `version` in the caller's transaction."""
    # imported here: a start with nothing to do keeps Alembic out of memory
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    command.upgrade(config, version)
