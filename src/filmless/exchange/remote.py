"""Asking other archives: C-FIND, C-MOVE and C-GET as user (PS3.4 annex C). For processes that may load pydicom."""

import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

from pydicom import Dataset
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.tag import Tag
from pydicom.valuerep import PersonName

from filmless.devices.model import Device
from filmless.dicom import part10, sopclasses, statuses
from filmless.dicom.dimse import Command
from filmless.dicom.sopclasses import (
    PATIENT_ROOT_FIND,
    PATIENT_ROOT_GET,
    PATIENT_ROOT_MOVE,
    STUDY_ROOT_FIND,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
)
from filmless.dicom.uids import EXPLICIT_VR_LE, IMPLICIT_VR_LE
from filmless.dicom.ul.negotiation import Context, ContextRequest
from filmless.kit import ids
from filmless.kit.errors import Refused, Unavailable
from filmless.net.association import Association, connect
from filmless.net.model import NetSettings, StoreAnswer
from filmless.net.serving import Services, StoreHandler

Level = Literal["PATIENT", "STUDY", "SERIES", "IMAGE"]
Model = Literal["study", "patient"]

_FIND = {"study": STUDY_ROOT_FIND, "patient": PATIENT_ROOT_FIND}
_MOVE = {"study": STUDY_ROOT_MOVE, "patient": PATIENT_ROOT_MOVE}
_GET = {"study": STUDY_ROOT_GET, "patient": PATIENT_ROOT_GET}
_SYNTAXES = (EXPLICIT_VR_LE, IMPLICIT_VR_LE)

#: keys that are asked for at each level besides those given
RETURN_KEYS: dict[Level, tuple[str, ...]] = {
    "PATIENT": ("PatientID", "PatientName", "PatientBirthDate", "PatientSex"),
    "STUDY": (
        "PatientID",
        "PatientName",
        "StudyDate",
        "StudyDescription",
        "AccessionNumber",
        "ModalitiesInStudy",
        "NumberOfStudyRelatedInstances",
        "StudyInstanceUID",
    ),
    "SERIES": (
        "Modality",
        "SeriesNumber",
        "SeriesDescription",
        "NumberOfSeriesRelatedInstances",
        "SeriesInstanceUID",
    ),
    "IMAGE": ("InstanceNumber", "SOPClassUID", "SOPInstanceUID"),
}

#: transfer syntaxes in which a C-GET may bring objects: the uncompressed ones first, which everyone can give
_GET_SYNTAXES = (
    *_SYNTAXES,
    "1.2.840.10008.1.2.4.70",  # JPEG lossless, first-order prediction
    "1.2.840.10008.1.2.4.57",  # JPEG lossless
    "1.2.840.10008.1.2.4.80",  # JPEG-LS lossless
    "1.2.840.10008.1.2.4.90",  # JPEG 2000 lossless
    "1.2.840.10008.1.2.4.201",  # HTJ2K lossless
    "1.2.840.10008.1.2.5",  # RLE lossless
    "1.2.840.10008.1.2.4.50",  # JPEG baseline
    "1.2.840.10008.1.2.4.51",  # JPEG extended
    "1.2.840.10008.1.2.4.81",  # JPEG-LS near-lossless
    "1.2.840.10008.1.2.4.91",  # JPEG 2000
    "1.2.840.10008.1.2.4.203",  # HTJ2K
    "1.2.840.10008.1.2.4.100",  # MPEG2 main profile
    "1.2.840.10008.1.2.4.102",  # MPEG-4 high profile
    "1.2.840.10008.1.2.1.99",  # deflated
)


@dataclass(frozen=True, slots=True)
class Counters:
    """How a retrieve stands, from the responses of the device. None where it did not say."""

    remaining: int | None = None
    completed: int = 0
    failed: int = 0
    warning: int = 0


@dataclass(frozen=True, slots=True)
class Retrieved:
    """How a retrieve ended. `words`: the final status where it was not plain success."""

    counters: Counters
    words: str = ""
    failed_uids: tuple[str, ...] = ()


def identifier(
    level: Level, keys: Mapping[str, str], returns: Iterable[str] = (), *, character_set: str = ""
) -> Dataset:
    """The identifier of a query or retrieve. Keys are keywords, tags as GGGGEEEE, or paths joined by dots.

    Values may hold wildcards, ranges and lists joined by backslash. Raises Refused for a key that is unknown.
    """
    made = Dataset()
    made.QueryRetrieveLevel = level
    values = {**dict.fromkeys(returns, ""), **keys}
    if not all(value.isascii() for value in values.values()):
        made.SpecificCharacterSet = (character_set or "ISO_IR 192").split("\\")
    for path, value in values.items():
        _put(made, path.split("."), value)
    return made


def _put(dataset: Dataset, path: Sequence[str], value: str) -> None:
    word = path[0]
    tag = tag_for_keyword(word)
    if tag is None:
        try:
            tag = int(word.replace(",", ""), 16)
        except ValueError:
            raise Refused(f"There is no attribute {word!r}.", code="bad-key") from None
    try:
        vr = dictionary_VR(tag)
    except KeyError:
        vr = "LO"
    if len(path) > 1:
        if vr != "SQ":
            raise Refused(f"{word} is not a sequence: it has no {path[1]}.", code="bad-key")
        if tag not in dataset:
            dataset.add_new(tag, "SQ", [Dataset()])
        _put(dataset[tag].value[0], path[1:], value)
    elif vr == "SQ":
        dataset.add_new(tag, "SQ", [Dataset()] if not value else [])
    else:
        element = DataElement(tag, vr, None, already_converted=True)
        # as given: ranges and wildcards are no valid dates and numbers
        parts = [PersonName(part) if vr == "PN" else part for part in value.split("\\")]
        element._value = (parts if len(parts) > 1 else parts[0]) if value else None
        dataset[Tag(tag)] = element


def encode(dataset: Dataset, transfer_syntax_uid: str) -> bytes:
    """A small data set for the wire."""
    file = DicomBytesIO()
    file.is_little_endian = True
    file.is_implicit_VR = transfer_syntax_uid == IMPLICIT_VR_LE
    write_dataset(file, dataset)
    return file.getvalue()


def decode(data: bytes, transfer_syntax_uid: str, character_set: str = "") -> Dataset:
    """A small data set from the wire; `character_set`: where it declares none."""
    dataset = read_dataset(
        BytesIO(data), is_implicit_VR=transfer_syntax_uid == IMPLICIT_VR_LE, is_little_endian=True
    )
    if character_set and "SpecificCharacterSet" not in dataset:
        dataset.SpecificCharacterSet = character_set.split("\\")
    dataset.decode()
    return dataset


async def find(
    device: Device,
    wanted: Dataset,
    *,
    settings: NetSettings,
    model: Model = "study",
    tls: ssl.SSLContext | None = None,
) -> AsyncGenerator[Dataset]:
    """The answers of a device, one after the other. Leaving the loop cancels the query.

    Raises Refused or Unavailable, with the status in words, where the query fails.
    """
    association = await _connect(device, [ContextRequest(_FIND[model], _SYNTAXES)], settings, tls)
    try:
        context = _context(association, _FIND[model], device)
        answers = association.find(context, encode(wanted, context.transfer_syntax))
        async with aclosing(answers):  # type: ignore[type-var]
            async for command, data in answers:
                category = statuses.category(command.status)
                if category in ("failure", "cancel"):
                    # whatever comes with it is no answer
                    raise _failure(device, command)
                if data is not None and category == "pending":
                    yield decode(data, context.transfer_syntax, device.character_set)
        await association.release()
    finally:
        if association.is_open:
            await association.abort()


async def move(
    device: Device,
    wanted: Dataset,
    destination: str,
    *,
    settings: NetSettings,
    model: Model = "study",
    tls: ssl.SSLContext | None = None,
    progress: Callable[[Counters], None] | None = None,
) -> Retrieved:
    """Have a device send objects to `destination`, an AE title that it knows. Cancelling cancels the move.

    Raises Refused or Unavailable where the device does not begin; objects that it could not send are in the
    counters.
    """
    association = await _connect(device, [ContextRequest(_MOVE[model], _SYNTAXES)], settings, tls)
    try:
        context = _context(association, _MOVE[model], device)
        answers = association.move(context, encode(wanted, context.transfer_syntax), destination)
        done = await _follow(device, context, answers, progress)
        await association.release()
    finally:
        if association.is_open:
            await association.abort()
    return done


async def get(
    device: Device,
    wanted: Dataset,
    storage: StoreHandler,
    *,
    settings: NetSettings,
    classes: Sequence[str] = (),
    model: Model = "study",
    tls: ssl.SSLContext | None = None,
    progress: Callable[[Counters], None] | None = None,
) -> Retrieved:
    """Fetch objects from a device on our own association; they go to `storage`.

    `classes`: the SOP classes to take, at most 127 (an association has 128 contexts); the most usual ones where
    empty. Raises as `move` does.
    """
    taken = list(classes or USUAL_CLASSES)[:127]
    contexts = [ContextRequest(_GET[model], _SYNTAXES)]
    contexts += [ContextRequest(uid, _GET_SYNTAXES, scu=False, scp=True) for uid in taken]
    association = await _connect(device, contexts, settings, tls, Services(storage))
    association.who = device
    try:
        context = _context(association, _GET[model], device)
        answers = association.get(context, encode(wanted, context.transfer_syntax))
        done = await _follow(device, context, answers, progress)
        await association.release()
    finally:
        if association.is_open:
            await association.abort()
    return done


async def classes_in(
    device: Device,
    keys: Mapping[str, str],
    *,
    settings: NetSettings,
    model: Model = "study",
    tls: ssl.SSLContext | None = None,
) -> list[str]:
    """The SOP classes in a study, where the device knows them: what a C-GET has to propose. Else []."""
    known = {name: value for name, value in keys.items() if name in ("PatientID", "StudyInstanceUID")}
    wanted = identifier("STUDY", known, ("SOPClassesInStudy",), character_set=device.character_set)
    found: dict[str, None] = {}
    async with aclosing(find(device, wanted, settings=settings, model=model, tls=tls)) as answers:
        async for one in answers:
            value: Any = one.get("SOPClassesInStudy") or []
            for uid in [value] if isinstance(value, str) else value:
                if str(uid) in sopclasses.STORAGE:
                    found[str(uid)] = None
    return list(found)


async def _connect(
    device: Device,
    contexts: Sequence[ContextRequest],
    settings: NetSettings,
    tls: ssl.SSLContext | None,
    services: Services | None = None,
) -> Association:
    return await connect(
        device.host,
        device.port,
        calling_ae=settings.ae_title,
        called_ae=device.ae_title,
        contexts=contexts,
        settings=settings,
        tls=tls if device.tls else None,
        services=services,
    )


def _context(association: Association, sop_class: str, device: Device) -> Context:
    context = association.context_for(sop_class)
    if context is None:
        name = sopclasses.name_of(sop_class)
        raise Refused(f"{device.ae_title} does not offer {name}.", code="no-context")
    return context


async def _follow(
    device: Device,
    context: Context,
    answers: AsyncIterator[tuple[Command, bytes | None]],
    progress: Callable[[Counters], None] | None,
) -> Retrieved:
    """To the final response. Leaving early cancels."""
    counters = Counters()
    async with aclosing(answers):  # type: ignore[type-var]
        async for command, data in answers:
            counters = Counters(
                command.get("NumberOfRemainingSuboperations"),
                command.completed or counters.completed,
                command.failed or counters.failed,
                command.warning or counters.warning,
            )
            if progress is not None:
                progress(counters)
            category = statuses.category(command.status)
            if category == "pending":
                continue
            began = counters.completed or counters.failed or counters.warning
            if category in ("failure", "cancel") and not began:
                raise _failure(device, command)
            failed: tuple[str, ...] = ()
            if data:
                listed: Any = decode(data, context.transfer_syntax).get("FailedSOPInstanceUIDList") or ()
                failed = (listed,) if isinstance(listed, str) else tuple(map(str, listed))
            words = "" if category == "success" else _words(command)
            return Retrieved(counters, words, failed)
    raise Unavailable(f"{device.ae_title} ended the retrieve without a final response.", code="no-final")


def _failure(device: Device, command: Command) -> Refused | Unavailable:
    words = f"{device.ae_title} answered: {_words(command)}."
    if 0xA700 <= command.status <= 0xA7FF:
        return Unavailable(words, code="remote-failure")
    return Refused(words, code="remote-failure")


def _words(command: Command) -> str:
    comment = command.error_comment
    return statuses.words(command.status) + (f": {comment}" if comment else "")


class FolderStorage:
    """Takes the objects of a C-GET into a folder, as DICOM files named by their SOP Instance UIDs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0

    def begin(self, assoc: Association, context: Context, command: Command) -> "_FileSink":
        """One object is announced. Raises Refused where its UID cannot be the name of a file."""
        uid = command.affected_sop_instance_uid
        if not uid or not all(character in "0123456789." for character in uid):
            raise Refused("the SOP Instance UID is none", code="bad-uid")
        head = part10.build_preamble_and_meta(
            command.affected_sop_class_uid, uid, context.transfer_syntax, source_ae=assoc.called_ae
        )
        return _FileSink(self, self.folder / f"{uid}.dcm", head)


class _FileSink:
    """One object on its way into a file, which has its name only when it is whole."""

    def __init__(self, storage: FolderStorage, path: Path, head: bytes) -> None:
        self.on_ready: Callable[[], None] | None = None
        self._storage = storage
        self._path = path
        self._part = path.with_name(f".{ids.new_version_key()}.part")
        self._file = self._part.open("xb")
        self._file.write(head)

    def write(self, data: memoryview, release: Callable[[], None]) -> bool:
        self._file.write(data)
        release()
        return True

    async def finish(self) -> StoreAnswer:
        self._file.close()
        self._part.replace(self._path)
        self._storage.count += 1
        return StoreAnswer()

    def abort(self) -> None:
        self._file.close()
        self._part.unlink(missing_ok=True)


#: classes of special trades, which 127 contexts have no room for: radiotherapy's second generation, security and
#: material inspection, less usual waveforms, measurements of eyes, implants, palettes
_SPECIAL = tuple(
    f"1.2.840.10008.5.1.4.{rest}"
    for rest in (
        *(f"1.1.481.{number}" for number in range(10, 30)),
        *("1.1.501.", "1.1.601.", "1.1.9.4.", "1.1.9.5.", "1.1.9.6.", "1.1.9.7.", "1.1.9.8.", "1.1.9.100."),
        *("1.1.78.", "1.1.79.", "1.1.80.", "1.1.82.", "1.1.200.", "1.1.201.", "1.1.40"),
        *("34.", "38.", "39.", "43.", "44.", "45.", "1.1.68."),
    )
)
#: what a C-GET proposes where the classes of the study are not known
USUAL_CLASSES = [
    uid for uid, known in sopclasses.STORAGE.items() if not known.retired and not uid.startswith(_SPECIAL)
]
