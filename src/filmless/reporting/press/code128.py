"""Code 128 (ISO/IEC 15417): a text of printable ASCII as bars. Pure: no I/O."""

import re
from typing import Final

from filmless.kit.errors import Refused

#: symbol value -> widths of bar, space, bar, space, bar, space in modules; 106 is the stop with its last bar
_PATTERNS: Final = tuple(
    re.findall(
        r"\d+",
        "212222 222122 222221 121223 121322 131222 122213 122312 132212 221213 221312 231212 112232 122132 122231 "
        "113222 123122 123221 223211 221132 221231 213212 223112 312131 311222 321122 321221 312212 322112 322211 "
        "212123 212321 232121 111323 131123 131321 112313 132113 132311 211313 231113 231311 112133 112331 132131 "
        "113123 113321 133121 313121 211331 231131 213113 213311 213131 311123 311321 331121 312113 312311 332111 "
        "314111 221411 431111 111224 111422 121124 121421 141122 141221 112214 112412 122114 122411 142112 142211 "
        "241211 221114 413111 241112 134111 111242 121142 121241 114212 124112 124211 411212 421112 421211 212141 "
        "214121 412121 111143 111341 131141 114113 114311 411113 411311 113141 114131 311141 411131 211412 211214 "
        "211232 2331112",
    )
)
_START_B, _START_C, _CODE_B, _CODE_C, _STOP = 104, 105, 100, 99, 106


def widths(text: str) -> list[int]:
    """The widths of bars and spaces in modules, beginning and ending with a bar; quiet zones are not among them.

    Runs of four digits and more are packed two to a symbol. Raises Refused (code "bad-value").
    """
    if not text or any(not " " <= letter <= "~" for letter in text):
        raise Refused("A bar code holds printable ASCII only.", code="bad-value")
    values = _values(text)
    check = (values[0] + sum(at * value for at, value in enumerate(values[1:], 1))) % 103
    return [int(width) for value in (*values, check, _STOP) for width in _PATTERNS[value]]


def _values(text: str) -> list[int]:
    values: list[int] = []
    at, packed = 0, False
    while at < len(text):
        run = at
        while run < len(text) and text[run].isdigit():
            run += 1
        length = run - at
        whole = at == 0 and run == len(text)
        if length >= 4 or (whole and length == 2):
            # an odd digit is said alone, before the packed ones
            if length % 2:
                _change(values, packed=False, was=packed)
                packed = False
                values.append(ord(text[at]) - 32)
                at += 1
            _change(values, packed=True, was=packed)
            packed = True
            values += [int(text[two : two + 2]) for two in range(at, run, 2)]
            at = run
            continue
        _change(values, packed=False, was=packed)
        packed = False
        values.append(ord(text[at]) - 32)
        at += 1
    return values


def _change(values: list[int], *, packed: bool, was: bool) -> None:
    if not values:
        values.append(_START_C if packed else _START_B)
    elif packed != was:
        values.append(_CODE_C if packed else _CODE_B)
