"""The command line. Each command's module is loaded when it is called, so that `filmless --help` answers at once.

A command takes the server's home through `options.with_settings`. Errors of the four families (kit/errors.py)
come out as one plain sentence with an exit code; anything else is a defect and shows its traceback.
"""

import importlib
import os
import sys
from typing import Any

import click

from filmless.kit.errors import Conflict, Defect, FilmlessError, Refused, Unavailable

#: name -> (module of filmless.app.cli, what it does)
COMMANDS: dict[str, tuple[str, str]] = {
    "serve": ("serve", "Run the server."),
    "settings": ("serve", "Show the settings in force and where they come from."),
    "associations": ("serve", "DICOM connections of the running server: list, show, abort."),
    "devices": ("devices", "Devices that may talk to us: list, show, add, change, remove, check, history."),
    "users": ("users", "Who may sign in, and as what: list, show, add, change, grant, password, unlock, ..."),
    "tokens": ("tokens", "API tokens of programs: list, add, revoke."),
    "access": ("access", "To whom studies belong, who cares for whom: show, assign, care, emergencies, ..."),
    "shares": ("shares", "Studies open to others for a time: link, list, revoke, with, stop."),
    "echo": ("peers", "Ask a device whether it answers (C-ECHO)."),
    "send": ("peers", "Send studies, or files, to a device."),
    "find": ("peers", "Ask a device what it has (C-FIND)."),
    "get": ("peers", "Bring studies here from a device (C-GET)."),
    "move": ("peers", "Have a device send studies to another one (C-MOVE)."),
    "jobs": ("jobs", "Background work: list, show, cancel, resume."),
    "demonstrate": ("demonstrate", "Make a hospital with a day's work in it, for trials."),
    "simulate": ("simulate", "Devices and patients that are none, for training: modality, hospital."),
    "import": ("media", "Take in files, folders, ZIP archives and media with a DICOMDIR."),
    "export": ("media", "Write studies to a folder or ZIP with a DICOMDIR."),
    "quarantine": ("archive", "Objects that were set aside: list, show, accept, discard."),
    "reject": ("archive", "Take images out of use, with a reason: add, list, show, revoke."),
    "flags": ("flags", "Doubts about identity, for a steward; values taken leniently: list, settle, show."),
    "search-keys": (
        "search_keys",
        "Attributes that searches find besides the usual ones: add, list, remove.",
    ),
    "correct": ("correct", "Put headers right, and back: patient, study, series, instance, list, undo."),
    "audit": ("audit", "Who did what, and whether the trail is whole: list, verify, export, new-key."),
    "alarms": ("alarms", "What needs those in charge, and telling them by mail and webhook: list, test."),
    "reports": ("reports", "Signed reports: verify that they are what was signed."),
    "purge": ("upkeep", "Delete for good what was rejected, replaced or discarded long ago."),
    "check": ("upkeep", "Compare the index with the files, both ways."),
    "rebuild": ("upkeep", "Make the whole index again from the files."),
    "backup": ("backup", "Copy everything to another folder, while the server runs."),
    "restore": ("backup", "Bring a backup into an empty home folder."),
}

#: exit codes; 1 is a defect with its traceback, 2 also click's own for wrong usage, 130 stopped by Ctrl-C
EXIT_CODES: dict[type[FilmlessError], int] = {Refused: 2, Conflict: 3, Unavailable: 4, Defect: 70}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"filmless.app.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(
            module, "import_" if cmd_name == "import" else cmd_name.replace("-", "_")
        )
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("\nStopped.", err=True)
            sys.exit(130)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in COMMANDS.items()])


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(package_name="filmless", message="%(prog)s %(version)s")
def filmless() -> None:
    """Filmless: a hospital's imaging archive.

    `filmless COMMAND --help` tells more of each command.
    """


def main(arguments: list[str] | None = None) -> Any:
    """Entry point; ends the process with the exit code."""
    try:
        filmless.main(args=arguments, prog_name="filmless")
    except FilmlessError as why:
        click.echo(f"filmless: {why.message}", err=True)
        sys.exit(next(code for family, code in EXIT_CODES.items() if isinstance(why, family)))
    except BrokenPipeError:
        # the reader of our output went away (`filmless ... | head`): nothing more to say, not even at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as why:
        where = f"{why.filename}: " if why.filename else ""
        click.echo(f"filmless: {where}{why.strerror or why}.", err=True)
        sys.exit(EXIT_CODES[Unavailable])
    except Exception as why:
        words = _of_database(why)
        if words is None:
            raise
        click.echo(f"filmless: {words}", err=True)
        sys.exit(EXIT_CODES[Unavailable])


def _of_database(error: Exception) -> str | None:
    """Words for a database that does not answer or is damaged; None for what is a defect of ours."""
    # one that was never loaded cannot have raised it
    exc = sys.modules.get("sqlalchemy.exc")
    if exc is None or not isinstance(error, exc.DBAPIError):
        return None
    said = str(error.orig).strip().splitlines()[0]
    if isinstance(error, exc.OperationalError):
        return f"The database does not answer: {said}."
    if type(error) is exc.DatabaseError:
        return (
            f"The database is damaged: {said}. Restore a backup, or move index.sqlite away "
            "and make it again from the files with `filmless rebuild`."
        )
    return None
