"""What a device is told in its own character set: whole where it has every character, else in Latin letters, never "?".

Names lose the component group that the device has no characters for and keep the alphabetic one; other text is told
in English where there is English, else in pinyin.
"""

import os
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from filmless.dicom import charset

#: most characters of a value, or of a component group of a name (PS3.5 6.2)
_LONGEST: Final = {"SH": 16, "LO": 64, "PN": 64, "CS": 16, "AE": 16, "ST": 1024, "LT": 10240}
_SIGNS: Final = str.maketrans(
    {"。": ". ", "、": ", ", "≤": "<=", "≥": ">=", "×": "x", "–": "-", "—": "-", "·": " ", "•": " "}
)


@dataclass(frozen=True, slots=True)
class Either:
    """A text in Chinese and in English: the device hears the first that it can read."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Speaking:
    """The Specific Character Set (0008,0005) of what a device is told."""

    character_set: str

    def text(self, vr: str, value: "str | Either") -> str:
        """The value as this device can read it, no longer than its VR allows."""
        if isinstance(value, Either):
            chosen = next((one for one in (value.zh, value.en) if one and self.can(one)), "")
            value = chosen or value.en or value.zh
        if vr == "PN":
            return self.name(value)
        if not self.can(value):
            value = latin(value)
        return _short(value, _LONGEST[vr]) if vr in _LONGEST else value

    def name(self, value: str) -> str:
        """A person name (PS3.5 6.2.1) with the component groups that the device can read."""
        alphabetic, ideographic, phonetic, *_ = [*value.split("="), "", ""]
        if alphabetic and not self.can(alphabetic):
            alphabetic = latin(alphabetic)
        if ideographic and not self.can(ideographic):
            alphabetic, ideographic = alphabetic or latin(ideographic).upper(), ""
        if not self.can(phonetic):
            phonetic = ""
        groups = (_short(group, _LONGEST["PN"]) for group in (alphabetic, ideographic, phonetic))
        return "=".join(groups).rstrip("=")

    def can(self, text: str) -> bool:
        return charset.can_encode(text, self.character_set)


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[:longest].rstrip()


def latin(text: str) -> str:
    """Text in ASCII: accents dropped, Chinese in pinyin, what has no Latin form left out."""
    words: list[str] = []
    after_han = False
    for character in text.translate(_SIGNS):
        read = _syllable(character)
        if read:
            words.append(" " + read if words and not words[-1].endswith((" ", "^")) else read)
        else:
            plain = _plain(character)
            words.append(f" {plain}" if after_han and plain.isalnum() else plain)
        after_han = bool(read)
    return "".join(words).strip()


def _plain(character: str) -> str:
    if character.isascii():
        return character
    decomposed = unicodedata.normalize("NFKD", character)
    return "".join(one for one in decomposed if one.isascii())


@lru_cache(4096)
def _syllable(character: str) -> str:
    code = ord(character)
    if not (0x3400 <= code <= 0x9FFF or 0xF900 <= code <= 0xFAFF or 0x20000 <= code <= 0x3FFFF):
        return ""
    # its phrases take 45 MB
    os.environ.setdefault("PYPINYIN_NO_PHRASES", "true")
    from pypinyin import lazy_pinyin

    return "".join(one for one in "".join(lazy_pinyin(character, errors="ignore")) if one.isascii())


def speaking(configured: str, declared: str, otherwise: str) -> Speaking:
    """How a device is spoken to: as an engineer set it, else as its request declares, else as the department does."""
    return Speaking(configured or declared or otherwise)
