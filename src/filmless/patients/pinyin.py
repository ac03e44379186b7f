"""Syllables of Hanyu Pinyin without tones (GB/T 16159, ISO 7098), for comparing names written in it."""

from functools import lru_cache

_FINALS_BY_INITIAL = {
    "": "a ai an ang ao e ei en eng er o ou",
    "b": "a ai an ang ao ei en eng i ian iao ie in ing o u",
    "p": "a ai an ang ao ei en eng i ian iao ie in ing o ou u",
    "m": "a ai an ang ao e ei en eng i ian iao ie in ing iu o ou u",
    "f": "a an ang ei en eng o ou u",
    "d": "a ai an ang ao e ei en eng i ia ian iao ie ing iu ong ou u uan ui un uo",
    "t": "a ai an ang ao e eng i ian iao ie ing ong ou u uan ui un uo",
    "n": "a ai an ang ao e ei en eng i ian iang iao ie in ing iu ong ou u uan un uo v ve ue yu",
    "l": "a ai an ang ao e ei eng i ia ian iang iao ie in ing iu o ong ou u uan un uo v ve ue yu",
    "g": "a ai an ang ao e ei en eng ong ou u ua uai uan uang ui un uo",
    "k": "a ai an ang ao e ei en eng ong ou u ua uai uan uang ui un uo",
    "h": "a ai an ang ao e ei en eng ong ou u ua uai uan uang ui un uo",
    "j": "i ia ian iang iao ie in ing iong iu u uan ue un",
    "q": "i ia ian iang iao ie in ing iong iu u uan ue un",
    "x": "i ia ian iang iao ie in ing iong iu u uan ue un",
    "zh": "a ai an ang ao e ei en eng i ong ou u ua uai uan uang ui un uo",
    "ch": "a ai an ang ao e en eng i ong ou u ua uai uan uang ui un uo",
    "sh": "a ai an ang ao e ei en eng i ou u ua uai uan uang ui un uo",
    "r": "an ang ao e en eng i ong ou u ua uan ui un uo",
    "z": "a ai an ang ao e ei en eng i ong ou u uan ui un uo",
    "c": "a ai an ang ao e en eng i ong ou u uan ui un uo",
    "s": "a ai an ang ao e en eng i ong ou u uan ui un uo",
    "y": "a an ang ao e i in ing o ong ou u uan ue un",
    "w": "a ai an ang ei en eng o u",
}
_SYLLABLES = frozenset(
    initial + final for initial, finals in _FINALS_BY_INITIAL.items() for final in finals.split()
)
_LONGEST = max(map(len, _SYLLABLES))


@lru_cache(4096)
def _split(word: str) -> tuple[str, ...]:
    # best[i]: the fewest syllables for word[:i], longer ones first; the usual reading of unmarked pinyin
    best: list[tuple[str, ...] | None] = [()] + [None] * len(word)
    for end in range(1, len(word) + 1):
        for start in range(max(0, end - _LONGEST), end):
            before = best[start]
            if before is not None and word[start:end] in _SYLLABLES:
                here = (*before, word[start:end])
                known = best[end]
                if known is None or len(here) < len(known):
                    best[end] = here
    return best[-1] or ()


def syllables(word: str) -> list[str]:
    """The syllables of a lower-case word; empty when it is not all pinyin, or over 64 letters."""
    return list(_split(word)) if 0 < len(word) <= 64 else []


_SAME_INITIALS = (("zh", "z"), ("ch", "c"), ("sh", "s"))
_SAME_FINALS = (("ang", "an"), ("eng", "en"), ("ing", "in"))
_U_WITH_DOTS = {"nv": "nu", "lv": "lu", "nyu": "nu", "lyu": "lu", "nve": "nue", "lve": "lue"}


def confused(word_syllables: list[str]) -> str:
    """The syllables run together, with sounds that are often confused made one: zh z, ang an, and so on."""
    folded = []
    for syllable in word_syllables:
        syllable = _U_WITH_DOTS.get(syllable, syllable)
        for long, short in _SAME_INITIALS:
            if syllable.startswith(long):
                syllable = short + syllable[len(long) :]
        for long, short in _SAME_FINALS:
            if syllable.endswith(long):
                syllable = syllable[: -len(long)] + short
        folded.append(syllable)
    return "".join(folded)
