"""Writes explicit VR little endian (PS3.5 7.1.2) from bytes; what builders need of a data set writer."""

from collections.abc import Iterable, Mapping

from filmless.dicom.elements import SHORT


def element(tag: int, vr: str, value: bytes) -> bytes:
    """One element; odd values are padded as their VR asks. A value too long for its VR's 16-bit length raises
    ValueError."""
    if len(value) % 2:
        value += b"\0" if vr in ("UI", "OB", "UN") else b" "
    head = (tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little") + vr.encode("ascii")
    if vr.encode("ascii") in SHORT:
        if len(value) > 0xFFFF:
            raise ValueError(f"{len(value)} bytes do not fit in a {vr}")
        return head + len(value).to_bytes(2, "little") + value
    return head + b"\0\0" + len(value).to_bytes(4, "little") + value


def sequence(tag: int, items: Iterable[bytes]) -> bytes:
    """A sequence of defined length of encoded items."""
    content = b"".join(b"\xfe\xff\x00\xe0" + len(item).to_bytes(4, "little") + item for item in items)
    return element(tag, "SQ", content)


def data_set(elements: Mapping[int, bytes]) -> bytes:
    """Encoded elements in the order of their tags (PS3.5 7.1)."""
    return b"".join(encoded for _, encoded in sorted(elements.items()))


def code_item(value: str, scheme: str, meaning: str) -> bytes:
    """An item of a code sequence (PS3.3 8.8)."""
    return (
        element(0x00080100, "SH", value.encode())
        + element(0x00080102, "SH", scheme.encode())
        + element(0x00080104, "LO", meaning.encode())
    )
