"""DIMSE messages (PS3.7): command sets, their fields, and what status codes mean.

Command sets are always implicit VR little endian and small, so they are read and written by hand here.
"""

import struct
from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Any, Final

from filmless.dicom.statuses import STATUSES as STATUSES

Value = int | str | list[str] | list[int]


class CommandField(IntEnum):
    """Command Field (0000,0100), PS3.7 table E.1-1. A response is its request with bit 15 set."""

    C_STORE_RQ = 0x0001
    C_STORE_RSP = 0x8001
    C_GET_RQ = 0x0010
    C_GET_RSP = 0x8010
    C_FIND_RQ = 0x0020
    C_FIND_RSP = 0x8020
    C_MOVE_RQ = 0x0021
    C_MOVE_RSP = 0x8021
    C_ECHO_RQ = 0x0030
    C_ECHO_RSP = 0x8030
    N_EVENT_REPORT_RQ = 0x0100
    N_EVENT_REPORT_RSP = 0x8100
    N_GET_RQ = 0x0110
    N_GET_RSP = 0x8110
    N_SET_RQ = 0x0120
    N_SET_RSP = 0x8120
    N_ACTION_RQ = 0x0130
    N_ACTION_RSP = 0x8130
    N_CREATE_RQ = 0x0140
    N_CREATE_RSP = 0x8140
    N_DELETE_RQ = 0x0150
    N_DELETE_RSP = 0x8150
    C_CANCEL_RQ = 0x0FFF


RESPONSE: Final = 0x8000
NO_DATASET: Final = 0x0101  # Command Data Set Type, PS3.7 E.1
HAS_DATASET: Final = 0x0001

#: element number in group 0000 -> (VR, keyword): PS3.7 table E.1-1
ELEMENTS: Final[dict[int, tuple[str, str]]] = {
    0x0002: ("UI", "AffectedSOPClassUID"),
    0x0003: ("UI", "RequestedSOPClassUID"),
    0x0100: ("US", "CommandField"),
    0x0110: ("US", "MessageID"),
    0x0120: ("US", "MessageIDBeingRespondedTo"),
    0x0600: ("AE", "MoveDestination"),
    0x0700: ("US", "Priority"),
    0x0800: ("US", "CommandDataSetType"),
    0x0900: ("US", "Status"),
    0x0901: ("AT", "OffendingElement"),
    0x0902: ("LO", "ErrorComment"),
    0x0903: ("US", "ErrorID"),
    0x1000: ("UI", "AffectedSOPInstanceUID"),
    0x1001: ("UI", "RequestedSOPInstanceUID"),
    0x1002: ("US", "EventTypeID"),
    0x1005: ("AT", "AttributeIdentifierList"),
    0x1008: ("US", "ActionTypeID"),
    0x1020: ("US", "NumberOfRemainingSuboperations"),
    0x1021: ("US", "NumberOfCompletedSuboperations"),
    0x1022: ("US", "NumberOfFailedSuboperations"),
    0x1023: ("US", "NumberOfWarningSuboperations"),
    0x1030: ("AE", "MoveOriginatorApplicationEntityTitle"),
    0x1031: ("US", "MoveOriginatorMessageID"),
}
_NUMBER: Final = {keyword: number for number, (_, keyword) in ELEMENTS.items()}
_NUMBERS_US: Final = frozenset(number for number, (vr, _) in ELEMENTS.items() if vr == "US")

_HEAD = struct.Struct("<HHI")
_US = struct.Struct("<HHIH")


class CommandError(ValueError):
    """A received command set cannot be read."""


class Command(Mapping[str, Any]):
    """A command set: a mapping from keyword to value, with properties for the fields used most.

    US values are int, AT a list of tags as int, the rest str. An absent field reads as 0 or "" through the
    properties.
    """

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, Value] | None = None, /, **more: Value) -> None:
        """Fields by keyword. Raises KeyError for a keyword that is no command field."""
        given = {**(fields or {}), **more}
        self._fields: dict[int, Value] = {_NUMBER[keyword]: value for keyword, value in given.items()}

    @classmethod
    def decode(cls, data: bytes) -> "Command":
        """Read a command set. Elements of other groups and unknown elements are passed over.

        Raises CommandError where lengths do not fit, or where there is no Command Field.
        """
        command = cls.__new__(cls)
        fields = command._fields = {}
        pos, end = 0, len(data)
        unpack = _HEAD.unpack_from
        try:
            while pos < end:
                group, element, length = unpack(data, pos)
                pos += 8
                stop = pos + length
                if stop > end:
                    raise CommandError("an element is longer than the command set")
                if group == 0:
                    if element in _NUMBERS_US:
                        if length >= 2:
                            fields[element] = data[pos] | data[pos + 1] << 8
                    elif element in ELEMENTS:
                        fields[element] = _decode_value(ELEMENTS[element][0], data[pos:stop])
                pos = stop
        except struct.error:
            raise CommandError("the command set is cut off") from None
        if 0x0100 not in fields:
            raise CommandError("a command set without Command Field")
        return command

    def encode(self) -> bytes:
        """The command set with its group length, elements in ascending order."""
        out = bytearray()
        for number in sorted(self._fields):
            value = self._fields[number]
            if number in _NUMBERS_US:
                out += _US.pack(0, number, 2, value)
                continue
            raw = _encode_value(ELEMENTS[number][0], value)
            out += _HEAD.pack(0, number, len(raw)) + raw
        return b"\0\0\0\0\x04\0\0\0" + len(out).to_bytes(4, "little") + bytes(out)

    def __getitem__(self, keyword: str) -> Any:
        number = _NUMBER.get(keyword, -1)
        return self._fields[number]

    def __iter__(self) -> Iterator[str]:
        return (ELEMENTS[number][1] for number in sorted(self._fields))

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        return f"Command({', '.join(f'{k}={v!r}' for k, v in self.items())})"

    def _number(self, element: int) -> int:
        value = self._fields.get(element, 0)
        return value if isinstance(value, int) else 0

    def _text(self, element: int) -> str:
        value = self._fields.get(element, "")
        return value if isinstance(value, str) else ""

    @property
    def command_field(self) -> int:
        return self._number(0x0100)

    @property
    def message_id(self) -> int:
        return self._number(0x0110)

    @property
    def responds_to(self) -> int:
        """Message ID Being Responded To; also what a C-CANCEL is about."""
        return self._number(0x0120)

    @property
    def is_response(self) -> bool:
        return bool(self._number(0x0100) & RESPONSE)

    @property
    def has_dataset(self) -> bool:
        return self._fields.get(0x0800, NO_DATASET) != NO_DATASET

    @property
    def status(self) -> int:
        return self._number(0x0900)

    @property
    def priority(self) -> int:
        return self._number(0x0700)

    @property
    def affected_sop_class_uid(self) -> str:
        return self._text(0x0002)

    @property
    def requested_sop_class_uid(self) -> str:
        return self._text(0x0003)

    @property
    def affected_sop_instance_uid(self) -> str:
        return self._text(0x1000)

    @property
    def requested_sop_instance_uid(self) -> str:
        return self._text(0x1001)

    @property
    def move_destination(self) -> str:
        return self._text(0x0600)

    @property
    def move_originator_ae(self) -> str:
        return self._text(0x1030)

    @property
    def move_originator_id(self) -> int:
        return self._number(0x1031)

    @property
    def error_comment(self) -> str:
        return self._text(0x0902)

    @property
    def event_type_id(self) -> int:
        return self._number(0x1002)

    @property
    def action_type_id(self) -> int:
        return self._number(0x1008)

    @property
    def remaining(self) -> int:
        return self._number(0x1020)

    @property
    def completed(self) -> int:
        return self._number(0x1021)

    @property
    def failed(self) -> int:
        return self._number(0x1022)

    @property
    def warning(self) -> int:
        return self._number(0x1023)


def _decode_value(vr: str, raw: bytes) -> Value:
    if vr == "AT":
        return [group << 16 | element for group, element in struct.iter_unpack("<HH", raw[: len(raw) & ~3])]
    return raw.rstrip(b"\0 ").decode("latin-1").lstrip(" ")


def _encode_value(vr: str, value: Value) -> bytes:
    if vr == "AT":
        tags = value if isinstance(value, list) else [value]
        return b"".join(struct.pack("<HH", int(tag) >> 16, int(tag) & 0xFFFF) for tag in tags)
    raw = str(value).encode("latin-1", "replace")
    if vr == "LO":
        raw = raw[:64]  # Error Comment is one LO of at most 64 characters (PS3.7 annex C)
    if len(raw) % 2:
        raw += b"\0" if vr == "UI" else b" "
    return raw


# -- requests and responses ----------------------------------------------------------------------------


def echo_rq(message_id: int, sop_class_uid: str = "1.2.840.10008.1.1") -> Command:
    """C-ECHO-RQ (PS3.7 9.3.5.1)."""
    return Command(
        AffectedSOPClassUID=sop_class_uid,
        CommandField=CommandField.C_ECHO_RQ,
        MessageID=message_id,
        CommandDataSetType=NO_DATASET,
    )


def store_rq(
    message_id: int,
    sop_class_uid: str,
    sop_instance_uid: str,
    *,
    priority: int = 0,
    originator: tuple[str, int] | None = None,
) -> Command:
    """C-STORE-RQ (PS3.7 9.3.1.1); `originator` is AE title and Message ID of the C-MOVE that asked."""
    fields: dict[str, Value] = {
        "AffectedSOPClassUID": sop_class_uid,
        "CommandField": CommandField.C_STORE_RQ,
        "MessageID": message_id,
        "Priority": priority,
        "CommandDataSetType": HAS_DATASET,
        "AffectedSOPInstanceUID": sop_instance_uid,
    }
    if originator is not None:
        fields["MoveOriginatorApplicationEntityTitle"], fields["MoveOriginatorMessageID"] = originator
    return Command(fields)


def find_rq(message_id: int, sop_class_uid: str, *, priority: int = 0) -> Command:
    """C-FIND-RQ (PS3.7 9.3.2.1)."""
    return _query_rq(CommandField.C_FIND_RQ, message_id, sop_class_uid, priority)


def get_rq(message_id: int, sop_class_uid: str, *, priority: int = 0) -> Command:
    """C-GET-RQ (PS3.7 9.3.3.1)."""
    return _query_rq(CommandField.C_GET_RQ, message_id, sop_class_uid, priority)


def move_rq(message_id: int, sop_class_uid: str, destination: str, *, priority: int = 0) -> Command:
    """C-MOVE-RQ (PS3.7 9.3.4.1)."""
    return _query_rq(CommandField.C_MOVE_RQ, message_id, sop_class_uid, priority, MoveDestination=destination)


def cancel_rq(message_id: int) -> Command:
    """C-CANCEL-RQ (PS3.7 9.3.2.3) for the operation begun with `message_id`."""
    return Command(
        CommandField=CommandField.C_CANCEL_RQ,
        MessageIDBeingRespondedTo=message_id,
        CommandDataSetType=NO_DATASET,
    )


def normalized_rq(
    field: CommandField,
    message_id: int,
    sop_class_uid: str,
    sop_instance_uid: str,
    *,
    has_dataset: bool,
    **more: Value,
) -> Command:
    """A request of a DIMSE-N service (PS3.7 10.3). N-EVENT-REPORT and N-CREATE name the affected class and
    instance, the others the requested ones; `more` takes EventTypeID, ActionTypeID, AttributeIdentifierList."""
    which = "Affected" if field in _AFFECTED else "Requested"
    fields: dict[str, Value] = {
        f"{which}SOPClassUID": sop_class_uid,
        "CommandField": field,
        "MessageID": message_id,
        "CommandDataSetType": HAS_DATASET if has_dataset else NO_DATASET,
    }
    if sop_instance_uid:
        fields[f"{which}SOPInstanceUID"] = sop_instance_uid
    return Command({**fields, **more})


def response_to(
    request: Command,
    status: int,
    *,
    has_dataset: bool = False,
    comment: str = "",
    fields: Mapping[str, Value] | None = None,
) -> Command:
    """The response to any request but C-CANCEL: class, instance and type IDs are repeated from it."""
    get = request._fields.get
    answer: dict[int, Value] = {
        0x0100: request.command_field | RESPONSE,
        0x0120: request.message_id,
        0x0800: HAS_DATASET if has_dataset else NO_DATASET,
        0x0900: status,
    }
    if sop_class := get(0x0002) or get(0x0003):
        answer[0x0002] = sop_class
    if sop_instance := get(0x1000) or get(0x1001):
        answer[0x1000] = sop_instance
    for number in (0x1002, 0x1008):
        if number in request._fields:
            answer[number] = request._fields[number]
    if comment:
        answer[0x0902] = comment
    for keyword, value in (fields or {}).items():
        answer[_NUMBER[keyword]] = value
    command = Command.__new__(Command)
    command._fields = answer
    return command


def _query_rq(
    field: CommandField, message_id: int, sop_class_uid: str, priority: int, **more: Value
) -> Command:
    return Command(
        {
            "AffectedSOPClassUID": sop_class_uid,
            "CommandField": field,
            "MessageID": message_id,
            "Priority": priority,
            "CommandDataSetType": HAS_DATASET,
            **more,
        }
    )


_AFFECTED: Final = (CommandField.N_EVENT_REPORT_RQ, CommandField.N_CREATE_RQ)
