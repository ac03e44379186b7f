"""Specific Character Set (0008,0005): text in its bytes and back (PS3.3 C.12.1.1.2, PS3.5 6.1).

Reading is lenient, because declarations are often missing or wrong; every guess is told. Writing follows the
standard, ISO 2022 escapes and resets at delimiters included.
"""

import re
from functools import lru_cache

UTF_8 = "ISO_IR 192"

#: registration number -> Python codec of a set whose upper half is one byte per character
_SINGLE = {
    "100": "latin_1",
    "101": "iso8859_2",
    "109": "iso8859_3",
    "110": "iso8859_4",
    "144": "iso8859_5",
    "127": "iso8859_6",
    "126": "iso8859_7",
    "138": "iso8859_8",
    "148": "iso8859_9",
    "203": "iso8859_15",
    "166": "tis_620",
    "13": "shift_jis",
}
#: sets of several bytes that stand alone, without code extensions
_WHOLE = {"ISO_IR 192": "utf_8", "GB18030": "gb18030", "GBK": "gbk"}
#: registration number -> (codec, is it used in G0) of sets of two bytes per character
_DOUBLE = {
    "87": ("iso2022_jp", True),
    "159": ("iso2022_jp_1", True),
    "149": ("cp949", False),
    "58": ("gbk", False),
}

_ESC = 0x1B
#: what follows ESC -> (G0 or G1, registration number) (PS3.3 table C.12-3 and C.12-4)
_ESCAPES = {
    b"(B": (0, "6"),
    b"(J": (0, "14"),
    b")I": (1, "13"),
    b"-A": (1, "100"),
    b"-B": (1, "101"),
    b"-C": (1, "109"),
    b"-D": (1, "110"),
    b"-L": (1, "144"),
    b"-G": (1, "127"),
    b"-F": (1, "126"),
    b"-H": (1, "138"),
    b"-M": (1, "148"),
    b"-b": (1, "203"),
    b"-T": (1, "166"),
    b"$B": (0, "87"),
    b"$@": (0, "87"),
    b"$(D": (0, "159"),
    b"$)C": (1, "149"),
    b"$)A": (1, "58"),
}
_ESCAPE_OF = {number: sequence for sequence, (_, number) in _ESCAPES.items() if sequence != b"$@"}

_ALIASES = {
    "UTF-8": UTF_8,
    "UTF8": UTF_8,
    "UTF_8": UTF_8,
    "GB2312": "GBK",
    "CP936": "GBK",
    "GB 18030": "GB18030",
    "GB_18030": "GB18030",
    "LATIN1": "ISO_IR 100",
    "ISO-8859-1": "ISO_IR 100",
    "ISO8859-1": "ISO_IR 100",
    "ASCII": "",
    "ISO_IR 6": "",
    "ISO 2022 IR 6": "",
}


@lru_cache(maxsize=256)
def terms(specific_character_set: str) -> tuple[str, ...]:
    """The defined terms of a declaration, spelled as in the standard; the default repertoire is "".

    Unknown ones are kept as they are; `decode` tells of them.
    """
    found = []
    for raw in specific_character_set.split("\\"):
        word = raw.strip("\0 ").upper()
        if match := re.fullmatch(r"(?:ISO[ _-]?)?2022[ _-]*IR[ _-]*(\d+)", word):
            word = f"ISO 2022 IR {match[1]}"
        elif match := re.fullmatch(r"(?:ISO)?[ _-]?IR[ _-]*(\d+)", word):
            word = f"ISO_IR {match[1]}"
        found.append(_ALIASES.get(word, word))
    return tuple(found)


def _number(term: str) -> str:
    return term.rpartition(" ")[2] if term.startswith("ISO") else ""


def decode(
    value: bytes, specific_character_set: str, *, fallback: str = "", name: bool = False
) -> tuple[str, str]:
    """(the text, what was wrong or ""). Padding is kept.

    `fallback` is assumed, without a word, where nothing is declared. `name`: a PN, in which "^" and "=" return to
    the initial sets too (PS3.5 6.1.2.5.3). Never raises: what cannot be read becomes U+FFFD.
    """
    if value.isascii() and _ESC not in value:
        return value.decode("ascii"), ""
    declared = terms(specific_character_set)
    if not any(declared) and fallback:
        declared = terms(fallback)
    first = declared[0]
    if first in _WHOLE:
        return _strictly(value, _WHOLE[first], first)
    if _ESC in value or any(_number(term) in _DOUBLE for term in declared):
        return _extended(value, declared, name=name)
    codec = _SINGLE.get(_number(first))
    if codec is not None:
        return _strictly(value, codec, first)
    for term in declared:
        if term in _WHOLE:
            return _strictly(value, _WHOLE[term], term)
    return _guess(
        value, "no character set is declared" if not any(declared) else f"unknown character set {first}"
    )


def _strictly(value: bytes, codec: str, term: str) -> tuple[str, str]:
    try:
        return value.decode(codec), ""
    except UnicodeDecodeError:
        if codec != "utf_8":
            try:
                return value.decode("utf_8"), f"not in the declared character set {term}: read as UTF-8"
            except UnicodeDecodeError:
                pass  # the replacement below says it
        return value.decode(codec, "replace"), f"bytes that are not in the declared character set {term}"


def _guess(value: bytes, why: str) -> tuple[str, str]:
    try:
        return value.decode("utf_8"), f"{why}: read as UTF-8"
    except UnicodeDecodeError:
        return value.decode("latin_1"), f"{why}: read as Latin-1"


def _initial(declared: tuple[str, ...]) -> tuple[str, str]:
    """The registration numbers in G0 and G1 at the start and after each delimiter."""
    first = _number(declared[0])
    return ("14" if first == "13" else "6"), (first if first in _SINGLE else "")


_TEXT_DELIMITERS = frozenset(b"\\\r\n\f\t")
_NAME_DELIMITERS = _TEXT_DELIMITERS | frozenset(b"^=")


def _extended(value: bytes, declared: tuple[str, ...], *, name: bool) -> tuple[str, str]:
    """Text with code extensions (ISO 2022; PS3.5 6.1.2.5)."""
    start_g0, start_g1 = g0, g1 = _initial(declared)
    delimiters = _NAME_DELIMITERS if name else _TEXT_DELIMITERS
    #: for bytes of the upper half where no escape announced a set: the sets of two bytes that were declared
    unannounced = next((n for n in map(_number, declared) if n in _DOUBLE and not _DOUBLE[n][1]), "")
    out: list[str] = []
    fault = ""
    pos, end = 0, len(value)
    while pos < end:
        byte = value[pos]
        if byte == _ESC:
            for length in (2, 3):
                target = _ESCAPES.get(value[pos + 1 : pos + 1 + length])
                if target is not None:
                    if target[0] == 0:
                        g0 = target[1]
                    else:
                        g1 = target[1]
                    pos += 1 + length
                    break
            else:
                fault = fault or "an unknown escape sequence"
                pos += 1
            continue
        if byte >= 0x80:
            stop = pos
            while stop < end and value[stop] >= 0x80:
                stop += 1
            number = g1 or unannounced
            if not number and any(term in _WHOLE for term in declared):
                codec = next(_WHOLE[term] for term in declared if term in _WHOLE)
            elif number:
                codec = _SINGLE[number] if number in _SINGLE else _DOUBLE[number][0]
            else:
                codec = "latin_1"
                fault = fault or "bytes of a character set that no escape sequence announced"
            try:
                out.append(value[pos:stop].decode(codec))
            except UnicodeDecodeError:
                out.append(value[pos:stop].decode(codec, "replace"))
                fault = fault or "bytes that are not in the declared character set"
            pos = stop
        elif g0 in _DOUBLE and byte > 0x20:
            stop = pos
            while stop < end and 0x20 < value[stop] < 0x7F:
                stop += 1
            codec = _DOUBLE[g0][0]
            run = b"\x1b" + _ESCAPE_OF[g0] + value[pos:stop] + b"\x1b(B"
            try:
                out.append(run.decode(codec))
            except UnicodeDecodeError:
                out.append(run.decode(codec, "replace"))
                fault = fault or "bytes that are not in the declared character set"
            pos = stop
        else:
            out.append(chr(byte))
            if byte in delimiters:
                g0, g1 = start_g0, start_g1
            pos += 1
    return "".join(out), fault


@lru_cache(maxsize=4096)
def _in_set(character: str, number: str) -> bytes | None:
    """The bytes of one character in a registered set, as they stand after its escape; None where it has none."""
    try:
        if number == "13":
            raw = character.encode("shift_jis")
            return raw if len(raw) == 1 and raw[0] >= 0x80 else None
        if number in _SINGLE:
            return character.encode(_SINGLE[number])
        if number == "87":
            raw = character.encode("euc_jp")
            return bytes(b & 0x7F for b in raw) if len(raw) == 2 and raw[0] > 0xA0 else None
        if number == "159":
            raw = character.encode("euc_jp")
            return bytes(b & 0x7F for b in raw[1:]) if len(raw) == 3 else None
        raw = character.encode("euc_kr" if number == "149" else "gb2312")
    except UnicodeEncodeError:
        return None
    return raw if len(raw) == 2 else None


def can_encode(text: str, specific_character_set: str) -> bool:
    """Whether every character of the text has a place in these sets."""
    if text.isascii():
        return True
    declared = terms(specific_character_set)
    if declared[0] in _WHOLE:
        try:
            text.encode(_WHOLE[declared[0]])
        except UnicodeEncodeError:
            return False
        return True
    numbers = _numbers(declared)
    return all(c.isascii() or any(_in_set(c, n) is not None for n in numbers) for c in text)


def _numbers(declared: tuple[str, ...]) -> list[str]:
    """The sets that a text may use: without code extensions (PS3.3 C.12.1.1.2) only the first."""
    usable = declared if len(declared) > 1 or declared[0].startswith("ISO 2022") else declared[:1]
    return [number for number in map(_number, usable) if number in _SINGLE or number in _DOUBLE]


def choose_charset(text: str, preferred: str = "") -> str:
    """The preferred declaration where it can hold the text, else "ISO_IR 192" (UTF-8), which holds every text."""
    if preferred and can_encode(text, preferred):
        return preferred
    return "" if not preferred and text.isascii() else UTF_8


def encode(text: str, specific_character_set: str, *, name: bool = False) -> bytes:
    """The text in these sets, without padding; what has no place in them becomes "?" (ask `can_encode` first)."""
    if text.isascii():
        return text.encode("ascii")
    declared = terms(specific_character_set)
    if declared[0] in _WHOLE:
        return text.encode(_WHOLE[declared[0]], "replace")
    numbers = _numbers(declared)
    start_g0, start_g1 = g0, g1 = _initial(declared)
    delimiters = _NAME_DELIMITERS if name else _TEXT_DELIMITERS
    out = bytearray()
    for character in text:
        if character.isascii():
            if g0 != start_g0:
                out += b"\x1b" + _ESCAPE_OF[start_g0]
                g0 = start_g0
            out += character.encode("ascii")
            if ord(character) in delimiters:
                g1 = start_g1
            continue
        in_use = [n for n in (g0, g1) if n in numbers]
        for number in [*in_use, *numbers]:
            raw = _in_set(character, number)
            if raw is not None:
                break
        else:
            number, raw = "", b"?"
        if number in _DOUBLE and _DOUBLE[number][1]:
            if g0 != number:
                out += b"\x1b" + _ESCAPE_OF[number]
                g0 = number
        elif number:
            if g1 != number:
                out += b"\x1b" + _ESCAPE_OF[number]
                g1 = number
        elif g0 != start_g0:
            out += b"\x1b" + _ESCAPE_OF[start_g0]
            g0 = start_g0
        out += raw
    if g0 != start_g0:
        out += b"\x1b" + _ESCAPE_OF[start_g0]
    return bytes(out)
