"""Objects that are documents, rendered (PS3.18 8.7.4, category Text): reports as HTML or text, PDF as it was put in."""

import asyncio
import html
from collections.abc import Iterable

from starlette.responses import Response

from filmless.archive.leaving import Leaving, leaving
from filmless.archive.query.instances import StoredInstance
from filmless.archive.web.asking import CACHE
from filmless.archive.web.context import ArchiveWeb
from filmless.dicom import uids
from filmless.dicom.content_tree import Line, lines, readable
from filmless.dicom.header import Header, text
from filmless.dicom.rewrite import inflate
from filmless.dicom.scan import scan
from filmless.dicom.sopclasses import KEY_OBJECT_SELECTION, STORAGE
from filmless.kit.errors import Refused
from filmless.net.http.streams import FileSlice, Segment, Segments

_PDF = "1.2.840.10008.5.1.4.1.1.104.1"
_REPORT_ARC = "1.2.840.10008.5.1.4.1.1.88."

#: SOP class -> the media types that it can be rendered to, the default first
DOCUMENTS: dict[str, tuple[str, ...]] = {
    _PDF: ("application/pdf",),
    **{uid: ("text/html", "text/plain") for uid in STORAGE if uid.startswith(_REPORT_ARC)},
    KEY_OBJECT_SELECTION: ("text/html", "text/plain"),
}
#: a larger report is not made into a page; bytes
_LARGEST = 32 << 20
_DOCUMENT, _DOCUMENT_LENGTH = 0x00420011, 0x00420015
_PATIENT_NAME, _PATIENT_ID, _STUDY_DATE = 0x00100010, 0x00100020, 0x00080020
_COMPLETION, _VERIFICATION = 0x0040A491, 0x0040A493


async def document(context: ArchiveWeb, stored: StoredInstance, media_type: str) -> Response:
    """The document of an object of DOCUMENTS. Raises Refused (code "not-acceptable") where it holds none."""
    headers = {"Cache-Control": CACHE, "Vary": "Accept"}
    if media_type == "application/pdf":
        segment = await asyncio.to_thread(_encapsulated, context, stored)
        length = segment.length if isinstance(segment, FileSlice) else len(segment)
        return Segments([segment], length=length, media_type=media_type, headers=headers)
    page = await asyncio.to_thread(_report, context, stored, media_type)
    return Response(
        page.encode("utf-8", "replace"), headers=headers, media_type=f"{media_type}; charset=utf-8"
    )


def _whole(out: Leaving) -> bytes:
    """The data set as it leaves. Raises Refused where it is too large for a page."""
    if out.size > _LARGEST:
        raise Refused("This report is too large to be rendered.", code="not-acceptable")
    data = b"".join(out.chunks())
    return inflate(data, _LARGEST) if uids.transfer_syntax(out.transfer_syntax).deflated else data


def _scan(data: bytes, syntax: str) -> Header:
    return scan(data, uids.EXPLICIT_VR_LE if uids.transfer_syntax(syntax).deflated else syntax, None)


def _encapsulated(context: ArchiveWeb, stored: StoredInstance) -> Segment:
    """Encapsulated Document (0042,0011), without the byte that makes it even."""
    out = leaving(stored, context.store)
    wanted = frozenset({_DOCUMENT, _DOCUMENT_LENGTH})
    if out.head or uids.transfer_syntax(out.transfer_syntax).deflated:
        data = _whole(out)
        header, origin = _scan(data, out.transfer_syntax), None
    else:
        data, header, origin = b"", out.header(wanted), out
    declared = text(header, _DOCUMENT_LENGTH)
    longest = int(declared) if declared.isdigit() and int(declared) else 1 << 62
    if _DOCUMENT in header.values:
        return header.values[_DOCUMENT][1][:longest]
    if _DOCUMENT not in header.large:
        raise Refused("This object holds no document.", code="not-acceptable")
    _, start, length = header.large[_DOCUMENT]
    length = min(length, longest)
    if origin is None:
        return data[start : start + length]
    return FileSlice(origin.path, origin.offset + start, length)


def _report(context: ArchiveWeb, stored: StoredInstance, media_type: str) -> str:
    out = leaving(stored, context.store)
    header = _scan(_whole(out), out.transfer_syntax)
    name = readable(text(header, _PATIENT_NAME, stored.character_set))
    patient = text(header, _PATIENT_ID, stored.character_set)
    about = [name, patient, text(header, _STUDY_DATE), text(header, _COMPLETION), text(header, _VERIFICATION)]
    found = list(lines(header, stored.character_set))
    return (_html if media_type == "text/html" else _plain)([part for part in about if part], found)


def _html(about: list[str], found: Iterable[Line]) -> str:
    """A page without anything that runs; every value is escaped."""
    body = [f"<p>{html.escape(' · '.join(about))}</p>"]
    title = ""
    for line in found:
        name, value = html.escape(line.name), html.escape(line.value).replace("\n", "<br>")
        if line.heading:
            level = min(line.depth + 1, 6)
            title = title or name
            body.append(f"<h{level}>{name}</h{level}>")
        else:
            said = f"<b>{name}:</b> {value}" if name else value
            body.append(f'<p style="margin-left:{min(line.depth, 20)}em">{said}</p>')
    return (
        f'<!doctype html>\n<html><head><meta charset="utf-8"><title>{title or "Report"}</title></head>\n<body>\n'
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _plain(about: list[str], found: Iterable[Line]) -> str:
    out = [" · ".join(about), ""]
    for line in found:
        indent = "  " * line.depth
        said = f"{line.name}: {line.value}" if line.name and line.value else line.name or line.value
        out.append(indent + said.replace("\n", "\n" + indent))
    return "\n".join(out) + "\n"
