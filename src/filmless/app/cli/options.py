"""Options that commands share."""

import functools
from collections.abc import Callable
from typing import Any

import click

from filmless.app import settings as settings_module

Command = Callable[..., Any]


def with_settings(command: Command) -> Command:
    """Adds --home and --config; the command gets the Settings as its first argument."""

    @click.option(
        "--home",
        metavar="DIR",
        help=f"Folder with the server's data [FILMLESS_HOME; default {settings_module.DEFAULT_HOME}].",
    )
    @click.option(
        "--config",
        metavar="FILE",
        help="Settings file [FILMLESS_CONFIG; default filmless.toml in the home folder].",
    )
    @functools.wraps(command)
    def wrapped(*args: Any, home: str | None, config: str | None, **kwargs: Any) -> Any:
        return command(settings_module.load(home, config), *args, **kwargs)

    return wrapped
