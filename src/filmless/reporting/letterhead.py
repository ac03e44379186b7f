"""The head of every printed report: names of hospital and department, a logo. Written on a screen and kept beside the
master data; where nothing was written, the settings count ([reporting])."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from filmless.access.acting import Acting
from filmless.access.audit.model import Kind
from filmless.department.tables import words
from filmless.kit import clock
from filmless.kit.errors import Refused
from filmless.reporting.settings import ReportingSettings

#: its row among the words of the department, which no list of words shows
_ROW: Final = {"kind": "letterhead", "code": "REPORT"}
#: bytes of a logo; it is read for every page
MOST: Final = 256 * 1024
#: how a picture begins -> suffix of its file
_BEGINNINGS: Final[Mapping[bytes, str]] = {b"\x89PNG\r\n\x1a\n": ".png", b"\xff\xd8\xff": ".jpg"}
NAMES: Final = ("hospital_zh", "hospital_en", "department_zh", "department_en")


@dataclass(frozen=True, slots=True)
class Letterhead:
    """`logo`: a PNG or JPEG picture, or nothing; `path`: a picture that the settings name instead."""

    hospital_zh: str
    hospital_en: str
    department_zh: str
    department_en: str
    logo: bytes = b""
    path: str = ""


def of(connection: Connection, settings: ReportingSettings) -> Letterhead:
    """What stands on reports now."""
    row = connection.execute(select(words).where(*_where())).one_or_none()
    if row is None:
        return Letterhead(
            settings.hospital_zh,
            settings.hospital_en,
            settings.department_zh,
            settings.department_en,
            path=settings.logo,
        )
    more = row.more
    logo = base64.b64decode(more.get("logo", ""))
    return Letterhead(
        row.name_zh or settings.hospital_zh,
        row.name_en or settings.hospital_en,
        more.get("department_zh") or settings.department_zh,
        more.get("department_en") or settings.department_en,
        logo,
        "" if logo or more.get("no_logo") else settings.logo,
    )


def suffix_of(logo: bytes) -> str:
    """Of a file that has this picture. Raises Refused (code "bad-logo") for other kinds, and for large ones."""
    if len(logo) > MOST:
        raise Refused(f"The logo has more than {MOST // 1024} KB. Take a smaller picture.", code="bad-logo")
    for begins, suffix in _BEGINNINGS.items():
        if logo.startswith(begins):
            return suffix
    raise Refused("The logo is neither a PNG nor a JPEG picture.", code="bad-logo")


def put(connection: Connection, names: Mapping[str, str], logo: bytes | None, acting: Acting) -> None:
    """Write what stands on reports from now on. `logo` None: as before; empty: none. Raises as `suffix_of`."""
    if logo:
        suffix_of(logo)
    row = connection.execute(select(words).where(*_where()).with_for_update()).one_or_none()
    before: dict[str, Any] = dict(row.more) if row is not None else {}
    more = {**before, "department_zh": names["department_zh"], "department_en": names["department_en"]}
    if logo is not None:
        more |= {"logo": base64.b64encode(logo).decode("ascii"), "no_logo": not logo}
    values = {
        "name_zh": names["hospital_zh"],
        "name_en": names["hospital_en"],
        "more": more,
        "changed_at": clock.now(),
    }
    if row is None:
        connection.execute(insert(words).values(**_ROW, **values))
    else:
        connection.execute(update(words).where(*_where()).values(**values))
    changed = [*NAMES, *(["logo"] if logo is not None else [])]
    acting.note(connection, "letterhead written", kind=Kind.CONFIG, settings={"letterhead": changed})


def _where() -> list[Any]:
    return [words.c[name] == value for name, value in _ROW.items()]
