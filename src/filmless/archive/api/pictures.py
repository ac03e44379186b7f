"""A study taken along as pictures: PNG, JPEG or MP4 files in a ZIP archive, for slides and for people without a viewer.

Pictures are not for diagnosis, and show what was burned into the images. No name of a patient is in the archive: its
files are called by modality and number.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from filmless.access.audit.model import Entry, Kind
from filmless.access.model import Action, Principal
from filmless.archive.api.deciding import Caller
from filmless.archive.api.words import PROBLEMS, Uid
from filmless.archive.query.listing import demand_one_patient
from filmless.archive.query.pictured import Pictured, pictured
from filmless.archive.web.asking import host_of, permitted
from filmless.archive.web.context import ArchiveWeb
from filmless.archive.web.pictures import NOT_TO_BE_SHOWN, Made, Pictures, Spooled, name_of
from filmless.db.work import reading
from filmless.dicom.rendering import Wish
from filmless.dicom.web.media_types import ZIP
from filmless.kit.errors import Defect, Refused
from filmless.kit.zip64 import Zip
from filmless.net.http.described import problems
from filmless.net.http.streams import FileSlice, Segment, Segments

Form = Literal["png", "jpeg", "mp4"]
_TYPES: Final[dict[str, str]] = {"png": "image/png", "jpeg": "image/jpeg", "mp4": "video/mp4"}
_ENDINGS: Final[dict[str, str]] = {"png": "png", "jpeg": "jpg", "mp4": "mp4"}
#: pictures of one archive
_MOST: Final = 10_000
_LEFT_OUT: Final = NOT_TO_BE_SHOWN | {"not-acceptable", "too-many-frames"}


def router(context: ArchiveWeb | None) -> APIRouter:
    """The route. `context` None: only to be described."""
    made = APIRouter(prefix="/studies", tags=["studies"], responses=PROBLEMS)
    pictures = Pictures(context) if context is not None else None

    @made.get(
        "/{study_uid}/pictures",
        summary="The study as pictures in a ZIP archive",
        response_class=Response,
        responses={200: {"content": {ZIP: {}}}, **problems({406: "Nothing in it can be shown like this."})},
    )
    async def study_pictures(
        request: Request,
        principal: Caller,
        study_uid: Annotated[Uid, Path(description="Study Instance UID.")],
        form: Annotated[Form, Query(description="mp4: of what moves only.")] = "png",
        series: Annotated[Uid | None, Query(description="Series Instance UID: of that series only.")] = None,
    ) -> Response:
        if context is None or pictures is None:
            raise Defect("This route has no archive.", code="no-archive")
        who = permitted(request, context, Action.EXPORT, form.upper())
        found = await asyncio.to_thread(_found, context, who, study_uid, series or "")
        jobs = _jobs(found, form)
        files = _files(pictures, jobs, form)
        # whether there is anything at all is known before the answer begins
        first = await anext(files, None)
        if first is None:
            raise Refused("Nothing in it can be shown like this.", code="not-acceptable")
        context.trail.record(
            Entry(
                Kind.EXPORT,
                principal,
                host=host_of(request, context),
                studies=(study_uid,),
                what=form.upper(),
                detail={"pictures": len(jobs), "series": series or ""},
            )
        )
        headers = {
            "Cache-Control": "private, no-store",
            "Content-Disposition": f'attachment; filename="{study_uid}-{form}.zip"',
        }
        return Segments(_archive(first, files), media_type=ZIP, headers=headers)

    return made


def _found(context: ArchiveWeb, who: Principal, study_uid: str, series_uid: str) -> list[Pictured]:
    with reading(context.engine) as connection:
        demand_one_patient(connection, who, study_uid)
        found = pictured(connection, who, study_uid, series_uid)
    if not found:
        raise Refused("There is no such study.", code="not-found")
    return [one for one in found if one.image]


def _jobs(found: Sequence[Pictured], form: Form) -> list[tuple[str, Pictured, int | None]]:
    """(name of the file without its ending, image, frame)."""
    jobs: list[tuple[str, Pictured, int | None]] = []
    folders: dict[str, str] = {}
    numbers: dict[str, int] = {}
    for one in found:
        if form == "mp4" and one.frames < 2:
            continue
        uid = one.stored.series_uid
        modality = "".join(letter for letter in one.modality if letter.isascii() and letter.isalnum()) or "OT"
        folder = folders.setdefault(uid, f"{len(folders) + 1:02d}-{modality}")
        frames: Sequence[int | None] = [None] if form == "mp4" else range(one.frames)
        for frame in frames:
            numbers[uid] = numbers.get(uid, 0) + 1
            jobs.append((f"{folder}/{numbers[uid]:04d}", one, frame))
        if len(jobs) > _MOST:
            raise Refused(
                f"These are more than {_MOST:,} pictures: take them series by series.", code="too-many"
            )
    return jobs


async def _files(
    pictures: Pictures, jobs: Sequence[tuple[str, Pictured, int | None]], form: Form
) -> AsyncIterator[tuple[str, Made]]:
    """One after the other as the client takes them; what cannot be shown is left out."""
    for name, one, frame in jobs:
        wish = Wish(_TYPES[form], frame, quality=92)
        try:
            if form == "mp4":
                made = await pictures.kept(name_of(one.stored, wish), one.stored, wish)
            else:
                made = await pictures.render(one.stored, wish)
        except Refused as error:
            if error.code in _LEFT_OUT:
                continue
            raise
        yield f"{name}.{_ENDINGS[form]}", made


async def _archive(first: tuple[str, Made], files: AsyncIterator[tuple[str, Made]]) -> AsyncIterator[Segment]:
    archive = Zip()
    one: tuple[str, Made] | None = first
    while one is not None:
        name, made = one
        content = await asyncio.to_thread(_content, made)
        yield archive.begin(name, len(content), zlib.crc32(content)) + content
        one = await anext(files, None)
    yield archive.end()


def _content(made: Made) -> bytes:
    content = made.content
    if isinstance(content, FileSlice):
        with open(content.path, "rb") as file:  # noqa: PTH123
            file.seek(content.offset)
            return file.read(content.length)
    if isinstance(content, Spooled):
        return content.file.read()
    return content
