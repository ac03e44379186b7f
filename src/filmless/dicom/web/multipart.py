"""Multipart messages as DICOMweb uses them (PS3.18 8.7.3; RFC 2387, RFC 2046 5.1), without I/O.

The parser is fed a body in chunks of any size and gives back parts as they come: their headers, their data piece by
piece, their end. It keeps no part: what it holds is bounded by the longest header and one chunk.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from filmless.kit.errors import Refused
from filmless.kit.ids import new_version_key

#: RFC 2046 5.1.1, leniently: it has at most 70 characters, of few kinds, and no space at the end. Orthanc sends 73
_BOUNDARY = re.compile(r"[\x20-\x7e]{0,199}[\x21-\x7e]")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
#: one parameter: a token, "=", a quoted string or whatever comes before the next ";" (`type=application/dicom` without
#: the quotes that "/" asks for is common)
#: possessive: its time is linear in what a caller sends
_PARAMETER = re.compile(r"""\s*+([^=;\s"]++)\s*+=\s*+("(?:[^"\\]|\\.)*+"|[^;"]*+)\s*+(?:;|\Z)|\s*+(?:;|\Z)""")

#: white space that may stand between a boundary and its line end (RFC 2046 5.1.1, transport-padding)
_PADDING = 128


@dataclass(frozen=True, slots=True)
class Part:
    """A part begins. `headers` by their names in lower case, without the space around their values."""

    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Data:
    """A piece of the part that has begun, never empty. Stays valid: no buffer is used again."""

    content: memoryview


@dataclass(frozen=True, slots=True)
class End:
    """The part that has begun is complete."""


Event = Part | Data | End


def malformed(message: str) -> Refused:
    """A body that is no multipart message (code "multipart")."""
    return Refused(message, code="multipart")


def parse_content_type(value: str) -> tuple[str, dict[str, str]]:
    """(media type in lower case, parameters by their names in lower case) of a Content-Type (RFC 9110 8.3.1).

    Quotes are taken off. Values of parameters may be unquoted where the grammar asks for quotes. Of a parameter that
    is given twice the first counts. Raises Refused (code "content-type").
    """
    media_type, _, rest = value.partition(";")
    media_type = media_type.strip().lower()
    kind, slash, subtype = media_type.partition("/")
    if not slash or not _TOKEN.fullmatch(kind) or not _TOKEN.fullmatch(subtype):
        raise Refused("The Content-Type is not a media type.", code="content-type")
    parameters: dict[str, str] = {}
    at = 0
    while at < len(rest):
        found = _PARAMETER.match(rest, at)
        if found is None:
            raise Refused("The parameters of the Content-Type cannot be read.", code="content-type")
        at = found.end()
        name, text = found.group(1), found.group(2)
        if name is None:
            continue
        text = re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text.strip()
        parameters.setdefault(name.lower(), text)
    return media_type, parameters


def boundary_of(parameters: Mapping[str, str]) -> bytes:
    """The boundary among the parameters of a multipart Content-Type. Raises Refused (code "content-type")."""
    boundary = parameters.get("boundary", "")
    if not _BOUNDARY.fullmatch(boundary):
        raise Refused(
            "A multipart body needs a boundary parameter of 1 to 200 characters in its Content-Type.",
            code="content-type",
        )
    return boundary.encode("ascii")


class MultipartParser:
    """Reads one multipart body. Any cut of the body into chunks gives the same parts.

    Where the line of the first delimiter ends with CRLF, a delimiter begins with CRLF, and a bare LF in front of the
    boundary is data; where it ends with a bare LF, as some senders write, delimiters begin with LF. A line that only
    begins with the delimiter is data.
    """

    def __init__(
        self,
        boundary: bytes,
        *,
        max_parts: int = 100_000,
        max_header: int = 16 << 10,
        max_preamble: int = 64 << 10,
    ) -> None:
        """`max_header`: bytes of one part's headers; `max_preamble`: bytes before the first part."""
        self._dashed = b"--" + boundary
        self._max_parts, self._max_header, self._max_preamble = max_parts, max_header, max_preamble
        self._state: Literal["preamble", "headers", "body", "epilogue"] = "preamble"
        self._newline = b"\r\n"
        self._delimiter = b""
        self._data = b""
        #: read so far, in `_data`
        self._at = 0
        #: bytes of the line end behind the headers, which belong to the delimiter where one follows at once
        self._pending = 0
        self._dropped = 0
        self._lines: list[bytes] = []
        self._header_size = 0
        self.parts = 0

    @property
    def ended(self) -> bool:
        """The closing delimiter was seen; what follows is ignored (RFC 2046: epilogue)."""
        return self._state == "epilogue"

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """What this chunk brings. Exhaust it before the next chunk. Raises Refused ("multipart", "too-large")."""
        if self._state == "epilogue":
            return
        self._data = self._data[self._at :] + chunk if self._at < len(self._data) else bytes(chunk)
        self._at = 0
        going = True
        while going:
            if self._state == "preamble":
                going = self._preamble()
            elif self._state == "headers":
                part = self._headers()
                going = part is not None
                if part is not None:
                    yield part
            elif self._state == "body":
                piece, ended = self._body()
                if piece:
                    yield Data(piece)
                if ended:
                    yield End()
                going = ended
            else:
                self._data, self._at, going = b"", 0, False

    def finish(self) -> None:
        """The body has ended. Raises Refused (code "multipart") where it was cut short."""
        if self._state == "preamble":
            raise malformed("The body does not contain the boundary of its Content-Type.")
        if self._state != "epilogue":
            raise malformed("The body ends before its closing boundary: it was cut short.")

    def _line_end(self, at: int, newline: bytes | None) -> tuple[str, int]:
        """What follows a boundary that ends at `at`: ("more", 0), ("no", 0), ("close", behind), ("next", behind)."""
        data = self._data
        after = data[at : at + _PADDING + 2]
        if after.startswith(b"--"):
            return "close", at + 2
        padding = len(after) - len(after.lstrip(b" \t"))
        rest = after[padding:]
        for ending in (b"\r\n", b"\n") if newline != b"\r\n" else (b"\r\n",):
            if rest.startswith(ending):
                return "next", at + padding + len(ending)
        undecided = rest in (b"", b"\r") or (rest == b"-" and not padding)
        return ("more" if undecided and padding <= _PADDING else "no"), 0

    def _preamble(self) -> bool:
        at = self._at
        while True:
            found = self._data.find(self._dashed, at)
            if found < 0:
                break
            first = found == 0 and self._dropped == 0
            if first or self._data[found - 1 : found] == b"\n":
                verdict, behind = self._line_end(found + len(self._dashed), None)
                if verdict == "more":
                    self._drop(max(0, found - 1))
                    return False
                if verdict != "no":
                    if self._dropped + found > self._max_preamble:
                        break
                    if self._data[behind - 2 : behind] != b"\r\n":
                        self._newline = b"\n"
                    self._delimiter = self._newline + self._dashed
                    self._begin(verdict, behind)
                    return True
            at = found + 1
        self._drop(max(0, found, len(self._data) - len(self._dashed)))
        return False

    def _drop(self, upto: int) -> None:
        # the byte before what is kept stays, so that the beginning of a line is known
        self._dropped += upto
        self._at = upto
        if self._dropped > self._max_preamble:
            raise malformed("The body does not begin with the boundary of its Content-Type.")

    def _begin(self, verdict: str, behind: int) -> None:
        self._at = behind
        if verdict == "close":
            self._state = "epilogue"
            return
        self.parts += 1
        if self.parts > self._max_parts:
            raise Refused(f"The body has more than {self._max_parts} parts.", code="too-large")
        self._state, self._lines, self._header_size = "headers", [], 0

    def _headers(self) -> Part | None:
        while True:
            end = self._data.find(b"\n", self._at)
            size = (end if end >= 0 else len(self._data)) - self._at
            if self._header_size + size > self._max_header:
                raise malformed(f"A part's headers are longer than {self._max_header} bytes.")
            if end < 0:
                return None
            line = self._data[self._at : end]
            carriage_return = line.endswith(b"\r")
            line = line[:-1] if carriage_return else line
            if not line:
                # not read yet: a delimiter may follow at once, with this as its line end
                self._pending = 1 + carriage_return
                self._state = "body"
                return Part(_fields(self._lines))
            self._header_size += end + 1 - self._at
            self._at = end + 1
            self._lines.append(line)

    def _body(self) -> tuple[memoryview | None, bool]:
        """(the next piece of the part, whether the part ends with it)."""
        at = self._at
        while True:
            found = self._data.find(self._delimiter, at)
            if found < 0:
                # the last bytes may be the beginning of a delimiter
                return self._piece(max(self._at, len(self._data) - len(self._delimiter) + 1)), False
            verdict, behind = self._line_end(found + len(self._delimiter), self._newline)
            if verdict == "more":
                return self._piece(found), False
            if verdict != "no":
                piece = self._piece(found)
                self._pending = 0
                self._begin(verdict, behind)
                return piece, True
            at = found + 1

    def _piece(self, upto: int) -> memoryview | None:
        start = self._at
        skipped = min(self._pending, upto - start)
        start += skipped
        self._pending -= skipped
        self._at = upto
        return memoryview(self._data)[start:upto] if upto > start else None


def _fields(lines: list[bytes]) -> dict[str, str]:
    """Header fields of a part. Folded lines are joined (RFC 5322 2.2.3)."""
    joined: list[bytes] = []
    for line in lines:
        if line[:1] in (b" ", b"\t") and joined:
            joined[-1] += b" " + line.strip()
        else:
            joined.append(line)
    fields: dict[str, str] = {}
    for line in joined:
        name, colon, value = line.partition(b":")
        key = name.decode("latin-1").strip(" \t").lower()
        if not colon or not _TOKEN.fullmatch(key) or any(byte < 32 and byte != 9 for byte in value):
            raise malformed("A part has a header line that is none.")
        if key in fields and key == "content-type":
            raise malformed("A part has two Content-Type headers.")
        try:
            fields.setdefault(key, value.decode("utf-8").strip(" \t"))
        except UnicodeDecodeError:
            fields.setdefault(key, value.decode("latin-1").strip(" \t"))
    return fields


def new_boundary() -> str:
    """A boundary that no data hold by accident: 80 random bits."""
    return f"filmless-{new_version_key()}"


def content_type(boundary: str, root_type: str) -> str:
    """The Content-Type of a multipart answer whose parts are of `root_type` (RFC 2387: quoted, for its "/")."""
    return f'multipart/related; type="{root_type}"; boundary={boundary}'


def part_head(
    boundary: str,
    content_type: str,
    *,
    first: bool = False,
    location: str = "",
    length: int | None = None,
) -> bytes:
    """Delimiter and headers of a part; its bytes follow. `first` for the first part, which no line end precedes.

    `content_type` as it is to be read, e.g. "application/dicom; transfer-syntax=1.2.840.10008.1.2.1". Raises
    ValueError where a value would end its line.
    """
    lines = [f"--{boundary}", f"Content-Type: {content_type}"]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    if location:
        lines.append(f"Content-Location: {location}")
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a header value holds a line end")
    head = "\r\n".join(lines) + "\r\n\r\n"
    return (head if first else "\r\n" + head).encode("utf-8")


def closing(boundary: str) -> bytes:
    """What follows the bytes of the last part."""
    return f"\r\n--{boundary}--\r\n".encode("ascii")
