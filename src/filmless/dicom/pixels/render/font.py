"""Letters for labels: printable ASCII in the usual matrix of 5 by 7 dots. Other characters are drawn as a box."""

import numpy as np

from filmless.dicom.pixels.render.values import Array

WIDTH, HEIGHT = 6, 9  # of a cell, with the space between letters and lines

#: five columns for each character from the space on, the top dot in the lowest bit
_COLUMNS = bytes.fromhex(
    "0000000000" "00005f0000" "0007000700" "147f147f14" "242a7f2a12" "2313086462" "3649562050" "0008070300"
    "001c224100" "0041221c00" "2a1c7f1c2a" "08083e0808" "0080703000" "0808080808" "0000606000" "2010080402"
    "3e5149453e" "00427f4000" "7249494946" "2141494d33" "1814127f10" "2745454539" "3c4a494931" "4121110907"
    "3649494936" "464949291e" "0000140000" "0040340000" "0008142241" "1414141414" "0041221408" "0201590906"
    "3e415d594e" "7c1211127c" "7f49494936" "3e41414122" "7f4141413e" "7f49494941" "7f09090901" "3e41415173"
    "7f0808087f" "00417f4100" "2040413f01" "7f08142241" "7f40404040" "7f021c027f" "7f0408107f" "3e4141413e"
    "7f09090906" "3e4151215e" "7f09192946" "2649494932" "03017f0103" "3f4040403f" "1f2040201f" "3f4038403f"
    "6314081463" "0304780403" "6159494d43" "007f414141" "0204081020" "004141417f" "0402010204" "4040404040"
    "0003070800" "2054547840" "7f28444438" "3844444428" "384444287f" "3854545418" "00087e0902" "18a4a49c78"
    "7f08040478" "00447d4000" "2040403d00" "7f10284400" "00417f4000" "7c04780478" "7c08040478" "3844444438"
    "fc18242418" "18242418fc" "7c08040408" "4854545424" "04043f4424" "3c4040207c" "1c2040201c" "3c4030403c"
    "4428102844" "4c9090907c" "4464544c44" "0008364100" "0000770000" "0041360800" "0201020402"
)  # fmt: skip
_BOX = bytes.fromhex("7f4141417f")


def can_be_drawn(text: str) -> bool:
    """Whether all characters are in the font."""
    return all(" " <= letter <= "~" or letter in "\r\n\t" for letter in text)


def letters(text: str, scale: int = 1) -> Array:
    """The dots of a text, lines below each other: (rows, columns) of truth."""
    lines = text.replace("\t", " ").splitlines() or [""]
    longest = max(len(line) for line in lines)
    out = np.zeros((len(lines) * HEIGHT, max(longest, 1) * WIDTH), bool)
    for row, line in enumerate(lines):
        for column, letter in enumerate(line):
            place = (ord(letter) - 32) * 5
            dots = _COLUMNS[place : place + 5] if " " <= letter <= "~" else _BOX
            bits = np.unpackbits(np.frombuffer(dots, np.uint8)[None, :], axis=0, bitorder="little")
            top, left = row * HEIGHT, column * WIDTH
            out[top : top + 8, left : left + 5] = bits.astype(bool)
    return out if scale == 1 else out.repeat(scale, axis=0).repeat(scale, axis=1)
