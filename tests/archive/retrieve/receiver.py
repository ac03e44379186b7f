"""A storage provider made with pynetdicom that does as a test tells it."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pynetdicom import AE, evt

from filmless.dicom.sopclasses import CT_IMAGE
from filmless.dicom.uids import EXPLICIT_VR_LE, IMPLICIT_VR_LE


class Receiver:
    """What arrived: SOP Instance UID -> (transfer syntax, data set bytes). `answer` gives each one's status."""

    def __init__(self, answer: Callable[[str], int] = lambda uid: 0x0000) -> None:
        self.answer = answer
        self.port = 0
        self.objects: dict[str, tuple[str, bytes]] = {}
        self.originators: list[tuple[str, int]] = []
        self.proposals: list[list[tuple[str, list[str]]]] = []
        self.first = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()
        self.ended = threading.Event()

    def store(self, event: Any) -> int:
        request = event.request
        self.first.set()
        self.go_on.wait(20)
        status = self.answer(request.AffectedSOPInstanceUID)
        if status < 0:
            event.assoc.abort()
            return 0x0110
        data = request.DataSet.getvalue()
        self.objects[request.AffectedSOPInstanceUID] = (event.context.transfer_syntax, data)
        originator = request.MoveOriginatorApplicationEntityTitle
        self.originators.append(
            (str(originator).strip() if originator else "", request.MoveOriginatorMessageID)
        )
        return status

    def requested(self, event: Any) -> None:
        contexts = event.assoc.requestor.requested_contexts
        self.proposals.append(
            [(str(c.abstract_syntax), [str(ts) for ts in c.transfer_syntax]) for c in contexts]
        )

    def handlers(self) -> list[tuple[Any, Any]]:
        return [
            (evt.EVT_C_STORE, self.store),
            (evt.EVT_REQUESTED, self.requested),
            (evt.EVT_ABORTED, lambda event: self.ended.set()),
            (evt.EVT_CONN_CLOSE, lambda event: self.ended.set()),
        ]


@contextmanager
def receiver(
    accepts: Sequence[tuple[str, Sequence[str]]] = ((CT_IMAGE, (EXPLICIT_VR_LE, IMPLICIT_VR_LE)),),
    answer: Callable[[str], int] = lambda uid: 0x0000,
) -> Iterator[Receiver]:
    """Receive on a free port of 127.0.0.1."""
    found = Receiver(answer)
    ae = AE("RECEIVER")
    for sop_class, syntaxes in accepts:
        ae.add_supported_context(sop_class, list(syntaxes))
    ae.maximum_associations = 10
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=found.handlers())
    found.port = server.socket.getsockname()[1]
    try:
        yield found
    finally:
        found.go_on.set()
        server.shutdown()
