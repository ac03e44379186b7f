"""Writes the next version of the schema from the difference between the tables and the versions so far.

    python scripts/new_migration.py add_device_colour "Devices have a colour"

Read and shorten what it wrote: it is a draft.
"""

import importlib
import pkgutil
import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.autogenerate.api import AutogenContext
from alembic.config import Config
from sqlalchemy import String

import filmless
from filmless.db import events, migrate
from filmless.db.engine import open_engine
from filmless.db.schema import Id, Json, Moment, metadata
from filmless.db.work import writing


def load_tables() -> None:
    """Import every tables.py, so that `metadata` is whole."""
    assert events.events.metadata is metadata
    for room in pkgutil.iter_modules(filmless.__path__):
        if (Path(filmless.__path__[0]) / room.name / "tables.py").exists():
            importlib.import_module(f"filmless.{room.name}.tables")


def _render(kind: str, item: object, _context: AutogenContext) -> str | bool:
    if kind == "type":
        if isinstance(item, Moment):
            return "Moment()"
        if item is Id:
            return "Id"
        if item is Json:
            return "Json"
        if isinstance(item, String):
            return f"words({item.length})" if item.length else "words()"
    return False


def main(name: str, message: str) -> None:
    load_tables()
    folder = tempfile.TemporaryDirectory()
    engine = open_engine(f"sqlite:///{folder.name}/index.sqlite")
    number = f"{int(max([path.name[:4] for path in _versions()], default='0')) + 1:04d}"
    with writing(engine) as connection:
        config = Config(
            attributes={
                "connection": connection,
                "metadata": metadata,
                "render_item": _render,
                # SQLite alters tables by copying them; making new ones needs no such care
                "render_as_batch": number != "0001",
            },
        )
        config.set_main_option("script_location", str(migrate.MIGRATIONS))
        config.set_main_option("path_separator", "os")
        config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
        if number != "0001":
            migrate.upgrade_with(connection, migrate.newest())
        made = command.revision(config, name, autogenerate=True, rev_id=number)
    assert made is not None and not isinstance(made, list)
    path = Path(made.path)
    source = path.read_text().replace(f'"""{name}"""', f'"""{message}."""')
    lines = [line for line in source.splitlines() if "### " not in line]
    path.write_text("\n".join(lines) + "\n")
    print(f"wrote {path}: read it, then ruff format it")


def _versions() -> list[Path]:
    return list((migrate.MIGRATIONS / "versions").glob("[0-9]*.py"))


if __name__ == "__main__":
    main(*sys.argv[1:3])
