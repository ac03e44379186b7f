"""`filmless audit`: who did what. Looking is told to the trail as well."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from filmless.access.audit.model import Entry, Kind, Outcome, Record
from filmless.app.cli.acting import acting, engineer
from filmless.app.cli.options import REASON, with_settings
from filmless.app.cli.output import moment, print_json, print_table
from filmless.app.cli.progress import count_progress
from filmless.app.index import open_index
from filmless.app.settings import Settings
from filmless.kit.errors import Refused

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from filmless.access.audit.search import Asked

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
#: entries read at a time by `export`
_PAGE = 1000


class _Moment(click.ParamType[datetime]):
    """A day or a moment; without an offset, in this machine's time."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            return datetime.fromisoformat(str(value)).astimezone(UTC)
        except ValueError:
            self.fail(f"{value!r} is no moment: write 2026-01-31 or 2026-01-31T14:30.", param, ctx)


def _asked(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options by which entries are chosen; the command gets them as one Asked."""
    # the first one is at the top of the help: decorators are applied from below
    for option in reversed(
        (
            click.option("--who", default="", help="Account name or AE title."),
            click.option(
                "--patient", default="", metavar="ID", help="Patient ID, with ^^^ISSUER or without."
            ),
            click.option("--study", default="", metavar="UID", help="Study Instance UID."),
            click.option(
                "--kind",
                "kinds",
                multiple=True,
                type=click.Choice([kind.value for kind in Kind]),
                help="Repeatable.",
            ),
            click.option("--outcome", type=click.Choice(get_args(Outcome))),
            click.option("--host", default="", help="Address of the client."),
            click.option(
                "--since",
                type=_Moment(),
                metavar="MOMENT",
                help="2026-01-31 or 2026-01-31T14:30, in this machine's time.",
            ),
            click.option("--until", type=_Moment(), metavar="MOMENT", help="Not included."),
        )
    ):
        command = option(command)
    return command


def _as_asked(given: dict[str, Any]) -> "Asked":
    from filmless.access.audit.search import Asked

    return Asked(**{**given, "kinds": tuple(Kind(kind) for kind in given["kinds"])})


@click.group()
def audit() -> None:
    """The audit trail: who did what to which study; and whether anybody has changed it."""


@audit.command("list")
@_asked
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@_JSON
@with_settings
def list_(settings: Settings, limit: int, *, as_json: bool, **given: Any) -> None:
    """List entries, the newest first."""
    from filmless.access.audit.search import newest
    from filmless.db.work import reading

    asked = _as_asked(given)
    with _looking(settings, "search", asked) as engine, reading(engine) as connection:
        found = newest(connection, asked, limit=limit + 1)
    if as_json:
        print_json([plain(one) for one in found[:limit]])
        return
    if not found:
        click.echo("There is no such entry.")
        return
    print_table(
        ("NUMBER", "WHEN", "WHO", "FROM", "WHAT", "OUTCOME", "ABOUT"),
        [
            (
                str(one.seq),
                moment(one.at),
                f"{one.who_kind} {one.who}",
                one.host or "-",
                " ".join(part for part in (one.kind, one.what) if part),
                one.outcome,
                _about(one),
            )
            for one in found[:limit]
        ],
    )
    if len(found) > limit:
        click.echo(f"There are more than {limit}: --limit shows more, `filmless audit export` writes all.")


@audit.command()
@click.option(
    "--anchors",
    "elsewhere",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Anchors kept elsewhere: the collector's log, or a copy of anchors.log.",
)
@_JSON
@with_settings
def verify(settings: Settings, elsewhere: Path | None, *, as_json: bool) -> None:
    """Verify that nothing of the trail was altered or removed. Ends with exit code 1 where something was."""
    from filmless.access.audit import verify as verifying
    from filmless.app.trail import anchors_of, keys_of

    keys = keys_of(settings)
    with open_index(settings, pool_size=2) as engine:
        with count_progress("Verifying") as progress:
            report = verifying.verify(
                engine,
                keys,
                anchors_of(settings, keys),
                others=_anchors_in(elsewhere) if elsewhere is not None else (),
                progress=None if progress is None else lambda done: progress(done, 0),
            )
        words = report.findings[0].words if report.findings else ""
        with acting(settings, engine, Kind.AUDIT, "verify") as act:
            act.about(records=report.records, **({"found": words} if words else {}))
    if as_json:
        findings = [{"seq": one.seq, "words": one.words} for one in report.findings]
        print_json(
            {
                "whole": report.whole,
                "records": report.records,
                "anchors": report.anchors,
                "first": report.first,
                "last": report.last,
                "mac": report.mac,
                "findings": findings,
            }
        )
    else:
        for one in report.findings:
            click.echo(one.words)
        if report.whole:
            click.echo(
                f"{report.records:,} records and {report.anchors:,} anchors: nothing was altered or removed."
            )
        if report.last:
            click.echo(f"The last record is {report.last}, its mac {report.mac}.")
    raise SystemExit(0 if report.whole else 1)


@audit.command()
@click.argument("destination", type=click.Path(path_type=Path, allow_dash=True))
@_asked
@click.option("--xml", "as_xml", is_flag=True, help="Audit messages (PS3.15 A.5) instead of JSON.")
@with_settings
def export(settings: Settings, destination: Path, *, as_xml: bool, **given: Any) -> None:
    """Write entries to the file DESTINATION (- for the screen), the oldest first, one JSON object in each line.

    The file names patients: it is made readable by its owner only.
    """
    from filmless.access.audit.messages import Reporter, message

    asked = _as_asked(given)
    reporter = Reporter(settings.server.aet, settings.audit.site)
    count = 0
    with _looking(settings, "export", asked) as engine, _opened(destination) as write:
        for record in _all(engine, asked):
            write(message(record, reporter) if as_xml else json.dumps(plain(record), default=str).encode())
            count += 1
    if str(destination) != "-":
        click.echo(f"Wrote {count:,} entries to {destination}.")


@audit.command("new-key")
@click.option("--reason", type=REASON, required=True, help="Why; kept.")
@click.option(
    "--after-loss", is_flag=True, help="The key before is lost: what it sealed can no longer be verified."
)
@with_settings
def new_key(settings: Settings, reason: str, *, after_loss: bool) -> None:
    """Put a new key in force. The ones before stay beside it, for verification; back up HOME/keys afterwards."""
    from filmless.access.audit import chain
    from filmless.app.trail import anchors_of, keys_of
    from filmless.db.work import writing
    from filmless.kit import clock

    keys = keys_of(settings)
    with open_index(settings, pool_size=2) as engine:
        if not after_loss:
            # told under the key before, so that nobody else can have put the new one there
            with acting(settings, engine, Kind.CONFIG, "new audit key", reason) as act:
                act.about(key=keys.current.id)
        before = keys.current.id
        after = keys.new_key().id
        told = Entry(
            Kind.CONFIG,
            engineer(),
            what="new audit key in force",
            detail={"before": before, "key": after, "after_loss": after_loss},
            reason=reason,
        )
        with writing(engine) as connection:
            end = chain.append(connection, keys, [chain.Draft(clock.now(), told)], after_loss=after_loss)
        anchors_of(settings, keys).append(end)
    click.echo(f"The audit key {after} is in force. Back up {keys.folder}.")


@contextmanager
def _looking(settings: Settings, what: str, asked: "Asked") -> Iterator["Engine"]:
    """The index, for somebody who looks at the trail: told before anything is shown."""
    from filmless.app.trail import open_trail

    with open_index(settings, pool_size=2) as engine:
        with open_trail(settings, engine, "command") as trail:
            trail.record(
                Entry(
                    Kind.AUDIT,
                    engineer(),
                    patients=(asked.patient,) if asked.patient else (),
                    what=what,
                    query=asked.words,
                )
            )
            trail.flush()
        yield engine


def _all(engine: "Engine", asked: "Asked") -> Iterator[Record]:
    """Every entry, the oldest first, page by page."""
    from filmless.access.audit.search import after
    from filmless.db.work import reading

    last = 0
    while True:
        with reading(engine) as connection:
            found = after(connection, last, _PAGE, asked)
        yield from found
        if len(found) < _PAGE:
            return
        last = found[-1].seq


@contextmanager
def _opened(destination: Path) -> Iterator[Callable[[bytes], None]]:
    """Writes lines to a new file, or to the screen."""
    if str(destination) == "-":
        yield lambda line: click.echo(line)
        return
    try:
        file = destination.expanduser().open("xb")
    except FileExistsError:
        raise Refused(f"{destination} is there already.", code="exists") from None
    with file:
        destination.expanduser().chmod(0o600)
        yield lambda line: print_line(file, line)


def print_line(file: Any, line: bytes) -> None:
    file.write(line + b"\n")


def _anchors_in(file: Path) -> list[Any]:
    """The anchors in a log of any form: lines of anchors.log, or syslog messages that end with one."""
    from filmless.access.audit.anchors import parse_line

    found = []
    for line in file.read_text("utf-8", "replace").splitlines():
        anchor = parse_line(" ".join(line.replace("\ufeff", " ").split()[-5:]))
        if anchor is not None:
            found.append(anchor)
    if not found:
        raise Refused(f"{file} has no anchors.", code="no-anchors")
    return found


def plain(record: Record) -> dict[str, Any]:
    """An entry as JSON has it."""
    return {
        "seq": record.seq,
        "at": record.at.isoformat(),
        "kind": record.kind,
        "outcome": record.outcome,
        "who_kind": record.who_kind,
        "who": record.who,
        "host": record.host,
        **record.body,
    }


def _about(record: Record) -> str:
    """The study or patient, or what else it is about, short enough for a table."""
    about = [*record.studies[:1], *record.patients[:1]] or [record.query, record.reason]
    more = len(record.studies) - 1
    return " ".join(part for part in (*about, f"(+{more})" if more > 0 else "") if part)[:120] or "-"
