"""What commands print: tables that line up, and who is at the keyboard."""

import getpass
import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import click


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as their widest value."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    for row in (heads, *rows):
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def print_fields(fields: Mapping[str, str]) -> None:
    """One thing, a line for each of its fields."""
    for name, value in fields.items():
        click.echo(f"{name + ':':16} {value}".rstrip())


def print_json(value: Any) -> None:
    """Times and other things that JSON has no form for, as text."""
    click.echo(json.dumps(value, indent=2, default=str))


def moment(at: datetime | None) -> str:
    """A moment in this machine's time, to the second; "-" where there is none."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S") if at is not None else "-"


def who() -> str:
    """The machine's account of who runs the command (the one before `sudo`), kept with decisions."""
    try:
        return os.environ.get("SUDO_USER", "") or getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
