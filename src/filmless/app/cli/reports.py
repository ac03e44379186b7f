"""`filmless reports`: whether signed reports are still what was signed."""

import sys

import click

from filmless.app.cli.options import NUMBER, with_settings
from filmless.app.cli.output import print_json, print_table
from filmless.app.index import open_index
from filmless.app.settings import Settings
from filmless.db.work import reading

_WORDS = {
    "text": "its text was altered after it was written",
    "canonical": "what was signed was altered",
    "signature": "a signature does not hold",
    "unknown-key": "a signature is by a key that is not in HOME/keys",
    "unsigned": "it counts as signed, and there is no signature",
    "missing": "a revision is gone",
}


@click.group()
def reports() -> None:
    """Reports of the department."""


@reports.command()
@click.argument("report", type=NUMBER, required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_settings
def verify(settings: Settings, report: int | None, *, as_json: bool) -> None:
    """Check the signatures of all reports, or of one, against what the database says today.

    Names each report and revision that was altered; exit code 3 then. REPORT is the number that it is named by there,
    and in the address of its page.
    """
    from filmless.reporting.find import get
    from filmless.reporting.signing import Keys
    from filmless.reporting.verify import counted
    from filmless.reporting.verify import verify as verified

    with open_index(settings) as engine, reading(engine) as connection:
        if report:
            get(connection, report)
        found = list(verified(connection, Keys(settings.home / "keys"), report=report or 0))
        revisions, signatures = counted(connection)
    if as_json:
        print_json(
            {
                "revisions": revisions,
                "signatures": signatures,
                "findings": [
                    {"report": one.report, "revision": one.revision, "what": one.what, "detail": one.detail}
                    for one in found
                ],
            }
        )
    elif found:
        print_table(
            ("REPORT", "REVISION", "WHAT", ""),
            [(str(one.report), str(one.revision), _WORDS[one.what], one.detail) for one in found],
        )
    else:
        click.echo(f"{revisions} revisions and {signatures} signatures: nothing was altered.")
    if found:
        sys.exit(3)
