"""A device that is none: it asks for its worklist, tells of its steps (MPPS), stores images, asks for commitment.

Everything goes over the network, as a device's would; nothing here knows the database.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from filmless.app.demonstration import objects
from filmless.app.demonstration.objects import Identity
from filmless.app.simulation import telling
from filmless.archive.references import (
    REFERENCED_SOP_SEQUENCE,
    TRANSACTION_UID,
    Reference,
    encode,
    read_transaction,
    reference_items,
)
from filmless.dicom import json_model
from filmless.dicom.builders import texts
from filmless.dicom.dimse import Command, CommandField
from filmless.dicom.sopclasses import (
    MODALITY_WORKLIST_FIND,
    MR_IMAGE,
    PERFORMED_PROCEDURE_STEP,
    STORAGE_COMMITMENT_PUSH,
    STORAGE_COMMITMENT_PUSH_INSTANCE,
)
from filmless.dicom.statuses import PENDING, PENDING_WARNING, SUCCESS, words
from filmless.dicom.uids import EXPLICIT_VR_LE
from filmless.dicom.ul.negotiation import Context, ContextRequest
from filmless.kit.errors import Refused, Unavailable
from filmless.kit.ids import new_uid
from filmless.net.association import Association, BytesSource, connect
from filmless.net.model import NetSettings, Reply
from filmless.net.serving import Services

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_UTF_8: Final = "ISO_IR 192"
#: seconds for the result of a commitment on the same association
_COMMITMENT: Final = 20.0
#: modality -> what its images show, where the body part says no more
_SHOWS: Final[Mapping[str, str]] = {
    "CT": "head",
    "MR": "brain",
    "DX": "x-ray",
    "CR": "x-ray",
    "US": "ultrasound",
    "MG": "mammogram",
}

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Way:
    """How the device goes about an exam."""

    #: at most so many images of each exam
    images: int = 12
    #: the last so many are told of and never sent
    lost: int = 0
    #: code of CID 9300 under which each exam is discontinued; "" completes them
    discontinue: str = ""
    mpps: bool = True
    commit: bool = True


@dataclass(frozen=True, slots=True)
class Item:
    """An answer of the worklist."""

    answer: Json
    identity: Identity
    step_id: str
    procedure_id: str


@dataclass
class Made:
    """What came of an exam."""

    number: str
    images: int = 0
    sent: int = 0
    committed: int = 0
    status: str = ""
    #: (SOP class, SOP instance, series) of what was made
    objects: list[tuple[str, str, str]] = field(default_factory=list)
    #: what was told of and not sent
    unsent: "list[Dataset]" = field(default_factory=list)


@dataclass
class Modality:
    """A device by its AE title; `called` is the server's."""

    host: str
    port: int
    title: str
    modality: str = "CT"
    called: str = "FILMLESS"
    way: Way = field(default_factory=Way)
    wheel: Path | None = None
    told: Callable[[str], None] = lambda _words: None

    async def work(self, most: int, *, only: Sequence[str] = ()) -> list[Made]:
        """Ask for the worklist and do the first `most` exams of it that have not begun (`only` these numbers, where
        given). Raises Unavailable, Refused."""
        wanted = [one for one in await self.worklist() if not only or one.identity.number in only]
        return [await self.examine(item) for item in wanted[:most]]

    async def worklist(self) -> list[Item]:
        """What it is to do today, in the server's order."""
        today = datetime.now().astimezone().strftime("%Y%m%d")
        step = {
            0x00080060: ("CS", self.modality),
            0x00400001: ("AE", self.title),
            0x00400002: ("DA", today),
            0x00400003: ("TM", ""),
            0x00400007: ("LO", ""),
            0x00400009: ("SH", ""),
            0x00400020: ("CS", ""),
        }
        asked = {
            **dict.fromkeys((0x00080050, 0x00401001), ("SH", "")),
            **dict.fromkeys((0x00100020, 0x00100021, 0x00321060), ("LO", "")),
            0x00100010: ("PN", ""),
            0x00100030: ("DA", ""),
            0x00100040: ("CS", ""),
            0x0020000D: ("UI", ""),
            0x00400100: ("SQ", [step]),
        }
        found: list[Item] = []
        async with self._open([ContextRequest(MODALITY_WORKLIST_FIND, (EXPLICIT_VR_LE,))]) as association:
            context = _context(association, MODALITY_WORKLIST_FIND)
            async for answer, data in association.find(
                context, texts.data_set(asked, EXPLICIT_VR_LE, _UTF_8)
            ):
                if answer.status in (PENDING, PENDING_WARNING) and data is not None:
                    item = self._item(json_model.from_data_set(data, EXPLICIT_VR_LE))
                    if item is not None:
                        found.append(item)
                elif answer.status != SUCCESS:
                    raise Unavailable(f"The worklist failed: {words(answer.status)}.", code="worklist-failed")
        return found

    def _item(self, answer: Json) -> Item | None:
        step = (answer.get("00400100", {}).get("Value") or [{}])[0]
        if _value(step, "00400020") not in ("ARRIVED", "READY", "SCHEDULED"):
            return None
        name = (answer.get("00100010", {}).get("Value") or [{}])[0]
        groups = [str(name.get(group, "")) for group in ("Alphabetic", "Ideographic", "Phonetic")]
        identity = Identity(
            patient_id=_value(answer, "00100020"),
            issuer=_value(answer, "00100021"),
            name="=".join(groups).rstrip("="),
            sex=_value(answer, "00100040"),
            birth_date=_value(answer, "00100030"),
            study_uid=_value(answer, "0020000D"),
            number=_value(answer, "00080050"),
            procedure=_value(answer, "00321060"),
            modality=self.modality,
            body_part="",
            station=self.title,
            at=datetime.now().astimezone(),
        )
        return Item(answer, identity, _value(step, "00400009"), _value(answer, "00401001"))

    async def examine(self, item: Item) -> Made:
        """Do one exam: begin, make and send its images, end, ask for commitment."""
        made = Made(item.identity.number)
        uid = new_uid()
        self.told(f"{self.title}: {item.identity.number} begins")
        if self.way.mpps:
            await self._tell(uid, telling.begun(item.identity, item.step_id, item.procedure_id), create=True)
        images = await asyncio.to_thread(self._images, item)
        made.images = len(images)
        made.objects = [
            (str(one.SOPClassUID), str(one.SOPInstanceUID), str(one.SeriesInstanceUID)) for one in images
        ]
        kept = max(0, len(images) - self.way.lost)
        made.unsent = images[kept:]
        await self.send(images[:kept], made)
        made.status = "DISCONTINUED" if self.way.discontinue else "COMPLETED"
        if self.way.mpps:
            await self._tell(
                uid,
                telling.ended(item.identity.procedure, made.status, made.objects, self.way.discontinue),
                create=False,
            )
        if self.way.commit and made.sent:
            made.committed = await self._commit(made)
        self.told(
            f"{self.title}: {made.number} {made.status.lower()}, {made.sent} of {made.images} images sent"
        )
        return made

    def _images(self, item: Item) -> "list[Dataset]":
        from pydicom import dcmread

        shows = _SHOWS.get(self.modality, "head")
        if shows == "brain" and self.wheel is None:
            # without the template of a brain, slices of the phantom's head
            shows = "head"
        with tempfile.TemporaryDirectory(prefix="filmless-") as folder:
            files = objects.write(Path(folder), item.identity, shows, self.wheel)
            found: list[Dataset] = [dcmread(file) for file in files]
        if self.modality == "MR":
            for one in found:
                one.SOPClassUID = MR_IMAGE
        found.sort(key=lambda one: (int(one.SeriesNumber), int(one.InstanceNumber)))
        middle = max(0, (len(found) - self.way.images) // 2)
        return found[middle : middle + self.way.images]

    async def send(self, images: "Sequence[Dataset]", made: Made) -> None:
        """C-STORE of these images. Raises Unavailable where one is not taken."""
        if not images:
            return
        classes = sorted({str(one.SOPClassUID) for one in images})
        wanted = [ContextRequest(uid, (EXPLICIT_VR_LE,)) for uid in classes]
        async with self._open(wanted) as association:
            for one in images:
                source = BytesSource(
                    _encoded(one),
                    sop_class_uid=str(one.SOPClassUID),
                    sop_instance_uid=str(one.SOPInstanceUID),
                    transfer_syntax_uid=EXPLICIT_VR_LE,
                )
                answer = await association.store(source, _context(association, str(one.SOPClassUID)))
                if answer.status != SUCCESS:
                    raise Unavailable(f"An image was not taken: {words(answer.status)}.", code="not-stored")
                made.sent += 1

    # -- performed steps

    async def _tell(self, uid: str, attributes: Mapping[int, tuple[str, Any]], *, create: bool) -> None:
        data = texts.data_set(attributes, EXPLICIT_VR_LE, _UTF_8)
        async with self._open([ContextRequest(PERFORMED_PROCEDURE_STEP, (EXPLICIT_VR_LE,))]) as association:
            send = association.create if create else association.set
            answer, _ = await send(_context(association, PERFORMED_PROCEDURE_STEP), uid, data)
        if answer.status != SUCCESS:
            raise Refused(f"The performed step was not taken: {words(answer.status)}.", code="mpps-refused")

    # -- commitment

    async def _commit(self, made: Made) -> int:
        """How many of what was sent the server commits to; 0 where it does not answer in time."""
        result: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def hear(
            _association: Association,
            context: Context,
            _command: Command,
            dataset: bytes | None,
            _cancelled: asyncio.Event,
        ) -> AsyncIterator[Reply]:
            _, verdicts = read_transaction(dataset or b"", context.transfer_syntax)
            if not result.done():
                result.set_result(sum(reason is None for _, reason in verdicts))
            yield Reply(SUCCESS)

        services = Services()
        services.add((STORAGE_COMMITMENT_PUSH,), (CommandField.N_EVENT_REPORT_RQ,), hear)
        asked = [Reference(sop_class, uid) for sop_class, uid, _ in made.objects[: made.sent]]
        data = encode(
            [
                (TRANSACTION_UID, "UI", new_uid()),
                (REFERENCED_SOP_SEQUENCE, "SQ", reference_items(asked)),
            ],
            EXPLICIT_VR_LE,
        )
        wanted = [ContextRequest(STORAGE_COMMITMENT_PUSH, (EXPLICIT_VR_LE,))]
        async with self._open(wanted, services) as association:
            context = _context(association, STORAGE_COMMITMENT_PUSH)
            answer, _ = await association.action(context, STORAGE_COMMITMENT_PUSH_INSTANCE, 1, data)
            if answer.status != SUCCESS:
                raise Refused(f"The commitment was refused: {words(answer.status)}.", code="commit-refused")
            try:
                return await asyncio.wait_for(result, _COMMITMENT)
            except TimeoutError:
                return 0

    def _open(self, contexts: list[ContextRequest], services: Services | None = None) -> "_Opened":
        return _Opened(self, contexts, services)


class _Opened:
    """An association that is released at the end, aborted where something fails."""

    def __init__(self, device: Modality, contexts: list[ContextRequest], services: Services | None) -> None:
        self._device, self._contexts, self._services = device, contexts, services
        self._association: Association | None = None

    async def __aenter__(self) -> Association:
        device = self._device
        self._association = await connect(
            device.host,
            device.port,
            calling_ae=device.title,
            called_ae=device.called,
            contexts=self._contexts,
            settings=NetSettings(ae_title=device.title),
            services=self._services,
        )
        return self._association

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        assert self._association is not None
        if kind is None:
            await self._association.release()
        else:
            await self._association.abort()


def _context(association: Association, abstract_syntax: str) -> Context:
    found = association.context_for(abstract_syntax)
    if found is None:
        raise Refused(
            f"The server does not let {association.calling_ae} use this service: allow it in the list of devices.",
            code="no-context",
        )
    return found


def _value(attributes: Json, tag: str) -> str:
    values = attributes.get(tag, {}).get("Value") or ()
    return str(values[0]) if values and values[0] is not None else ""


def _encoded(data_set: "Dataset") -> bytes:
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_dataset

    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_dataset(buffer, data_set)
    return bytes(buffer.getvalue())
