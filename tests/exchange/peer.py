"""A device on 127.0.0.1 for these tests: pynetdicom as storage provider, with faults to order."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset, FileMetaDataset, dcmwrite
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    generate_uid,
)
from pynetdicom import AE, evt
from pynetdicom.sop_class import Verification

from filmless.devices.model import Device


@dataclass
class Got:
    """What the peer was sent: objects in order, and how many associations it had."""

    objects: list[Dataset] = field(default_factory=list)
    syntaxes: list[str] = field(default_factory=list)
    associations: int = 0
    requested: list[list[tuple[str, tuple[str, ...]]]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def uids(self) -> list[str]:
        with self.lock:
            return [one.SOPInstanceUID for one in self.objects]


@contextmanager
def peer(
    *,
    ae_title: str = "PEER",
    supported: Sequence[tuple[str, Sequence[str]]] = (
        (CTImageStorage, (ExplicitVRLittleEndian, ImplicitVRLittleEndian)),
    ),
    on_store: Callable[[Any, Got], int] | None = None,
    port: int = 0,
    more: Sequence[tuple[Any, Callable[..., Any]]] = (),
    configure: Callable[[AE], None] | None = None,
) -> Iterator[tuple[Device, Got]]:
    got = Got()

    def store(event: Any) -> int:
        with got.lock:
            status = on_store(event, got) if on_store else 0
            if status in (0, 0xB000):
                got.objects.append(event.dataset)
                got.syntaxes.append(event.context.transfer_syntax)
        return status

    def requested(event: Any) -> None:
        with got.lock:
            got.associations += 1
            got.requested.append(
                [
                    (cx.abstract_syntax, tuple(cx.transfer_syntax))
                    for cx in event.assoc.requestor.requested_contexts
                ]
            )

    ae = AE(ae_title)
    ae.require_called_aet = True
    ae.add_supported_context(Verification)
    for abstract, syntaxes in supported:
        ae.add_supported_context(abstract, list(syntaxes))
    if configure:
        configure(ae)
    handlers = [(evt.EVT_C_STORE, store), (evt.EVT_REQUESTED, requested), *more]
    server = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
    try:
        yield Device(ae_title, host="127.0.0.1", port=server.server_address[1]), got
    finally:
        server.shutdown()


def image(
    folder: Path,
    *,
    sop_class: str = CTImageStorage,
    syntax: str = ExplicitVRLittleEndian,
    number: int = 1,
    study: str = "1.2.3.4",
    series: str = "1.2.3.4.5",
    uid: str = "",
) -> Path:
    """A small object in a file."""
    made = Dataset()
    made.SOPClassUID = sop_class
    made.SOPInstanceUID = uid or generate_uid()
    made.StudyInstanceUID = study
    made.SeriesInstanceUID = series
    made.PatientID = "P1"
    made.PatientName = "Doe^Jane"
    made.PatientBirthDate = "19700101"
    made.StudyDate = "20260101"
    made.Modality = "CT"
    made.InstanceNumber = number
    made.Rows = made.Columns = 16
    made.BitsAllocated = made.BitsStored = 16
    made.HighBit, made.PixelRepresentation, made.SamplesPerPixel = 15, 0, 1
    made.PhotometricInterpretation = "MONOCHROME2"
    made.PixelData = (np.arange(256, dtype="<u2") * number).tobytes()
    made["PixelData"].VR = "OW"
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = syntax
    made.file_meta.MediaStorageSOPClassUID = sop_class
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    path = folder / f"{made.SOPInstanceUID}.dcm"
    dcmwrite(path, made, enforce_file_format=True)
    return path
