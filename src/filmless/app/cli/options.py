"""Options that commands share."""

import functools
from collections.abc import Callable
from typing import Any

import click

from filmless.app import settings as settings_module

Command = Callable[..., Any]

#: how many of a list are printed
LIMIT = click.IntRange(1, 1_000_000)
#: the number of a row; what no database could count is refused in words
NUMBER = click.IntRange(1, 2**63 - 1)


class _Reason(click.ParamType[str]):
    """What is kept with a decision: not empty."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not str(value).strip():
            self.fail("say why, in words: it is kept.", param, ctx)
        return str(value)


REASON = _Reason()


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
