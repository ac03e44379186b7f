"""The VR of an element that came without one (implicit VR, UN): from the dictionary of PS3.6."""

from functools import lru_cache

from filmless.dicom.attributes import BY_TAG

PIXEL_REPRESENTATION = 0x00280103


@lru_cache(maxsize=8192)
def dictionary_vr(tag: int) -> str:
    """The VR of the standard, "LO" for private creators, "UN" where unknown.

    Several possible ones are as in PS3.6: "US or SS", "OB or OW", "US or OW", "US or SS or OW".
    """
    known = BY_TAG.get(tag)
    if known is not None:
        return known.vr
    group, element = tag >> 16, tag & 0xFFFF
    if element == 0:
        return "UL"
    if group % 2:
        return "LO" if 0x10 <= element <= 0xFF else "UN"
    # the whole dictionary is loaded only where a tag is met that the index does not keep
    from pydicom.datadict import dictionary_VR

    try:
        return dictionary_VR(tag)
    except KeyError:
        return "UN"


def settled_vr(tag: int, sent: str, length: int, *, signed: bool) -> str:
    """One VR for an element sent as `sent` ("" or "UN": without one).

    `length` of the value in bytes, `signed` as Pixel Representation (0028,0103) says.
    """
    if sent and sent != "UN":
        return sent
    vr = dictionary_vr(tag)
    if " or " not in vr:
        return vr
    if vr == "OB or OW":
        return "OW"
    if "OW" in vr and length > 6:
        return "OW"  # look-up table data; descriptors have three values
    if "SS" in vr and signed:
        return "SS"
    return "US"
