"""Are the signed reports what was signed? Every revision is made anew from what is kept, and compared."""

import json
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from filmless.reporting import find
from filmless.reporting.canonical import digest
from filmless.reporting.find import Signature
from filmless.reporting.model import SECTIONS, Revision, whole
from filmless.reporting.signing import Keys, holds
from filmless.reporting.tables import report_revisions, reports, signatures


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a report. `what`:

    "text"       the text that is shown is not the one that was signed; `detail` names the sections
    "canonical"  the canonical form was altered: its hash is another one
    "signature"  a signature does not hold over the canonical form
    "unknown-key" a signature is by a key that is not in HOME/keys
    "unsigned"   a revision counts as released and has no signature
    "missing"    a signature is of a revision that is not there
    """

    report: int
    revision: int
    what: str
    detail: str = ""


def verify(connection: Connection, keys: Keys, *, report: int = 0) -> Iterator[Finding]:
    """Look at all reports, or one; yields what is wrong, report by report."""
    query = select(reports.c.id, reports.c.released).order_by(reports.c.id)
    if report:
        query = query.where(reports.c.id == report)
    for row in connection.execute(query).all():
        yield from _of_report(connection, keys, row.id, row.released)


def _of_report(connection: Connection, keys: Keys, report: int, released: int) -> Iterator[Finding]:
    found = {one.number: one for one in find.revisions(connection, report)}
    signed: dict[int, list[Signature]] = {}
    for one in find.signatures_of(connection, report):
        signed.setdefault(one.revision, []).append(one)
        if one.revision not in found:
            yield Finding(report, one.revision, "missing")
    for number, revision in found.items():
        yield from _of_revision(revision)
        for one in signed.get(number, []):
            why = holds(one, revision.canonical, keys)
            if why:
                yield Finding(
                    report, number, "unknown-key" if why == "unknown-key" else "signature", one.account
                )
        counts = revision.kind in ("final", "correction", "addendum") and number <= released
        if counts and number not in signed:
            yield Finding(report, number, "unsigned")
    if released and released not in found:
        yield Finding(report, released, "missing")


def _of_revision(revision: Revision) -> Iterator[Finding]:
    if digest(revision.canonical) != revision.hash:
        yield Finding(revision.report, revision.number, "canonical")
    parts = altered(revision)
    if parts:
        yield Finding(revision.report, revision.number, "text", ", ".join(parts))


def altered(revision: Revision) -> list[str]:
    """The parts of what is shown that are not what the canonical form has."""
    try:
        form = json.loads(revision.canonical)
    except ValueError:
        return ["canonical"]

    def same(one: Any, other: Any) -> bool:
        told = json.dumps(other, ensure_ascii=False, sort_keys=True)
        return json.dumps(one, ensure_ascii=False, sort_keys=True) == unicodedata.normalize("NFC", told)

    content = whole(revision.content)
    found = [name for name in SECTIONS if not same(form["text"].get(name), content[name])]
    found += [name for name in ("result", "fields") if not same(form.get(name), content[name])]
    for name in ("links", "images"):
        kept = [one.get("sop_uid", "") for one in content[name]]
        if kept != [one.get("sop_uid") for one in form.get(name, [])]:
            found.append(name)
    if form.get("kind") != revision.kind:
        found.append("kind")
    return found


def counted(connection: Connection) -> tuple[int, int]:
    """(revisions, signatures) that there are."""
    return (
        connection.scalar(select(func.count()).select_from(report_revisions)) or 0,
        connection.scalar(select(func.count()).select_from(signatures)) or 0,
    )
