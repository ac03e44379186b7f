"""The forms of a data element and where sequences end: the steps that the scanner takes (PS3.5 section 7)."""

from struct import Struct

UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
#: sequences and items nested beyond this are not followed (real objects stay below 20)
MAX_DEPTH = 4096

#: VRs by the bytes that stand for them: with a 16-bit length, and with a 32-bit length (PS3.5 7.1.2)
_SHORT_VRS = b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US"
_LONG_VRS = b"OB OD OF OL OV OW SQ SV UC UN UR UT UV"
SHORT = {vr: vr.decode() for vr in _SHORT_VRS.split()}
LONG = {vr: vr.decode() for vr in _LONG_VRS.split()}

#: by byte order: (tag, VR, 16-bit length), (tag, 32-bit length), one 32-bit number. Little endian tags come with
#: their halves exchanged, see `tag_of`
EXPLICIT_HEAD = {True: Struct("<I2sH").unpack_from, False: Struct(">I2sH").unpack_from}
IMPLICIT_HEAD = {True: Struct("<II").unpack_from, False: Struct(">II").unpack_from}
NUMBER = {True: Struct("<I").unpack_from, False: Struct(">I").unpack_from}

Buffer = bytes | bytearray | memoryview


def tag_of(key: int, little: bool) -> int:
    """The tag GGGGEEEE of the first four bytes of an element read as one number."""
    return (key & 0xFFFF) << 16 | key >> 16 if little else key


def long_form(
    data: Buffer, pos: int, end: int, key: int, code: bytes, length16: int, little: bool
) -> tuple[int, int, bytes]:
    """(start of the value, length, VR) of an element in explicit VR whose VR is not one of the short ones."""
    length_at = NUMBER[little]
    if code in LONG:
        if pos + 12 > end:
            return pos + 12, 0, code
        return pos + 12, length_at(data, pos + 8)[0], code
    tag = tag_of(key, little)
    length32: int = length_at(data, pos + 4)[0]
    if tag >> 16 == 0xFFFE:  # items and delimiters have no VR (PS3.5 7.5)
        return pos + 8, length32, b""
    forms: list[tuple[int, int, bytes]] = []
    if 65 <= code[0] <= 90 and 65 <= code[1] <= 90:  # a VR that we do not know: 32-bit length (PS3.5 7.1.2)
        if length16 == 0 and pos + 12 <= end:
            forms.append((pos + 12, length_at(data, pos + 8)[0], b"UN"))
        forms.append((pos + 8, length16, b""))
    else:  # no VR at all: most often an implicit VR element among explicit ones
        forms.append((pos + 8, length32, b""))
        forms.append((pos + 8, length16, b""))
    for form in forms:
        if _fits(data, form, end, tag, little):
            return form
    return forms[0]


def _fits(data: Buffer, form: tuple[int, int, bytes], end: int, tag: int, little: bool) -> bool:
    """Whether a later tag, or the end, follows an element of this form."""
    start, length, _ = form
    if length == UNDEFINED:
        return True
    after = start + length
    if after == end:
        return True
    if after + 8 > end:
        return False
    key: int = NUMBER[little](data, after)[0]
    following = tag_of(key, little)
    return following > tag


def sequence_end(data: Buffer, pos: int, end: int, *, explicit: bool, little: bool) -> tuple[int, int]:
    """(end of the contents, offset behind the delimiter) of a sequence of undefined length whose items start at
    `pos`; (-1, -1) where it has no end in the data, or none that can be made out."""
    head = EXPLICIT_HEAD[little]
    plain = IMPLICIT_HEAD[little]
    #: (inside an item, explicit, little) of each open level
    open_levels = [(False, explicit, little)]
    while pos + 8 <= end:
        in_item, explicit, little_here = open_levels[-1]
        if little_here is not little:
            little = little_here
            head = EXPLICIT_HEAD[little]
            plain = IMPLICIT_HEAD[little]
        key, length = plain(data, pos)
        tag = tag_of(key, little)
        if tag >> 16 == 0xFFFE:
            if tag == ITEM and not in_item:
                if length == UNDEFINED:
                    open_levels.append((True, explicit, little))
                    length = 0
            elif tag == SEQUENCE_END:
                if in_item:  # the item's own delimiter is missing
                    open_levels.pop()
                open_levels.pop()
                length = 0
                if not open_levels:
                    return pos, pos + 8
            else:
                if tag == ITEM_END and in_item:
                    open_levels.pop()
                length = 0
            pos += 8 + length
            continue
        if not in_item:
            return -1, -1
        code = b""
        start = pos + 8
        if explicit or (length != UNDEFINED and start + length > end):
            key, code, length = head(data, pos)
            if code not in SHORT:
                start, length, code = long_form(data, pos, end, key, code, length, little)
        if length == UNDEFINED:
            if len(open_levels) >= MAX_DEPTH:
                return -1, -1
            inner = (False, False, True) if code == b"UN" else (False, explicit, little)
            open_levels.append(inner)
            length = 0
        pos = start + length
    return -1, -1


def item_end(data: Buffer, pos: int, end: int, *, explicit: bool, little: bool) -> tuple[int, int]:
    """(end of the contents, offset behind the delimiter) of an item of undefined length."""
    head = EXPLICIT_HEAD[little]
    plain = IMPLICIT_HEAD[little]
    while pos + 8 <= end:
        key, length = plain(data, pos)
        tag = tag_of(key, little)
        if tag in (ITEM_END, SEQUENCE_END):
            return pos, pos + 8
        code = b""
        start = pos + 8
        if explicit:
            key, code, length = head(data, pos)
            if code not in SHORT:
                start, length, code = long_form(data, pos, end, key, code, length, little)
        if length == UNDEFINED:
            inner_explicit, inner_little = (False, True) if code == b"UN" else (explicit, little)
            _, pos = sequence_end(data, start, end, explicit=inner_explicit, little=inner_little)
            if pos < 0:
                break
        else:
            pos = start + length
    return end, end
