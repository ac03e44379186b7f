"""The table of DICOM services that we provide, and who may have which: association requests are answered from it.

One more service is one more row; the conformance statement is made from the same rows.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from filmless.archive import find
from filmless.archive.model import ArchiveSettings
from filmless.devices.model import Device
from filmless.dicom.dimse import Command, CommandField
from filmless.dicom.sopclasses import (
    FIND_MODELS,
    GET_MODELS,
    MODALITY_WORKLIST_FIND,
    MOVE_MODELS,
    PERFORMED_PROCEDURE_STEP,
    STORAGE,
    STORAGE_COMMITMENT_PUSH,
    VERIFICATION,
)
from filmless.dicom.uids import EXPLICIT_VR_LE, IMPLICIT_VR_LE
from filmless.dicom.ul.negotiation import ANY, Context, NegotiationPolicy
from filmless.kit.errors import Refused
from filmless.net.dialogue import Association
from filmless.net.model import NetSettings, StoreSink
from filmless.net.serving import StoreHandler

#: for data sets that are no objects: keys and answers of queries, references
_LITTLE = (EXPLICIT_VR_LE, IMPLICIT_VR_LE)


@dataclass(frozen=True, slots=True)
class Service:
    """A service that we provide. `word` is what a device is allowed (devices.model.SERVICES)."""

    word: str
    name: str
    sop_classes: tuple[str, ...]
    #: in our order of preference; ANY takes what the requestor prefers
    transfer_syntaxes: tuple[str, ...]
    #: the requests that a requestor may send
    requests: tuple[CommandField, ...]


def table(settings: ArchiveSettings, *, department: bool = True) -> tuple[Service, ...]:
    """Every service, with the private storage classes of the settings; a plain PACS has none of the department's."""
    storage = (*STORAGE, *settings.private_storage_classes)
    archive = (
        Service("echo", "Verification", (VERIFICATION,), _LITTLE, (CommandField.C_ECHO_RQ,)),
        Service("store", "Storage", storage, ANY, (CommandField.C_STORE_RQ,)),
        Service(
            "find", "Query", tuple(sorted(FIND_MODELS)), _LITTLE, (CommandField.C_FIND_RQ,)
        ),
        Service(
            "move", "Retrieve (C-MOVE)", tuple(sorted(MOVE_MODELS)), _LITTLE, (CommandField.C_MOVE_RQ,),
        ),
        Service(
            "get", "Retrieve (C-GET)", tuple(sorted(GET_MODELS)), _LITTLE, (CommandField.C_GET_RQ,)
        ),
        Service(
            "commit", "Storage Commitment", (STORAGE_COMMITMENT_PUSH,), _LITTLE,
            (CommandField.N_ACTION_RQ, CommandField.N_EVENT_REPORT_RQ),
        ),
    )  # fmt: skip
    if not department:
        return archive
    return (
        *archive,
        Service(
            "worklist", "Modality Worklist", (MODALITY_WORKLIST_FIND,), _LITTLE, (CommandField.C_FIND_RQ,)
        ),
        Service(
            "mpps", "Modality Performed Procedure Step", (PERFORMED_PROCEDURE_STEP,), _LITTLE,
            (CommandField.N_CREATE_RQ, CommandField.N_SET_RQ),
        ),
    )  # fmt: skip


class Policies:
    """What each device may negotiate; made once per set of allowed services."""

    def __init__(
        self,
        services: Iterable[Service],
        net: NetSettings,
        extended: Callable[[str, bytes], bytes | None] | None = None,
    ) -> None:
        self._services = tuple(services)
        self._net = net
        self._extended = extended
        self._made: dict[frozenset[str], NegotiationPolicy] = {}

    def of(self, device: Device) -> NegotiationPolicy:
        policy = self._made.get(device.services)
        if policy is None:
            policy = self._made[device.services] = self._make(device.services)
        return policy

    def _make(self, allowed: frozenset[str]) -> NegotiationPolicy:
        accepts: dict[str, tuple[str, ...]] = {}
        roles: dict[str, tuple[bool, bool]] = {}
        for service in self._services:
            # C-GET brings objects back in contexts of the storage classes, in which the requestor is the
            # provider (PS3.4 C.5.3): a device that may get but not store has them in that role alone
            storage = service.word == "store"
            if service.word in allowed or (storage and "get" in allowed):
                for uid in service.sop_classes:
                    accepts[uid] = service.transfer_syntaxes
                    if storage:
                        roles[uid] = ("store" in allowed, "get" in allowed)
                    elif service.word == "commit":
                        # a device that we asked for a commitment brings its result as provider (PS3.4 J.3.3)
                        roles[uid] = (True, True)
        return NegotiationPolicy(
            accepts=accepts,
            roles=roles,
            max_pdu=self._net.max_pdu,
            async_ops=(ASYNC_OPERATIONS, 1),
            extended=self._extended,
        )


def answer_extended(abstract_syntax: str, proposed: bytes) -> bytes | None:
    """The answer to SOP class extended negotiation (PS3.4 C.5): what is proposed and can be done."""
    if abstract_syntax in MOVE_MODELS | GET_MODELS:
        # relational retrieval; the other items of C.5.2.1 are not done
        return bytes([proposed[0] & 1]) + bytes(len(proposed) - 1) if proposed else None
    return find.negotiate(abstract_syntax, proposed)


class StorageAsAllowed:
    """The storage service for devices that may store; one that may only get is told so at each object."""

    def __init__(
        self,
        storage: StoreHandler,
        services: Iterable[Service],
        on_refused: Callable[[Association, Refused], None] = lambda association, refused: None,
    ) -> None:
        """`services`: all that are provided. What is no class of Storage among them cannot be stored."""
        self._storage = storage
        self._on_refused = on_refused
        self._others = frozenset(
            uid for service in services if service.word != "store" for uid in service.sop_classes
        )

    def begin(self, association: Association, context: Context, command: Command) -> StoreSink:
        """Raises Refused (code "not-allowed" or "no-storage-class")."""
        try:
            self._check(association, context, command)
        except Refused as refused:
            self._on_refused(association, refused)
            raise
        return self._storage.begin(association, context, command)

    def _check(self, association: Association, context: Context, command: Command) -> None:
        device: Device = association.who
        if "store" not in device.services:
            raise Refused("this device may not store here", code="not-allowed")
        if context.abstract_syntax in self._others or command.affected_sop_class_uid in self._others:
            raise Refused("objects of this SOP class are not stored", code="no-storage-class")


#: requests that a device may have under way at once where it negotiates that (PS3.7 D.3.3.3)
ASYNC_OPERATIONS = 16
