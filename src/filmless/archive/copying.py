"""A stored object once more, under other UIDs and with other attributes: for objects that are moved to another study
(IHE RAD IOCM). The stored object stays as it is; pixels are taken over byte for byte."""

import mmap
from collections.abc import Callable, Mapping
from pathlib import Path

from filmless.archive.leaving import Leaving, leaving
from filmless.archive.query.instances import StoredInstance
from filmless.dicom import overlay
from filmless.dicom.overlay import Layer
from filmless.dicom.renaming import renamed
from filmless.dicom.rewrite import Encoding, deflate, elements, inflate
from filmless.dicom.scan import scan
from filmless.dicom.uids import EXPLICIT_VR_LE, transfer_syntax


def copied(
    instance: StoredInstance,
    root: Path,
    layer: Layer,
    *,
    names: Mapping[str, str],
    without: Callable[[int], bool] = lambda _: False,
) -> Leaving:
    """The data set of the copy: as the object leaves, corrections and all, then `layer` over it.

    `names`: other UIDs for objects, series and the study, wherever they are referred to. `without`: whether the copy
    does not have an attribute (tag) that `layer` does not tell. Both are recorded as the layer is, in the Original
    Attributes Sequence. `root` is the store's.
    The same arguments give the same bytes. Raises as archive.leaving.leaving.
    """
    out = leaving(instance, root)
    syntax = transfer_syntax(out.transfer_syntax)
    if syntax.deflated:
        whole = inflate(out.head or b"".join(out.chunks()))
        made, rest = _made(whole, EXPLICIT_VR_LE, instance, layer, names, without)
        return Leaving(deflate(made + whole[rest:]), out.path, out.offset, 0, out.transfer_syntax)
    if out.head:
        made, _ = _made(out.head, out.transfer_syntax, instance, layer, names, without)
        return Leaving(made, out.path, out.offset, out.length, out.transfer_syntax)
    with out.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        view = memoryview(mapped)
        part = view[out.offset : out.offset + out.length]
        try:
            if len(part) != out.length:
                raise OSError(0, "the file is too short")
            made, rest = _made(part, out.transfer_syntax, instance, layer, names, without)
        finally:
            part.release()
            view.release()
    return Leaving(made, out.path, out.offset + rest, out.length - rest, out.transfer_syntax)


def _made(
    data: bytes | memoryview,
    transfer_syntax_uid: str,
    instance: StoredInstance,
    layer: Layer,
    names: Mapping[str, str],
    without: Callable[[int], bool],
) -> tuple[bytes, int]:
    """(the elements before the pixel data as the copy has them, where in `data` the rest begins)."""
    header = scan(data, transfer_syntax_uid, frozenset())
    rest = len(data) if header.pixel_offset is None else header.pixel_offset
    encoding = Encoding(header.explicit, header.little)
    before = bytes(data[:rest])
    there = {element.tag for element in elements(before, 0, len(before), encoding)}
    changes = {**{tag: None for tag in there if without(tag)}, **layer.changes}
    whole = Layer(changes, layer.at, layer.reason, layer.system, layer.source)
    corrected = overlay.apply(before, [whole], encoding, character_set=instance.character_set)
    return _but_for_the_record(corrected, encoding, names), rest


def _but_for_the_record(data: bytes, encoding: Encoding, names: Mapping[str, str]) -> bytes:
    """Renamed; what the Original Attributes Sequence tells of before stays as it was."""
    out = bytearray()
    for element in elements(data, 0, len(data), encoding):
        one = data[element.start : element.after]
        if element.tag == overlay.ORIGINAL_ATTRIBUTES:
            out += one
        elif element.tag & 0xFFFF:
            # lengths of groups (retired, PS3.5 7.2) might be wrong now
            out += renamed(one, encoding, names)
    return bytes(out)
