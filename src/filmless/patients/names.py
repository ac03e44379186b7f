"""Person names: the forms in which they are compared (PS3.5 6.2 and 6.2.1, PS3.4 C.2.2.2).

A person name (VR PN) has up to three component groups parted by "=": alphabetic, ideographic, phonetic.
Each group has up to five components parted by "^". Ingest writes the keys made here, queries compare with
them, so whatever changes here needs the index to be rebuilt.

Fuzzy matching (PS3.4 C.5.2.1, extended negotiation) compares *sounds*, see `sounds` and `sounds_wanted`.
"""

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from filmless.patients import pinyin

#: Combining marks that are accents. Others are letters in their own right (kana voicing, Indic vowel signs).
_ACCENTS = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]")
#: Latin letters that Unicode does not decompose
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d"}
)
_SPACES = re.compile(r"\s+")
_AROUND_CARET = re.compile(r" *\^ *")
_BETWEEN_WORDS = re.compile(r"[^\w]+|_+")


class Groups(NamedTuple):
    """The three component groups of a person name; "" where a group is absent."""

    alphabetic: str
    ideographic: str
    phonetic: str


def normal(text: str) -> str:
    """`text` for comparison: compatibility forms unified, case and accents gone, runs of spaces made one.

    Keeps every other character, so wildcards in a query must be taken out before this is called: a
    full-width asterisk in a stored value becomes an ordinary one.
    """
    if text.isascii():
        folded = text.lower()
        if "  " not in folded and "\t" not in folded and "\n" not in folded and "\r" not in folded:
            return folded.strip()
    else:
        decomposed = unicodedata.normalize("NFKD", text).casefold()
        folded = unicodedata.normalize("NFKC", _ACCENTS.sub("", decomposed)).translate(_LETTERS)
    return _SPACES.sub(" ", folded).strip()


def groups(name: str) -> Groups:
    """The component groups of `name` for display, without padding and without empty components at the end."""
    parts = name.rstrip("\0").split("=", 2)
    parts += [""] * (3 - len(parts))
    return Groups(*(part.strip().rstrip("^ ") for part in parts))


def key(group: str) -> str:
    """One component group for comparison: `normal`, no spaces beside "^", no empty components at the end."""
    return _AROUND_CARET.sub("^", normal(group)).rstrip("^ ")


def keys(name: str) -> Groups:
    """The three groups of `name` for comparison."""
    return Groups(*map(key, groups(name)))


def _words(group_key: str) -> list[str]:
    return [word for word in _BETWEEN_WORDS.split(group_key.replace("'", "").replace("’", "")) if word]


def _spelling(words: list[str]) -> str:
    """Words run together. The ways to write pinyin ü (lü, lyu, lv) are one."""
    joined = "".join(words)
    if joined.isascii():
        joined = re.sub(r"([ln])(?:yu|v)(?=e|$|[bcdfghjklmnpqrstwxyz])", r"\1u", joined)
    return joined


def sounds(name: str) -> list[str]:
    """What fuzzy matching finds `name` by: short strings, without repeats, to be stored one per row.

    - "w:" + the letters of a group run together in their order, one for each group;
    - "p:" + each word of the alphabetic group that is pinyin, with sounds often confused made one
      (zh z, ch c, sh s, ang an, eng en, ing in);
    - "s:" + the American Soundex code of each word of the alphabetic group;
    - "i:" + the initials of the alphabetic group (`initials`).
    """
    found: dict[str, None] = {}
    three = keys(name)
    for group_key in three:
        if words := _words(group_key):
            found["w:" + _spelling(words)] = None
    for word in _words(three.alphabetic):
        if syllables := pinyin.syllables(word):
            found["p:" + pinyin.confused(syllables)] = None
        if code := soundex(word):
            found["s:" + code] = None
    found |= dict.fromkeys(initials(name))
    return [sound for sound in found if len(sound) <= 200]


def initials(name: str) -> list[str]:
    """The initials of the alphabetic group as sounds: "i:wxd" of WANG^XIAODONG, "i:js" and "i:sj" of Smith^John.

    Of pinyin each syllable has one, in the order of the name; of other names each word, and the family name also last.
    """
    words = _words(keys(name).alphabetic)
    if not words or not all(word.isascii() for word in words):
        return []
    split = [pinyin.syllables(word) for word in words]
    if all(split):
        return ["i:" + "".join(syllable[0] for syllables in split for syllable in syllables)[:32]]
    letters = "".join(word[0] for word in words)[:32]
    return list(dict.fromkeys(("i:" + letters, "i:" + letters[1:] + letters[0])))


def sounds_wanted(name: str) -> list[list[list[str]]]:
    """How to look for `name` fuzzily: alternatives, each a list of conditions, each a list of sounds.

    A stored name matches when in one of the alternatives every condition has at least one of its sounds
    among `sounds(stored)`. Alternatives are

    1. the same letters, with words (and the syllables of pinyin) in the same cyclic order: WANG^XIAODONG,
       Wang Xiao Dong, XiaoDong Wang and XIAO DONG^WANG are one; WANG^DONGXIAO is another;
    2. every word sounds like a word of the stored name: by confused pinyin where all words asked for are
       pinyin, otherwise by Soundex. So a family name alone finds everybody of that name.

    Every group asked for must match. Empty where there is nothing to look for.
    """
    conditions_by_alternative: list[list[list[str]]] = [[], []]
    three = keys(name)
    for index, group_key in enumerate(three):
        words = _words(group_key)
        if not words:
            continue
        whole = ["w:" + spelling for spelling in _rotations(words)]
        conditions_by_alternative[0].append(whole)
        if index or not group_key.isascii():
            conditions_by_alternative[1].append(whole)
            continue
        split = [pinyin.syllables(word) for word in words]
        if all(split):
            conditions_by_alternative[1] += [["p:" + pinyin.confused(syllables)] for syllables in split]
        else:
            codes = [soundex(word) for word in words]
            conditions_by_alternative[1] += [["s:" + code] for code in codes if code]
    return [conditions for conditions in conditions_by_alternative if conditions]


def beginnings(name: str) -> list[str]:
    """What the sounds of names that begin like this begin with: "w:wangxi" for "Wang Xi", one for each group.

    For a search while a name is typed: words and syllables in the order of the stored name, without what parts them.
    """
    words = [_words(group) for group in keys(name) if group]
    return ["w:" + _spelling(each) for each in words if each]


def _rotations(words: list[str]) -> list[str]:
    units: list[str] = []
    for word in words:
        units += pinyin.syllables(word) or [word]
    return list(
        dict.fromkeys(_spelling(units[start:] + units[:start]) for start in range(min(len(units), 16)))
    )


_SOUNDEX = {
    letter: digit
    for digit, letters in {"1": "bfpv", "2": "cgjkqsxz", "3": "dt", "4": "l", "5": "mn", "6": "r"}.items()
    for letter in letters
}


@lru_cache(4096)
def soundex(word: str) -> str:
    """American Soundex of a normalised word (U.S. National Archives): a letter and three digits, or ""."""
    letters = [letter for letter in word if "a" <= letter <= "z"]
    if not letters:
        return ""
    code = letters[0]
    last = _SOUNDEX.get(letters[0], "")
    for letter in letters[1:]:
        digit = _SOUNDEX.get(letter, "")
        if digit and digit != last:
            code += digit
        if letter not in "hw":
            last = digit
    return (code + "000")[:4]
