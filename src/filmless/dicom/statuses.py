"""What the status codes of DIMSE responses mean (PS3.7 annex C, PS3.4 for each service)."""

from typing import Final, Literal

Category = Literal["success", "pending", "cancel", "warning", "failure"]

SUCCESS: Final = 0x0000
PENDING: Final = 0xFF00
PENDING_WARNING: Final = 0xFF01
CANCELLED: Final = 0xFE00
PROCESSING_FAILURE: Final = 0x0110
NO_SUCH_INSTANCE: Final = 0x0112
SOP_CLASS_NOT_SUPPORTED: Final = 0x0122
NOT_AUTHORIZED: Final = 0x0124
UNRECOGNIZED_OPERATION: Final = 0x0211
OUT_OF_RESOURCES: Final = 0xA700

#: code -> (category, words, where from)
STATUSES: Final[dict[int, tuple[Category, str, str]]] = {
    0x0000: ("success", "success", "PS3.7 C.1.1"),
    0x0001: ("warning", "requested optional attributes are not supported", "PS3.4 F.7.2, H.4"),
    0x0105: ("failure", "no such attribute", "PS3.7 C.5.16"),
    0x0106: ("failure", "invalid attribute value", "PS3.7 C.5.11"),
    0x0107: ("warning", "attribute list error", "PS3.7 C.4.2"),
    0x0110: ("failure", "processing failure", "PS3.7 C.5.21"),
    0x0111: ("failure", "duplicate SOP instance", "PS3.7 C.5.7"),
    0x0112: ("failure", "no such SOP instance", "PS3.7 C.5.19"),
    0x0113: ("failure", "no such event type", "PS3.7 C.5.18"),
    0x0114: ("failure", "no such argument", "PS3.7 C.5.15"),
    0x0115: ("failure", "invalid argument value", "PS3.7 C.5.10"),
    0x0116: ("warning", "attribute value out of range", "PS3.7 C.4.3"),
    0x0117: ("failure", "invalid object instance", "PS3.7 C.5.12"),
    0x0118: ("failure", "no such SOP class", "PS3.7 C.5.20"),
    0x0119: ("failure", "class-instance conflict", "PS3.7 C.5.6"),
    0x0120: ("failure", "missing attribute", "PS3.7 C.5.13"),
    0x0121: ("failure", "missing attribute value", "PS3.7 C.5.14"),
    0x0122: ("failure", "SOP class not supported", "PS3.7 C.5.24"),
    0x0123: ("failure", "no such action", "PS3.7 C.5.17"),
    0x0124: ("failure", "not authorised", "PS3.7 C.5.25"),
    0x0131: ("failure", "failed because out of resources", "PS3.4 J.3"),
    0x0210: ("failure", "duplicate invocation", "PS3.7 C.5.8"),
    0x0211: ("failure", "unrecognised operation", "PS3.7 C.5.23"),
    0x0212: ("failure", "mistyped argument", "PS3.7 C.5.22"),
    0x0213: ("failure", "resource limitation", "PS3.7 C.5.26"),
    0xA700: ("failure", "out of resources", "PS3.4 B.2.3, C.4"),
    0xA701: ("failure", "out of resources: unable to calculate number of matches", "PS3.4 C.4.2.1.5"),
    0xA702: ("failure", "out of resources: unable to perform sub-operations", "PS3.4 C.4.2.1.5"),
    0xA710: ("failure", "invalid prior record key", "PS3.4 K.4.1.1.4"),
    0xA801: ("failure", "move destination unknown", "PS3.4 C.4.2.1.5"),
    0xA900: ("failure", "data set does not match SOP class", "PS3.4 B.2.3, C.4"),
    0xB000: ("warning", "coercion of data elements, or sub-operations with failures", "PS3.4 B.2.3, C.4.2"),
    0xB006: ("warning", "elements discarded", "PS3.4 B.2.3"),
    0xB007: ("warning", "data set does not match SOP class", "PS3.4 B.2.3"),
    0xFE00: ("cancel", "cancelled", "PS3.7 C.3"),
    0xFF00: ("pending", "pending", "PS3.7 C.2"),
    0xFF01: ("pending", "pending; optional keys are not supported", "PS3.4 C.4.1.1.4"),
}


def category(status: int) -> Category:
    """The category of a code, also of one that no table names (PS3.7 annex C)."""
    if status in STATUSES:
        return STATUSES[status][0]
    return "warning" if status >> 12 == 0xB else "failure"


def words(status: int) -> str:
    """A code in words with its number, e.g. 'out of resources (A700)'."""
    if status in STATUSES:
        return f"{STATUSES[status][1]} ({status:04X})"
    if 0xA700 <= status <= 0xA7FF:
        return f"out of resources ({status:04X})"
    if 0xA900 <= status <= 0xA9FF:
        return f"data set does not match SOP class ({status:04X})"
    if status >> 12 == 0xC:
        return f"cannot understand or unable to process ({status:04X})"
    return f"status {status:04X}"
