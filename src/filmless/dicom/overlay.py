"""Corrections laid over a data set: some top-level elements replaced, put in or taken out, and a record of it.

All else keeps its bytes. Each layer adds an item to the Original Attributes Sequence with the values before it
(PS3.3 C.12.1.1.9). Text that the declared character set cannot hold raises the whole header to UTF-8.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from filmless.dicom.charset import UTF_8, can_encode, decode, terms
from filmless.dicom.elements import Buffer
from filmless.dicom.header import SPECIFIC_CHARACTER_SET
from filmless.dicom.json_read import to_data_set
from filmless.dicom.recode import TEXT, Lost, Recoder, head, sequence, write
from filmless.dicom.rewrite import EXPLICIT_LE, IMPLICIT_LE, Element, Encoding, elements, reencode
from filmless.dicom.vr import dictionary_vr, settled_vr
from filmless.kit.errors import Refused

ORIGINAL_ATTRIBUTES = 0x04000561
_NONCONFORMING = 0x04000551
_PATIENT_ID, _ISSUER = 0x00100020, 0x00100021

#: characters of one value (PS3.5 table 6.2-1)
_LONGEST = {"AE": 16, "AS": 4, "CS": 16, "DA": 8, "DS": 16, "DT": 26, "IS": 12, "LO": 64, "LT": 10240,
            "PN": 64, "SH": 16, "ST": 1024, "TM": 14, "UI": 64}  # fmt: skip
_FORMS = {
    "AS": re.compile(r"\d{3}[DWMY]"),
    "CS": re.compile(r"[A-Z0-9 _]*"),
    "DA": re.compile(r"\d{8}"),
    "DS": re.compile(r" *[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)? *"),
    "IS": re.compile(r" *[+-]?\d+ *"),
    "TM": re.compile(r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)? *"),
    "UI": re.compile(r"[0-9.]+"),
}

TOO_LONG = "too long"
#: how our corrections name themselves: Modifying System (0400,0563)
SYSTEM = "Filmless"

#: DICOM JSON of elements (PS3.18 annex F) by tag; None takes the element out
Changes = Mapping[int, Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Layer:
    """One correction of top-level elements, as the data set records it."""

    changes: Changes
    at: datetime
    #: Reason for the Attribute Modification: "CORRECT" or "COERCE"
    reason: str = "CORRECT"
    #: Modifying System, and Source of Previous Values ("" where not known)
    system: str = SYSTEM
    source: str = ""


def apply(data: Buffer, layers: Sequence[Layer], encoding: Encoding, *, character_set: str = "") -> bytes:
    """`data`, the elements before the pixel data, with the layers over it, the first one lowest.

    `character_set` is assumed where the data set declares none. The same data and layers give the same bytes. Raises
    Refused where the data do not add up to elements, or a change is not as PS3.18 F asks.
    """
    whole = bytes(data)
    for layer in layers:
        whole = _apply(whole, layer, encoding, character_set)
    return whole


def _apply(data: bytes, layer: Layer, encoding: Encoding, assumed: str) -> bytes:
    found: dict[int, Element] = {}
    for element in elements(data, 0, len(data), encoding):
        found.setdefault(element.tag, element)
    declared = _declared(data, found)
    correct = Recoder(declared, declared, assumed=assumed)
    new_set = declared
    if SPECIFIC_CHARACTER_SET in layer.changes:
        member = layer.changes[SPECIFIC_CHARACTER_SET] or {}
        new_set = "\\".join(str(one or "") for one in member.get("Value", ()))
    texts = list(_texts(layer.changes))
    raised = not all(can_encode(text, new_set) for text in texts)
    if raised:
        # read by the declaration in force, which this layer may have put right
        correct = Recoder(new_set, UTF_8, assumed=assumed)
        new_set = UTF_8
    changes = _encoded(layer.changes, new_set, encoding)
    if raised:
        changes[SPECIFIC_CHARACTER_SET] = write(SPECIFIC_CHARACTER_SET, "CS", UTF_8.encode(), encoding)
    out: list[tuple[int, bytes]] = []
    due = sorted(changes.items())
    touched = {tag >> 16 for tag in changes} | {ORIGINAL_ATTRIBUTES >> 16}
    for element in elements(data, 0, len(data), encoding):
        while due and due[0][0] <= element.tag:
            tag, encoded = due.pop(0)
            if encoded is not None:
                out.append((tag, encoded))
        if element.tag in changes or element.tag == ORIGINAL_ATTRIBUTES:
            continue
        same = data[element.start : element.after]
        kept = correct.element(data, element, encoding) if raised else same
        if kept != same:
            touched.add(element.tag >> 16)
        out.append((element.tag, kept))
    out += [(tag, encoded) for tag, encoded in due if encoded is not None]
    record = _record(data, found, layer, encoding, raised=raised, declared=declared, assumed=assumed)
    if correct.lost:
        record[_NONCONFORMING] = _nonconforming(correct.lost, encoding, record.get(_NONCONFORMING, b""))
    item = b"".join(one for _, one in sorted(record.items()))
    originals = _originals(data, found.get(ORIGINAL_ATTRIBUTES), item, encoding, correct if raised else None)
    place = next((at for at, (tag, _) in enumerate(out) if tag > ORIGINAL_ATTRIBUTES), len(out))
    out.insert(place, (ORIGINAL_ATTRIBUTES, originals))
    # lengths of groups (retired, PS3.5 7.2) that would be wrong now
    return b"".join(one for tag, one in out if tag & 0xFFFF or tag >> 16 not in touched)


def _declared(data: bytes, found: Mapping[int, Element]) -> str:
    own = found.get(SPECIFIC_CHARACTER_SET)
    if own is None:
        return ""
    return data[own.value : own.end].decode("ascii", "replace").strip("\0 ")


def _texts(changes: Mapping[Any, Any]) -> Iterator[str]:
    """Every text that the changes bring, also in items."""
    for member in changes.values():
        if member is None:
            continue
        vr = member.get("vr")
        for value in member.get("Value", ()):
            if vr == "SQ":
                yield from _texts(value or {})
            elif vr == "PN":
                yield from (str(group) for group in (value or {}).values() if group)
            elif vr in TEXT and value is not None:
                yield str(value)


def _encoded(changes: Changes, character_set: str, encoding: Encoding) -> dict[int, bytes | None]:
    """The changed elements in the data set's own encoding and character set."""
    faults: list[str] = []
    out: dict[int, bytes | None] = {tag: None for tag, member in changes.items() if member is None}
    for tag, member in changes.items():
        if member is None:
            continue
        if tag == SPECIFIC_CHARACTER_SET:
            # to_data_set would say what itself writes
            value = "\\".join(str(one or "") for one in member.get("Value", ()))
            out[tag] = write(tag, "CS", value.encode("ascii", "replace"), encoding)
            continue
        plain = to_data_set({f"{tag:08X}": member}, warn=lambda at, words: faults.append(f"{at:08X} {words}"))
        element = next((e for e in elements(plain, 0, len(plain), EXPLICIT_LE) if e.tag == tag), None)
        if element is None or faults:
            raise Refused(f"The new value of {tag:08X} cannot be written.", code="bad-value")
        one = Recoder(UTF_8, character_set).element(plain, element, EXPLICIT_LE)
        out[tag] = reencode(one, 0, len(one), EXPLICIT_LE, encoding)
    return out


def _record(
    data: bytes,
    found: Mapping[int, Element],
    layer: Layer,
    encoding: Encoding,
    *,
    raised: bool,
    declared: str,
    assumed: str,
) -> dict[int, bytes]:
    """The item of the Original Attributes Sequence, by tag."""
    wanted = set(layer.changes)
    if _PATIENT_ID in wanted:
        wanted.add(_ISSUER)
    if SPECIFIC_CHARACTER_SET in wanted or raised:
        wanted.discard(SPECIFIC_CHARACTER_SET)
        if SPECIFIC_CHARACTER_SET in found:
            # says by itself how the values before are to be read
            wanted.add(SPECIFIC_CHARACTER_SET)
    # where nothing was declared, the values before are read as the rest of the data set
    old = Recoder("", UTF_8, assumed=assumed) if raised and SPECIFIC_CHARACTER_SET not in found else None
    parts: list[bytes] = []
    nonconforming: list[Lost] = []
    for tag in sorted(wanted):
        element = found.get(tag)
        if element is None:
            member = layer.changes.get(tag)
            vr = str(member["vr"]) if member else dictionary_vr(tag)
            parts.append(write(tag, vr, b"", encoding))
            continue
        value = data[element.value : element.end]
        vr = settled_vr(tag, element.vr, len(value), signed=False)
        if _conforms(vr, value, declared or assumed):
            kept = old.element(data, element, encoding) if old else data[element.start : element.after]
            parts.append(kept)
        else:
            nonconforming.append(Lost((tag,), value))
            parts.append(write(tag, vr, b"", encoding))
    record = {
        0x04000550: sequence(0x04000550, [b"".join(parts)], encoding),
        0x04000562: write(0x04000562, "DT", _moment(layer.at), encoding),
        0x04000563: write(0x04000563, "LO", layer.system.encode("ascii", "replace"), encoding),
        0x04000564: write(0x04000564, "LO", layer.source.encode("ascii", "replace"), encoding),
        0x04000565: write(0x04000565, "CS", layer.reason.encode("ascii"), encoding),
    }
    if nonconforming:
        record[_NONCONFORMING] = _nonconforming(nonconforming, encoding)
    return record


def _moment(at: datetime) -> bytes:
    return at.astimezone(UTC).strftime("%Y%m%d%H%M%S.%f+0000").encode("ascii")


def _conforms(vr: str, value: bytes, character_set: str) -> bool:
    """Whether a value is as its VR asks (PS3.5 6.2); one that is not has its own place in the record."""
    if vr not in _LONGEST:
        return True
    text, fault = decode(value, character_set, name=vr == "PN")
    if fault:
        return False
    parts = (text.rstrip(" "),) if vr in ("LT", "ST") else text.split("\\")
    return not any(wrong_form(vr, part.rstrip("\0 " if vr == "UI" else " ")) for part in parts)


def wrong_form(vr: str, text: str) -> str:
    """What is wrong with one value without padding (PS3.5 table 6.2-1): TOO_LONG, "form", or "" where nothing is."""
    groups = text.split("=") if vr == "PN" else [text]
    if vr in _LONGEST and (len(groups) > 3 or any(len(group) > _LONGEST[vr] for group in groups)):
        return TOO_LONG
    form = _FORMS.get(vr)
    return "form" if text and form is not None and not form.fullmatch(text) else ""


def _nonconforming(lost: Sequence[Lost], encoding: Encoding, before: bytes = b"") -> bytes:
    """Nonconforming Modified Attributes Sequence: values byte for byte, each with the way to it (PS3.3 10.17)."""
    contents: list[bytes] = []
    for path, value in lost:
        tags, numbers = path[::2], path[1::2]
        order = "little" if encoding.little else "big"

        def at(*all_tags: int, order: Any = order) -> bytes:
            return b"".join(
                (tag >> 16).to_bytes(2, order) + (tag & 0xFFFF).to_bytes(2, order) for tag in all_tags
            )

        parts = {
            0x00720026: write(0x00720026, "AT", at(tags[-1]), encoding),
            0x00720028: write(0x00720028, "US", (1).to_bytes(2, order), encoding),  # type: ignore[arg-type]
            0x04000552: write(0x04000552, "OB", value, encoding),
        }
        if numbers:
            parts[0x00720052] = write(0x00720052, "AT", at(*tags[:-1]), encoding)
            items = "\\".join(map(str, numbers)).encode()
            parts[0x00741057] = write(0x00741057, "IS", items, encoding)
        contents.append(b"".join(one for _, one in sorted(parts.items())))
    if before:
        old = next(elements(before, 0, len(before), encoding))
        inside = before[old.value : old.end]
        new = sequence(_NONCONFORMING, contents, encoding)
        added = next(elements(new, 0, len(new), encoding))
        inside += new[added.value : added.end]
        return head(_NONCONFORMING, "SQ", len(inside), encoding) + inside
    return sequence(_NONCONFORMING, contents, encoding)


def _originals(
    data: bytes, existing: Element | None, item: bytes, encoding: Encoding, recoder: Recoder | None
) -> bytes:
    """The Original Attributes Sequence with one item more; those that are there stay as they are."""
    if existing is None:
        return sequence(ORIGINAL_ATTRIBUTES, [item], encoding)
    whole = data[existing.start : existing.after]
    if recoder is not None:
        whole = recoder.element(data, existing, encoding)
    old = next(elements(whole, 0, len(whole), encoding))
    inner = encoding
    if old.vr == "UN":
        inner = IMPLICIT_LE
        item = reencode(item, 0, len(item), encoding, inner)
    added = sequence(ORIGINAL_ATTRIBUTES, [item], inner)
    content = next(elements(added, 0, len(added), inner))
    inside = whole[old.value : old.end] + added[content.value : content.end]
    vr = old.vr or "SQ"
    if not old.undefined:
        return head(ORIGINAL_ATTRIBUTES, vr, len(inside), encoding) + inside
    end = head(0xFFFEE0DD, "", 0, encoding)
    return head(ORIGINAL_ATTRIBUTES, vr, 0xFFFFFFFF, encoding) + inside + end


def known_character_set(declaration: str) -> bool:
    """Whether every term of a declaration is one of the standard's that we can read."""
    return all(can_encode("", term) and (not term or _readable(term)) for term in terms(declaration))


def _readable(term: str) -> bool:
    _, fault = decode(b"\xc3\xa4", term)
    return not fault.startswith("unknown character set")
