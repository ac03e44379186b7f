"""Reports by their words: a full text index over what counts of each report.

Neither database's own way of cutting text into words knows Chinese. So words are cut here: each Chinese character is
one, and each run of letters and digits; written in letters that both databases leave as they are. What is looked for
are these words one behind the other; the last one, where it is in letters, may be longer.
"""

import unicodedata
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Boolean, ColumnElement, Connection, false, literal, select
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from filmless.reporting.tables import report_revisions, report_words, reports

#: words of a search
_MOST: Final = 100


def cut(text: str) -> list[str]:
    """The words of a text, as the index has them."""
    found: list[str] = []
    run = ""
    for sign in unicodedata.normalize("NFKC", text).casefold():
        if sign.isascii() and sign.isalnum():
            run += sign
            continue
        if run:
            found.append(f"w{run}")
            run = ""
        if sign.isalnum():
            found.append(f"u{ord(sign):x}")
    if run:
        found.append(f"w{run}")
    return found


def keep(connection: Connection, report: int, text: str, *, more: bool = False) -> None:
    """Write the words of a report; `more`: beside those that it has (an addendum)."""
    words = " ".join(cut(text))
    if more:
        before = connection.scalar(select(report_words.c.words).where(report_words.c.report == report))
        # of a report from before there was an index what it is an addendum to is not kept yet
        words = _words(connection, report) if before is None else f"{before} {words}".strip()
    made = insert_postgresql if connection.dialect.name == "postgresql" else insert_sqlite
    connection.execute(
        made(report_words)
        .values(report=report, words=words)
        .on_conflict_do_update(index_elements=[report_words.c.report], set_={"words": words})
    )


def missing(connection: Connection, *, limit: int) -> list[int]:
    """Reports with a text whose words are not kept."""
    query = (
        select(reports.c.id)
        .outerjoin(report_words, report_words.c.report == reports.c.id)
        .where(reports.c.revision > 0, report_words.c.report.is_(None))
        .limit(limit)
    )
    return list(connection.scalars(query))


def make(connection: Connection, found: Sequence[int]) -> None:
    """Keep the words of these, where nobody has meanwhile: whoever writes a report keeps its newest."""
    made = insert_postgresql if connection.dialect.name == "postgresql" else insert_sqlite
    for report in found:
        connection.execute(
            made(report_words)
            .values(report=report, words=_words(connection, report))
            .on_conflict_do_nothing(index_elements=[report_words.c.report])
        )


def _words(connection: Connection, report: int) -> str:
    """The words of the newest text of a report and of the addenda behind it."""
    query = (
        select(report_revisions.c.kind, report_revisions.c.text)
        .where(report_revisions.c.report == report, report_revisions.c.kind != "identity")
        .order_by(report_revisions.c.number)
    )
    text = ""
    for row in connection.execute(query):
        text = f"{text}\n{row.text}" if row.kind == "addendum" else row.text
    return " ".join(cut(text))


def found(report: ColumnElement[int], text: str) -> ColumnElement[bool]:
    """The condition that a report (its number) has these words, one behind the other."""
    words = cut(text)[:_MOST]
    if not words:
        return false()
    open_end = words[-1].startswith("w")
    # FTS5: "a b" *  -  PostgreSQL: a <-> b:*
    sqlite = f'"{" ".join(words)}"' + (" *" if open_end else "")
    postgresql = " <-> ".join(words) + (":*" if open_end else "")
    return _HasWords(report, literal(sqlite), literal(postgresql))


class _HasWords(FunctionElement[bool]):
    """(report, question of FTS5, question of PostgreSQL)."""

    type = Boolean()
    name = "has_words"
    inherit_cache = True


@compiles(_HasWords, "sqlite")
def _sqlite(element: Any, compiler: SQLCompiler, **given: Any) -> str:
    report, question, _ = list(element.clauses)
    asked = compiler.process(question, **given)
    return (
        f"{compiler.process(report, **given)} IN "
        f"(SELECT rowid FROM report_words_index WHERE report_words_index MATCH {asked})"
    )


@compiles(_HasWords, "postgresql")
def _postgresql(element: Any, compiler: SQLCompiler, **given: Any) -> str:
    report, _, question = list(element.clauses)
    asked = compiler.process(question, **given)
    return (
        f"{compiler.process(report, **given)} IN (SELECT report FROM report_words "
        f"WHERE to_tsvector('simple', words) @@ to_tsquery('simple', {asked}))"
    )
