"""The attributes of a search's answers (PS3.18 10.6.3.3): the same for most requests, and so found out once."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from filmless.archive.query import KEYS, LEVELS, Asked, Level, Options, understand
from filmless.archive.query import keys as known
from filmless.archive.query.keys import key_of
from filmless.archive.searchable import SearchKeys
from filmless.dicom.vr import dictionary_vr

#: attributes that answers always have (tables 10.6.3-3 to 10.6.3-5), and the unique keys of the levels above
_STUDY: Final = (
    0x00080020, 0x00080030, 0x00080050, 0x00080061, 0x00080090, 0x00080201, 0x00100010, 0x00100020, 0x00100030,
    0x00100040, 0x0020000D, 0x00200010, 0x00201206, 0x00201208,
)  # fmt: skip
_SERIES: Final = (
    0x00080060, 0x00080201, 0x0008103E, 0x0020000D, 0x0020000E, 0x00200011, 0x00201209, 0x00400244, 0x00400245,
    0x00400275,
)  # fmt: skip
_INSTANCE: Final = (
    0x00080016, 0x00080018, 0x00080201, 0x0020000D, 0x0020000E, 0x00200013, 0x00280008, 0x00280010, 0x00280011,
    0x00280100,
)  # fmt: skip
_RETURNED: Final[dict[Level, tuple[int, ...]]] = {"STUDY": _STUDY, "SERIES": _SERIES, "IMAGE": _INSTANCE}


@lru_cache(256)
def answered(
    level: Level,
    any_study: bool,
    any_series: bool,
    all_included: bool,
    included: tuple[int, ...],
    extras: SearchKeys,
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Tags of the answers besides those that are matched (10.6.3.3), and those of them that are not supported.

    The same for most requests, and so found out once.
    """
    tags = list(_RETURNED[level])
    if level == "SERIES" and any_study:
        tags += _STUDY
    elif level == "IMAGE":
        tags += _SERIES if any_series else ()
        tags += _STUDY if any_study else ()
    if all_included:
        tags += _all_of(level, extras)
    asked = [Asked(tag, "") for tag in dict.fromkeys((*tags, *included))]
    understood = understand(level, LEVELS[1:], asked, Options(relational=True), extras)
    return understood.query.returned, understood.unsupported


@lru_cache(256)
def vrs_of(tags: tuple[int, ...], extras: SearchKeys) -> Mapping[int, str]:
    """The VRs of attributes."""
    return {tag: vr_of(tag, extras) for tag in tags}


def _all_of(level: Level, extras: SearchKeys) -> tuple[int, ...]:
    """Those of the level, made searchable ones too."""
    wanted = ("PATIENT", "STUDY") if level == "STUDY" else (level,)
    found = (key_of(tag, extras) for tag in (*extras.plain, *extras.sequences))
    more = (key.tag for key in found if key is not None and key.level in wanted)
    return (*(tag for tag, key in KEYS.items() if key.level in wanted), *more)


def vr_of(tag: int, extras: SearchKeys) -> str:
    """The VR of an attribute."""
    key = key_of(tag, extras)
    if key is not None:
        return key.vr
    if (vr := known.ITEM_VRS.get(tag)) is not None:
        return vr
    for extra in extras.keys:
        if extra.tags[-1] == tag:
            return extra.vr
    return dictionary_vr(tag)
