"""An archive with a DICOM server in front of it that answers C-MOVE and C-GET, in the test's own loop."""

import asyncio
import dataclasses
import shutil
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import RLELossless
from sqlalchemy import Engine
from tests.trails import keys

from filmless.access.audit.trail import Trail
from filmless.archive.codecs import Codecs
from filmless.archive.get import GetHandler
from filmless.archive.model import ArchiveSettings, Arrival, Kind, Source
from filmless.archive.move import MoveHandler
from filmless.archive.retrieve.sending import RetrieveSettings, Sender
from filmless.archive.store import Archive
from filmless.archive.whose import patients_of
from filmless.db.engine import open_engine
from filmless.db.work import writing
from filmless.devices import service as devices
from filmless.devices.model import Device
from filmless.dicom.dimse import CommandField
from filmless.dicom.sopclasses import CT_IMAGE, GET_MODELS, MOVE_MODELS, STORAGE, VERIFICATION
from filmless.dicom.uids import EXPLICIT_VR_LE, UNCOMPRESSED
from filmless.dicom.ul.negotiation import ANY, NegotiationPolicy
from filmless.net.model import Admission, NetSettings, Peer
from filmless.net.server import AssociateRequest, Server, Services

HOST = "127.0.0.1"
ROOT = "1.2.826.0.1.3680043.10.1407"


def slice_of(study: int, series: int, number: int, *, rows: int = 32, sop_class: str = CT_IMAGE) -> Dataset:
    """A CT slice with pixels of its own; all UIDs follow from the numbers."""
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = sop_class
    dataset.SOPInstanceUID = f"{ROOT}.{study}.{series}.{number}"
    dataset.StudyDate = "20260102"
    dataset.Modality = "CT"
    dataset.PatientName = f"Patient^{study}"
    dataset.PatientID = f"P{study}"
    dataset.StudyInstanceUID = f"{ROOT}.{study}"
    dataset.SeriesInstanceUID = f"{ROOT}.{study}.{series}"
    dataset.InstanceNumber = str(number)
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = rows, 32
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation = 0
    pixels = (np.arange(rows * 32, dtype="<u2") * (number + 3) + study) % 4096
    dataset.add_new(0x7FE00010, "OW", pixels.astype("<u2").tobytes())
    return dataset


def compressed_slice(study: int, series: int, number: int) -> Dataset:
    """The same slice in RLE Lossless."""
    dataset = slice_of(study, series, number)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = EXPLICIT_VR_LE
    dataset.compress(RLELossless, generate_instance_uid=False)
    return dataset


def encoded(dataset: Dataset, *, explicit: bool = True) -> bytes:
    """The data set in explicit or implicit VR little endian, or as it is compressed."""
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, not explicit
    write_dataset(out, dataset)
    return bytes(out.getvalue())


@dataclasses.dataclass
class Home:
    """An archive, its devices, and its server."""

    engine: Engine
    archive: Archive
    codecs: Codecs
    port: int
    server: Server
    #: the bytes that were stored, by SOP Instance UID
    stored: dict[str, bytes] = dataclasses.field(default_factory=dict)

    def store(self, dataset: Dataset, ts: str = EXPLICIT_VR_LE) -> str:
        """Store an object through ingest; its SOP Instance UID."""
        data = encoded(dataset, explicit=ts != "1.2.840.10008.1.2")
        return self.store_bytes(dataset.SOPClassUID, dataset.SOPInstanceUID, data, ts)

    def store_bytes(self, sop_class: str, uid: str, data: bytes, ts: str) -> str:
        outcome = self.archive.store_blocking(Arrival(sop_class, uid, ts, Source("TEST")), [data])
        assert outcome.kind is Kind.STORED
        self.stored[uid] = data
        return uid

    def store_study(self, study: int, count: int, *, ts: str = EXPLICIT_VR_LE, series: int = 1) -> list[str]:
        return [self.store(slice_of(study, series, number), ts) for number in range(1, count + 1)]

    def add_device(self, ae_title: str, port: int, *, quirks: Iterable[str] = ()) -> None:
        with writing(self.engine) as connection:
            device = Device(ae_title, host=HOST, port=port, quirks=frozenset(quirks))
            devices.add(connection, device, by="test")


def policy() -> NegotiationPolicy:
    """Everything that the archive offers for retrieving, roles and relational retrieval included."""
    return NegotiationPolicy(
        {
            **dict.fromkeys((VERIFICATION, *MOVE_MODELS, *GET_MODELS), UNCOMPRESSED),
            **dict.fromkeys(STORAGE, ANY),
        },
        roles=dict.fromkeys(STORAGE, (True, True)),
        extended=lambda abstract_syntax, proposed: proposed[:1],
    )


@pytest.fixture
def caller() -> Device:
    """Who every caller is taken for; tests override it with quirks."""
    return Device("CALLER", known=False)


@pytest.fixture
def retrieve_settings() -> RetrieveSettings:
    return RetrieveSettings(pending_interval=0.02)


@pytest.fixture
def engine(sqlite_template: Path, tmp_path: Path) -> Iterator[Engine]:
    """SQLite alone: the index's queries are tested on both databases where they are made."""
    shutil.copyfile(sqlite_template, tmp_path / "index.sqlite")
    engine = open_engine(f"sqlite:///{tmp_path}/index.sqlite")
    yield engine
    engine.dispose()


@pytest.fixture
async def home(
    engine: Engine, tmp_path: Path, caller: Device, retrieve_settings: RetrieveSettings
) -> AsyncIterator[Home]:
    codecs = Codecs(tmp_path / "scratch")
    archive = Archive(engine, tmp_path / "store", ArchiveSettings(minimum_free_bytes=0), codecs)
    archive.start()
    net = NetSettings(connect_timeout=5, response_timeout=10, send_timeout=5, acse_timeout=5)
    sender = Sender(tmp_path / "store", codecs, retrieve_settings)
    trail = Trail(engine, keys(), patients_of=patients_of)
    services = Services()
    services.add(MOVE_MODELS, [CommandField.C_MOVE_RQ], MoveHandler(engine, sender, net, trail))
    services.add(GET_MODELS, [CommandField.C_GET_RQ], GetHandler(engine, sender, trail))

    async def admit(request: AssociateRequest, peer: Peer) -> Admission:
        return Admission(caller, policy())

    server = Server(net, services, admit)
    port = await server.start(HOST, 0)
    yield Home(engine, archive, codecs, port, server)
    await server.stop(grace=0)
    sender.close()
    await asyncio.to_thread(trail.close)
    await asyncio.to_thread(archive.stop)
    codecs.close()
    assert not [path for path in (tmp_path / "scratch").rglob("*") if path.is_file()]
