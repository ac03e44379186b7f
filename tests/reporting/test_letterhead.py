"""The head of printed reports: written on a screen, and on paper from then on."""

from __future__ import annotations

import base64
import struct
import zlib
from pathlib import Path

from tests.access.conftest import one_database
from tests.peers import run
from tests.reporting.conftest import Room

from filmless.db.work import reading
from filmless.department.master import lists


def png(side: int = 8) -> bytes:
    """A red square."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + b"\xff\0\0" * side for _ in range(side))
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


@one_database
def test_what_stands_at_the_head_of_reports(room: Room, tmp_path: Path) -> None:
    director = room.browser("director", "CHF")
    names = {"hospital_zh": "第一医院", "hospital_en": "First Hospital", "department_zh": "影像中心"}
    # what cannot be printed would keep every report from being printed
    for broken in (b"no picture", png()[:40]):
        refused = director.put("/api/letterhead", json={**names, "logo": base64.b64encode(broken).decode()})
        assert (refused.status_code, refused.json()["code"]) == (400, "bad-logo")
    logo = base64.b64encode(png()).decode()
    assert director.put("/api/letterhead", json={**names, "logo": logo}).status_code == 204
    # another name, the same picture
    names["department_zh"] = "医学影像中心"
    assert director.put("/api/letterhead", json=names).status_code == 204
    told = director.get("/api/letterhead").json()
    assert told["logo"] == logo and told["department_zh"] == "医学影像中心"
    assert told["department_en"] == "Department of Radiology", "the setting, where nothing was written"
    page = director.get("/api/letterhead/specimen")
    assert page.status_code == 200
    (tmp_path / "specimen.pdf").write_bytes(page.content)
    words = run("pdftotext", tmp_path / "specimen.pdf", "-").output
    assert "第一医院" in words and "医学影像中心" in words
    assert " image " in run("pdfimages", "-list", tmp_path / "specimen.pdf").output
    # nobody reads it as a word of the department
    with reading(room.engine) as connection:
        assert "letterhead" not in {row.kind for row in lists.all_words(connection)}
