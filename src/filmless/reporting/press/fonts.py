"""The fonts of printed reports, and which characters they have.

They are no part of this source: the build takes them from npm packages (web/package.json) into press/fonts. Noto Sans
SC comes first; Noto Sans JP has characters that it lacks, U+20BB7 among them.
"""

import mmap
import struct
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "fonts"
#: in the order in which they are asked for a character
FAMILIES: Final = ("Noto Sans SC", "Noto Sans JP")
_FILES: Final = ("NotoSansSC_400Regular.ttf", "NotoSansJP_400Regular.ttf")
#: what stands for a character that no font has
BOX: Final = "\u25a1"
#: seen by nobody: spaces, line ends, marks of direction, variation selectors
_INVISIBLE: Final = frozenset(
    "\n\t\r \u00a0\u3000\u00ad\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u2060\ufeff"
) | {chr(number) for number in range(0xFE00, 0xFE10)}


def installed() -> bool:
    """Whether the build has brought them."""
    return all((FOLDER / name).exists() for name in _FILES)


@cache
def _covered(path: Path) -> tuple[tuple[int, int], ...]:
    """The characters of a TrueType font as ranges, both ends included (OpenType `cmap`, formats 4 and 12)."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        count = struct.unpack_from(">H", data, 4)[0]
        tables = {}
        for at in range(count):
            tag, _, offset, _ = struct.unpack_from(">4sLLL", data, 12 + 16 * at)
            tables[tag] = offset
        cmap = tables[b"cmap"]
        all_of_it: list[tuple[int, int]] = []
        for at in range(struct.unpack_from(">H", data, cmap + 2)[0]):
            offset = struct.unpack_from(">HHL", data, cmap + 4 + 8 * at)[2]
            table = cmap + offset
            kind = struct.unpack_from(">H", data, table)[0]
            if kind == 12:
                groups = struct.unpack_from(">L", data, table + 12)[0]
                found = [struct.unpack_from(">LLL", data, table + 16 + 12 * one)[:2] for one in range(groups)]
            elif kind == 4:
                half = struct.unpack_from(">H", data, table + 6)[0]
                ends = struct.unpack_from(f">{half // 2}H", data, table + 14)
                starts = struct.unpack_from(f">{half // 2}H", data, table + 16 + half)
                found = [pair for pair in zip(starts, ends, strict=True) if pair[0] != 0xFFFF]
            else:
                continue
            all_of_it += [(int(start), int(end)) for start, end in found]
        return tuple(dict.fromkeys(all_of_it))


@cache
def _known() -> frozenset[int]:
    found: set[int] = set()
    for name in _FILES:
        for start, end in _covered(FOLDER / name):
            found.update(range(start, end + 1))
    return frozenset(found)


def missing(texts: Iterable[str]) -> list[str]:
    """The characters that no font has, each once, in the order of their numbers. Nothing where there are no fonts."""
    if not installed():
        return []
    known = _known()
    return sorted(
        {
            letter
            for text in texts
            for letter in text
            if ord(letter) not in known and letter not in _INVISIBLE and letter >= " "
        }
    )


def printable(text: str, lacking: Iterable[str]) -> str:
    """The text with a visible box in the place of each character that no font has."""
    for letter in lacking:
        text = text.replace(letter, BOX)
    return text
