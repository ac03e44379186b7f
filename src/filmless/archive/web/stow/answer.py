"""The answer to STOW-RS: what became of each object (PS3.18 10.5.3, annex I), and the status of the whole."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from filmless.archive.dimse import SUCCESS, error_status, store_status
from filmless.archive.model import Outcome
from filmless.dicom.web import xml_model
from filmless.dicom.web.media_types import DICOM_XML
from filmless.kit.errors import FilmlessError

Json = dict[str, Any]

#: PS3.18 table I.2-2 (those of PS3.4 table B.2-1, and of PS3.7 annex C)
CANNOT_UNDERSTAND: Final = 0xC000
TRANSFER_SYNTAX_NOT_SUPPORTED: Final = 0xC122
SOP_CLASS_NOT_SUPPORTED: Final = 0x0122
NOT_AUTHORISED: Final = 0x0124
#: A9xx, data set does not match: here, the study of the URL
OTHER_STUDY: Final = 0xA901
#: reasons for warnings (PS3.4 table B.2-1)
ELEMENTS_DISCARDED: Final = 0xB006
NOT_AS_ITS_CLASS: Final = 0xB007

#: failures of codes that only the web side knows; others as C-STORE says them
_FAILURES: Final[dict[str, int]] = {
    "other-study": OTHER_STUDY,
    "no-storage-class": SOP_CLASS_NOT_SUPPORTED,
    "no-such-syntax": TRANSFER_SYNTAX_NOT_SUPPORTED,
    "not-permitted": NOT_AUTHORISED,
    "not-dicom": CANNOT_UNDERSTAND,
    "bulk": CANNOT_UNDERSTAND,
    "content-type": CANNOT_UNDERSTAND,
    "xml": CANNOT_UNDERSTAND,
    "json": CANNOT_UNDERSTAND,
}
#: comments on one object that are passed on
_COMMENTS = 32


@dataclass(slots=True, eq=False)
class Result:
    """What became of one object; "" where it did not say."""

    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    study_uid: str = ""
    series_uid: str = ""
    #: FailureReason, None where it is in the archive
    failure: int | None = None
    #: the code of the error behind it
    code: str = ""
    #: WarningReason, None where there is none
    warning: int | None = None
    comments: tuple[str, ...] = ()
    #: a rejection that came before hides it
    hidden: bool = False
    #: what became of it is known
    done: bool = False

    @property
    def stored(self) -> bool:
        """It is in the archive for certain."""
        return self.done and self.failure is None

    def fail(self, error: FilmlessError) -> None:
        """Nothing of it was kept."""
        reason = _FAILURES.get(error.code)
        self.failure = error_status(error).status if reason is None else reason
        self.code = error.code
        self.comments = (error.message,)
        self.done = True

    def conclude(self, outcome: Outcome) -> None:
        """It is durable: in the archive, or in quarantine, which is a failure to who wants it in the archive."""
        answer = store_status(outcome)
        self.sop_instance_uid = outcome.sop_instance_uid or self.sop_instance_uid
        self.hidden = outcome.hidden
        self.done = True
        if answer.status != SUCCESS:
            self.failure, self.code, self.comments = answer.status, "quarantined", (answer.comment,)
        elif outcome.warnings:
            self.warning = self.warning or NOT_AS_ITS_CLASS
            texts = (f"{tag} {text}".strip() for tag, text in outcome.warnings)
            self.comments = (*self.comments, *texts)[:_COMMENTS]


def status_of(results: Sequence[Result]) -> int:
    """200, 202, 409 (PS3.18 table 10.5.3-1), or 503 and 507 where nothing was stored for want of room or time."""
    failed = [one for one in results if not one.stored]
    if not failed:
        return 202 if any(one.warning is not None for one in results) else 200
    if len(failed) < len(results):
        return 202
    if any(one.code == "disk-full" for one in failed):
        return 507
    if all(one.failure is not None and one.failure >> 8 == 0xA7 for one in failed):
        return 503
    return 409


def body(results: Sequence[Result], root: str, study_uid: str, media_type: str) -> Iterator[bytes]:
    """The response data set in `media_type`, in pieces. `root`: the address of the DICOMweb service."""
    stored = [one for one in results if one.stored]
    failed = [one for one in results if not one.stored]
    known = [one for one in failed if one.sop_instance_uid]
    other = [one for one in failed if not one.sop_instance_uid]
    studies = {one.study_uid for one in stored if one.study_uid}
    study = study_uid or (studies.pop() if len(studies) == 1 else "")
    members: dict[str, Any] = {}
    if study and stored:
        members["00081190"] = _one("UR", f"{root}/studies/{study}")
    for tag, of, item in (
        ("00081198", known, _failed),
        ("00081199", stored, lambda result: _stored(result, root)),
        ("0008119A", other, lambda result: {"00081197": _one("US", result.failure)} | _comments(result)),
    ):
        if of:
            members[tag] = _Sequence(of, item)
    if media_type == DICOM_XML:
        yield from xml_model.document({tag: dict(member) for tag, member in members.items()})
    else:
        yield from _json(members)


class _Sequence(dict[str, Any]):
    """A sequence whose items are made when they are written."""

    def __init__(self, results: Sequence[Result], item: Callable[[Result], Json]) -> None:
        super().__init__(vr="SQ", Value=_Items(results, item))


class _Items:
    def __init__(self, results: Sequence[Result], item: Callable[[Result], Json]) -> None:
        self._results, self._item = results, item

    def __iter__(self) -> Iterator[Json]:
        return map(self._item, self._results)


def _json(members: Json) -> Iterator[bytes]:
    yield b"{"
    for number, (tag, member) in enumerate(members.items()):
        yield f'{"," if number else ""}"{tag}":'.encode()
        if isinstance(member, _Sequence):
            yield b'{"vr":"SQ","Value":['
            yield from _joined(member["Value"])
            yield b"]}"
        else:
            yield json.dumps(member, separators=(",", ":")).encode()
    yield b"}"


def _joined(items: Iterable[Json]) -> Iterator[bytes]:
    for number, item in enumerate(items):
        yield (b"," if number else b"") + json.dumps(item, separators=(",", ":")).encode()


def _stored(result: Result, root: str) -> Json:
    """An item of Referenced SOP Sequence (table I.2-1)."""
    item = _names(result)
    if result.series_uid and not result.hidden:
        item["00081190"] = _one(
            "UR",
            f"{root}/studies/{result.study_uid}/series/{result.series_uid}/instances/{result.sop_instance_uid}",
        )
    if result.warning is not None:
        item["00081196"] = _one("US", result.warning)
    return item | _comments(result)


def _failed(result: Result) -> Json:
    """An item of Failed SOP Sequence (table I.2-1)."""
    return _names(result) | {"00081197": _one("US", result.failure)} | _comments(result)


def _names(result: Result) -> Json:
    item: Json = {"00081150": _one("UI", result.sop_class_uid) if result.sop_class_uid else {"vr": "UI"}}
    item["00081155"] = _one("UI", result.sop_instance_uid)
    return item


def _comments(result: Result) -> Json:
    """Words for people: Error Comment in Failed Attributes Sequence, where other servers put them too."""
    if not result.comments:
        return {}
    return {
        "00741048": {"vr": "SQ", "Value": [{"00000902": _one("LO", text[:64])} for text in result.comments]}
    }


def _one(vr: str, value: Any) -> Json:
    return {"vr": vr, "Value": [value]}
