"""Statistics over HTTP: figures, the exams behind each, and both as files."""

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Final, Literal, TypeVar

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, Connection, select
from starlette.responses import Response

from filmless.access.audit.model import Entry, Kind
from filmless.access.model import Action, Principal, permit
from filmless.archive.api.deciding import DECIDING, Caller, Desk
from filmless.archive.web.context import ArchiveWeb
from filmless.db.work import reading
from filmless.department import visibility
from filmless.department.states import WORDS, State
from filmless.department.tables import places, stations, words
from filmless.insight import export, service
from filmless.insight.model import BY_CODE, GROUPS, INDICATORS, Base, Case, Figure, moment_of
from filmless.net.http.origin import client_host

T = TypeVar("T")
Word = Annotated[str, Field(max_length=64)]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FiguresIn(_Closed):
    """Which figures, of which days."""

    begin: date = Field(description="First day.")
    end: date = Field(description="Last day, included.")
    indicators: list[Word] = Field(min_length=1, max_length=40)
    group: Word = Field("", description="By what figures are told apart; empty: all together.")
    filters: dict[Word, list[Word]] = Field(default_factory=dict, max_length=20)


class FigureWords(BaseModel):
    value: float | None = Field(
        description="Seconds of a median, a share from 0 to 1, a number; null: of nothing."
    )
    of: int
    part: int | None
    p90: float | None


class LineWords(BaseModel):
    key: str
    name_zh: str
    name_en: str
    figures: dict[str, FigureWords]


class FiguresOut(BaseModel):
    rows: list[LineWords]
    total: LineWords
    cut: bool = Field(description="There were more rows than are given.")


class IndicatorWords(BaseModel):
    code: str
    number: int
    kind: Literal["count", "persons", "sum", "ratio", "spread"]
    base: Base


class Catalogue(BaseModel):
    indicators: list[IndicatorWords]
    groups: list[str]


class BehindIn(FiguresIn):
    """Which number: the exams behind it are wanted."""

    indicator: Word
    key: Word | None = Field(None, description="The row; null for the total.")
    which: Literal["of", "part"] = "of"
    limit: int = Field(200, ge=1, le=1000)
    after: int = Field(0, ge=0, description="So many are passed over.")


class BehindExam(BaseModel):
    exam: int
    number: str
    state: str
    state_zh: str
    state_en: str
    modality: str
    procedure_zh: str
    procedure_en: str
    station: str
    at: datetime | None
    author: str
    reviewer: str


class Behind(BaseModel):
    exams: list[BehindExam]
    count: int


class FileIn(FiguresIn):
    format: Literal["csv", "xlsx"]
    language: Literal["zh", "en"] = "zh"


_TYPES: Final = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def router(context: ArchiveWeb | None) -> APIRouter:
    """The routes. `context` None: only to be described."""
    made = APIRouter(prefix="/statistics", responses=DECIDING)
    desk = _Figures(context)

    @made.get("", summary="What figures there are")
    async def list_figures(principal: Caller) -> Catalogue:
        permit(principal, Action.STATISTICS)
        return Catalogue(
            indicators=[
                IndicatorWords(code=one.code, number=one.number, kind=one.kind, base=one.base)
                for one in INDICATORS
            ],
            groups=list(GROUPS),
        )

    @made.post("", summary="Figures of a period")
    async def show_figures(principal: Caller, body: FiguresIn) -> FiguresOut:
        def work(connection: Connection, seen: ColumnElement[bool]) -> FiguresOut:
            found = service.answer(connection, _question(body), seen)
            named = _names(connection, body.group)
            return FiguresOut(
                rows=[_line(row, named) for row in found.rows], total=_line(found.total, {}), cut=found.cut
            )

        return await desk.read(principal, work)

    @made.post("/exams", summary="The exams behind one number")
    async def show_exams_behind(request: Request, principal: Caller, body: BehindIn) -> Behind:
        def work(connection: Connection, seen: ColumnElement[bool]) -> Behind:
            found = service.behind(connection, _question(body), body.indicator, body.key, body.which, seen)
            base = BY_CODE[body.indicator].base
            shown = found[body.after : body.after + body.limit]
            return Behind(exams=[_behind(case, base) for case in shown], count=len(found))

        answer = await desk.read(principal, work)
        desk.note(principal, request, Kind.SEARCH, f"statistics: {body.indicator}")
        return answer

    @made.post("/file", response_class=Response, summary="Figures as a spreadsheet")
    async def save_figures(request: Request, principal: Caller, body: FileIn) -> Response:
        def work(connection: Connection, seen: ColumnElement[bool]) -> bytes:
            found = service.answer(connection, _question(body), seen)
            named = _names(connection, body.group)
            lines = [_line(row, named) for row in found.rows] + [_line(found.total, {})]
            return _file(body, lines)

        made_file = await desk.read(principal, work)
        desk.note(principal, request, Kind.EXPORT, f"statistics: {body.format}")
        name = f"filmless-{body.begin}-{body.end}.{body.format}"
        return Response(
            made_file,
            media_type=_TYPES[body.format],
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    return made


class _Figures(Desk):
    async def read(self, principal: Principal, work: Callable[[Connection, ColumnElement[bool]], T]) -> T:
        """In a thread: a year of a hospital takes seconds."""
        who = permit(principal, Action.STATISTICS)

        def run() -> T:
            with reading(self.context.engine) as connection:
                return work(connection, visibility.seen(who, Action.STATISTICS))

        return await asyncio.to_thread(run)

    def note(self, principal: Principal, request: Request, kind: Kind, what: str) -> None:
        host = client_host(request, self.context.http)
        self.context.trail.record(Entry(kind, principal, host=host, what=what))


def _question(body: FiguresIn) -> service.Question:
    # days are those of the server's place
    begin = datetime.combine(body.begin, time()).astimezone().astimezone(UTC)
    end = datetime.combine(body.end + timedelta(days=1), time()).astimezone().astimezone(UTC)
    return service.Question(begin, end, tuple(dict.fromkeys(body.indicators)), body.group, body.filters)


#: group -> the kind of words that its values are
_REASONS = {"cancel-reason": "reason-cancel", "reject-reason": "reason-reject"}


def _names(connection: Connection, group: str) -> dict[str, tuple[str, str]]:
    """Code -> (Chinese, English) for groups whose names are master data."""
    if group == "station":
        rows = connection.execute(select(stations.c.code, stations.c.name_zh, stations.c.name_en))
    elif group in ("site", "department", "source"):
        kind = "site" if group == "site" else "department"
        rows = connection.execute(
            select(places.c.code, places.c.name_zh, places.c.name_en).where(places.c.kind == kind)
        )
    elif group in _REASONS:
        rows = connection.execute(
            select(words.c.code, words.c.name_zh, words.c.name_en).where(words.c.kind == _REASONS[group])
        )
    else:
        return {}
    return {code: (zh, en) for code, zh, en in rows}


def _line(line: service.Line, named: dict[str, tuple[str, str]]) -> LineWords:
    chinese, english = named.get(line.key, line.words)
    return LineWords(
        key=line.key,
        name_zh=chinese or line.key,
        name_en=english or line.key,
        figures={code: _figure(one) for code, one in line.figures.items()},
    )


def _figure(one: Figure) -> FigureWords:
    return FigureWords(value=one.value, of=one.of, part=one.part, p90=one.p90)


def _behind(case: Case, base: Base) -> BehindExam:
    english, chinese, _ = WORDS[State(case.state)]
    return BehindExam(
        exam=case.exam,
        number=case.number,
        state=case.state,
        state_zh=chinese,
        state_en=english,
        modality=case.modality,
        procedure_zh=case.procedure_zh,
        procedure_en=case.procedure_en,
        station=case.station,
        at=moment_of(case, base) or case.arrived_at,
        author=case.author,
        reviewer=case.reviewer,
    )


def _file(body: FileIn, lines: list[LineWords]) -> bytes:
    header, columns = [body.group or "-"], []
    for code in body.indicators:
        kind = BY_CODE[code].kind
        extra = {"ratio": ("part", "of"), "spread": ("p90", "of")}.get(kind, ())
        header += [code, *(f"{code} {word}" for word in extra)]
        columns.append((code, extra))
    rows: list[list[Any]] = []
    for line in lines:
        name = line.name_zh if body.language == "zh" else line.name_en
        total = "合计" if body.language == "zh" else "total"
        row: list[Any] = [name or (total if line is lines[-1] else "-")]
        for code, extra in columns:
            found = line.figures[code]
            row += [found.value, *(getattr(found, word) for word in extra)]
        rows.append(row)
    if body.format == "csv":
        return export.as_csv(header, rows)
    return export.as_xlsx(f"{body.begin} {body.end}", header, rows)
