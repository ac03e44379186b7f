"""Command sets against an independent reader and writer (pydicom), and status codes in words."""

import random
from io import BytesIO

import pytest
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import dcmread
from pydicom.filewriter import write_dataset

from filmless.dicom import dimse, statuses
from filmless.dicom.dimse import Command, CommandError, CommandField

CT = "1.2.840.10008.5.1.4.1.1.2"


def by_pydicom(data: bytes) -> Dataset:
    return dcmread(BytesIO(data), force=True)  # implicit VR little endian, without meta information


def written(**fields: object) -> bytes:
    """A command set as pydicom writes it, group length included."""
    dataset = Dataset()
    for keyword, value in fields.items():
        setattr(dataset, keyword, value)
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = True, True
    write_dataset(buffer, dataset)
    raw = buffer.getvalue()
    return b"\0\0\0\0\x04\0\0\0" + len(raw).to_bytes(4, "little") + raw


def test_store_request_as_pydicom_reads_it() -> None:
    command = dimse.store_rq(7, CT, "1.2.3.45", priority=1, originator=("MOVER", 12))
    read = by_pydicom(command.encode())
    assert read.AffectedSOPClassUID == CT
    assert read.CommandField == 1 and read.MessageID == 7 and read.Priority == 1
    assert read.CommandDataSetType != 0x0101
    assert read.AffectedSOPInstanceUID == "1.2.3.45"
    assert read.MoveOriginatorApplicationEntityTitle == "MOVER" and read.MoveOriginatorMessageID == 12
    assert read.CommandGroupLength == len(command.encode()) - 12


def test_what_pydicom_writes_is_read() -> None:
    command = Command.decode(
        written(
            AffectedSOPClassUID=CT,
            CommandField=0x8021,
            MessageIDBeingRespondedTo=9,
            CommandDataSetType=0x0101,
            Status=0xB000,
            OffendingElement=[0x00100010, 0x7FE00010],
            ErrorComment="two of three",
            NumberOfRemainingSuboperations=0,
            NumberOfCompletedSuboperations=2,
            NumberOfFailedSuboperations=1,
            NumberOfWarningSuboperations=3,
        )
    )
    assert command.command_field == CommandField.C_MOVE_RSP and command.is_response
    assert command.responds_to == 9 and not command.has_dataset
    assert (command.completed, command.failed, command.warning, command.remaining) == (2, 1, 3, 0)
    assert command["OffendingElement"] == [0x00100010, 0x7FE00010]
    assert command.error_comment == "two of three" and command.status == 0xB000
    assert Command.decode(command.encode()) == command


@pytest.mark.parametrize(
    ("command", "field", "has_dataset"),
    [
        (dimse.echo_rq(1), 0x0030, False),
        (dimse.find_rq(1, CT), 0x0020, True),
        (dimse.get_rq(1, CT), 0x0010, True),
        (dimse.move_rq(1, CT, "DEST"), 0x0021, True),
        (dimse.cancel_rq(1), 0x0FFF, False),
        (
            dimse.normalized_rq(CommandField.N_ACTION_RQ, 1, CT, "1.2", has_dataset=True, ActionTypeID=1),
            0x0130,
            True,
        ),
        (dimse.normalized_rq(CommandField.N_CREATE_RQ, 1, CT, "", has_dataset=False), 0x0140, False),
    ],
)
def test_requests(command: Command, field: int, has_dataset: bool) -> None:
    read = by_pydicom(command.encode())
    assert read.CommandField == field
    assert (read.CommandDataSetType != 0x0101) == has_dataset == command.has_dataset


def test_normalized_requests_name_the_right_class() -> None:
    action = dimse.normalized_rq(CommandField.N_ACTION_RQ, 1, CT, "1.2", has_dataset=True)
    event = dimse.normalized_rq(CommandField.N_EVENT_REPORT_RQ, 1, CT, "1.2", has_dataset=True)
    assert action.requested_sop_class_uid == event.affected_sop_class_uid == CT
    assert action.affected_sop_class_uid == event.requested_sop_class_uid == ""


def test_responses_repeat_what_they_answer() -> None:
    action = dimse.normalized_rq(CommandField.N_ACTION_RQ, 5, CT, "1.2", has_dataset=True, ActionTypeID=1)
    answer = dimse.response_to(action, 0x0112, comment="x" * 100)
    assert answer.command_field == CommandField.N_ACTION_RSP and answer.responds_to == 5
    assert answer.affected_sop_class_uid == CT and answer.affected_sop_instance_uid == "1.2"
    assert answer.action_type_id == 1
    assert len(Command.decode(answer.encode()).error_comment) == 64


def test_odd_but_harmless_command_sets_are_read() -> None:
    raw = dimse.echo_rq(3).encode() + b"\x08\0\0\0\x02\0\0\0ab" + b"\0\0\xff\x7f\x02\0\0\0ab"
    assert Command.decode(raw).message_id == 3


@pytest.mark.parametrize("raw", [b"", b"\0" * 7, dimse.echo_rq(1).encode()[:-1], b"\0\0\0\0\xff\xff\xff\xff"])
def test_broken_command_sets_are_refused(raw: bytes) -> None:
    with pytest.raises(CommandError):
        Command.decode(raw)


def test_noise_only_ever_raises_command_error() -> None:
    rng = random.Random(11)
    good = dimse.store_rq(7, CT, "1.2.3.45", originator=("MOVER", 12)).encode()
    for _ in range(3000):
        raw = bytearray(good)
        for _ in range(rng.randint(1, 5)):
            raw[rng.randrange(len(raw))] = rng.randrange(256)
        try:
            command = Command.decode(bytes(raw[: rng.randint(1, len(raw))]))
        except CommandError:
            continue
        assert isinstance(command.message_id, int) and isinstance(command.move_originator_ae, str)
        command.encode()


def test_keywords_that_do_not_exist_are_a_mistake() -> None:
    with pytest.raises(KeyError):
        Command(PatientName="x")


@pytest.mark.parametrize(
    ("status", "category"),
    [
        (0x0000, "success"),
        (0xFF00, "pending"),
        (0xFF01, "pending"),
        (0xFE00, "cancel"),
        (0xB000, "warning"),
        (0xB123, "warning"),
        (0x0107, "warning"),
        (0xA700, "failure"),
        (0xC123, "failure"),
        (0x0110, "failure"),
    ],
)
def test_categories(status: int, category: str) -> None:
    assert statuses.category(status) == category
    assert f"{status:04X}" in statuses.words(status)
