"""Sending objects to a foreign device."""

import asyncio
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread, dcmwrite
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    MRImageStorage,
    RLELossless,
    SecondaryCaptureImageStorage,
)
from pynetdicom.sop_class import _STORAGE_CLASSES
from tests import peers
from tests.exchange.peer import Got, image, peer

from filmless.archive.codecs import Codecs
from filmless.archive.retrieve.sending import Sender
from filmless.devices.model import Device
from filmless.dicom.part10 import build_preamble_and_meta
from filmless.dicom.pixels.transcode import transcode
from filmless.exchange.send import Report, Sent, files_in, read_file, send
from filmless.kit.errors import Refused, Unavailable
from filmless.net.errors import AssociationRejected, PeerUnreachable
from filmless.net.model import NetSettings

SETTINGS = NetSettings(ae_title="FILMLESS", connect_timeout=3, acse_timeout=5, response_timeout=10)


@pytest.fixture
def sender(tmp_path) -> Iterator[Sender]:
    codecs = Codecs(tmp_path / "scratch")
    made = Sender(tmp_path / "store", codecs)
    yield made
    made.close()
    codecs.close()


async def sent(
    sender: Sender, device: Device, paths: list[Path], **options
) -> tuple[Report, list[tuple[str, Sent]]]:
    told: list[tuple[str, Sent]] = []
    report = await send(
        device,
        map(read_file, paths),
        sender=sender,
        settings=SETTINGS,
        on_result=lambda one, became: told.append((one.sop_instance, became)),
        **options,
    )
    return report, told


def images(folder: Path, count: int, **more) -> list[Path]:
    return [image(folder, number=number, **more) for number in range(1, count + 1)]


def data_set(path: Path) -> bytes:
    return path.read_bytes()[read_file(path).offset :]


async def test_all_objects_arrive_in_order_on_one_association(sender, tmp_path):
    paths = images(tmp_path, 20)
    with peer() as (device, got):
        report, told = await sent(sender, device, paths)
    assert (report.sent, report.failed, report.again, report.why) == (20, 0, 0, "")
    assert got.uids == [path.stem for path in paths] == [uid for uid, _ in told]
    assert {became.became for _, became in told} == {"sent"}
    assert got.associations == 1


async def test_batches_have_associations_of_their_own(sender, tmp_path):
    with peer() as (device, got):
        report, _ = await sent(sender, device, images(tmp_path, 10), batch=4)
    assert report.sent == 10
    assert got.associations == 3


async def test_one_object_per_association_where_a_device_needs_that(sender, tmp_path):
    with peer() as (device, got):
        device = dataclasses.replace(device, quirks=frozenset({"one-object-per-association"}))
        report, _ = await sent(sender, device, images(tmp_path, 3))
    assert (report.sent, got.associations) == (3, 3)


async def test_each_stored_syntax_is_proposed_alone_and_goes_as_it_is(sender, tmp_path):
    paths = [
        image(tmp_path, syntax=ExplicitVRLittleEndian),
        image(tmp_path, syntax=ImplicitVRLittleEndian),
        image(tmp_path, syntax=DeflatedExplicitVRLittleEndian),
    ]
    syntaxes = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian)
    with peer(supported=[(CTImageStorage, syntaxes)]) as (device, got):
        report, _ = await sent(sender, device, paths)
    assert report.sent == 3
    assert got.syntaxes == [read_file(path).ts for path in paths]
    proposed = [syntaxes for abstract, syntaxes in got.requested[0] if abstract == CTImageStorage]
    assert {(syntax,) for syntax in (ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian)} <= set(proposed)


@pytest.mark.parametrize("stored", [JPEG2000Lossless, JPEGLSLossless, RLELossless])
async def test_what_the_device_cannot_read_is_decompressed(sender, tmp_path, stored):
    path = image(tmp_path)
    plain = dcmread(path)
    data = transcode(data_set(path), ExplicitVRLittleEndian, stored)
    head = build_preamble_and_meta(plain.SOPClassUID, plain.SOPInstanceUID, stored)
    path.write_bytes(head + data)
    with peer() as (device, got):
        report, _ = await sent(sender, device, [path])
    assert (report.sent, report.why) == (1, "")
    assert got.syntaxes == [ExplicitVRLittleEndian]
    assert got.objects[0].PixelData == plain.PixelData
    assert not list((tmp_path / "scratch").rglob("*.dcm"))


async def test_big_endian_becomes_little(sender, tmp_path):
    path = image(tmp_path)
    swapped = dcmread(path)
    original = swapped.PixelData
    swapped.PixelData = b"".join(original[i : i + 2][::-1] for i in range(0, len(original), 2))
    swapped.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    path = tmp_path / "big.dcm"
    dcmwrite(path, swapped, implicit_vr=False, little_endian=False, force_encoding=True)
    with peer(supported=[(CTImageStorage, (ImplicitVRLittleEndian,))]) as (device, got):
        report, _ = await sent(sender, device, [path])
    assert (report.sent, report.why) == (1, "")
    assert got.objects[0].PixelData == original


async def test_a_device_limited_to_implicit_is_offered_nothing_else(sender, tmp_path):
    with peer() as (device, got):
        device = dataclasses.replace(device, quirks=frozenset({"implicit-only"}))
        report, _ = await sent(sender, device, [image(tmp_path)])
    assert (report.sent, got.syntaxes) == (1, [ImplicitVRLittleEndian])
    assert {syntaxes for _, syntaxes in got.requested[0]} == {(ImplicitVRLittleEndian,)}


async def test_a_class_that_the_device_does_not_take_costs_its_objects_only(sender, tmp_path):
    paths = [image(tmp_path), image(tmp_path, sop_class=MRImageStorage), image(tmp_path)]
    with peer() as (device, got):
        report, told = await sent(sender, device, paths)
    assert (report.sent, report.failed) == (2, 1)
    assert got.uids == [paths[0].stem, paths[2].stem]
    assert "accepts no transfer syntax" in dict(told)[paths[1].stem].why


async def test_a_class_that_comes_later_is_negotiated_then(sender, tmp_path):
    paths = [*images(tmp_path, 2), *images(tmp_path, 2, sop_class=SecondaryCaptureImageStorage)]
    both = [(uid, (ExplicitVRLittleEndian,)) for uid in (CTImageStorage, SecondaryCaptureImageStorage)]
    with peer(supported=both) as (device, got):
        report, _ = await sent(sender, device, paths, batch=2)
    assert report.sent == 4
    proposed = [{abstract for abstract, _ in contexts} for contexts in got.requested]
    assert proposed == [{CTImageStorage}, {SecondaryCaptureImageStorage}]


async def test_more_than_128_contexts_take_several_associations(sender, tmp_path):
    classes = sorted(map(str, _STORAGE_CLASSES.values()))[:60]
    paths = [image(tmp_path, sop_class=uid) for uid in classes]
    with peer(supported=[(uid, (ExplicitVRLittleEndian,)) for uid in classes]) as (device, got):
        report, _ = await sent(sender, device, paths)
    assert (report.sent, report.why) == (60, "")
    assert sorted(got.uids) == sorted(path.stem for path in paths)
    assert got.associations == 2
    assert all(len(contexts) <= 128 for contexts in got.requested)


@pytest.mark.parametrize(
    ("status", "became", "words"),
    [
        (0xA700, "again", "out of resources (A700)"),
        (0xA7F1, "again", "out of resources (A7F1)"),
        (0xA900, "failed", "data set does not match SOP class (A900)"),
        (0xC123, "failed", "cannot understand or unable to process (C123)"),
        (0x0122, "failed", "SOP class not supported (0122)"),
        (0xB000, "warning", "(B000)"),
    ],
)
async def test_what_the_device_says_of_an_object_is_told(sender, tmp_path, status, became, words):
    paths = images(tmp_path, 3)

    def second(event, got: Got) -> int:
        return status if event.request.AffectedSOPInstanceUID == paths[1].stem else 0

    with peer(on_store=second) as (device, _):
        report, told = await sent(sender, device, paths)
    assert [one.became for _, one in told] == ["sent", became, "sent"]
    assert words in told[1][1].why
    assert report.sent == (3 if became == "warning" else 2)
    assert (report.again, report.failed) == (int(became == "again"), int(became == "failed"))


async def test_an_object_at_which_the_device_breaks_off_is_tried_once_more(sender, tmp_path):
    paths = images(tmp_path, 6)
    broken: list[str] = []

    def break_off(event, got: Got) -> int:
        uid = event.request.AffectedSOPInstanceUID
        if uid == paths[1].stem or (uid == paths[3].stem and uid not in broken):
            broken.append(uid)
            event.assoc.abort()
        return 0

    with peer(on_store=break_off) as (device, _):
        report, told = await sent(sender, device, paths)
    became = dict(told)
    assert len(told) == 6
    assert became[paths[3].stem].became == "sent", "a passing fault costs nothing"
    assert became[paths[1].stem].became == "failed"
    assert "broke off" in became[paths[1].stem].why
    assert (report.sent, report.failed) == (5, 1)


async def test_a_device_that_always_breaks_off_is_given_up(sender, tmp_path):
    with (
        peer(on_store=lambda event, got: event.assoc.abort() or 0) as (device, got),
        pytest.raises(Unavailable, match="breaks off each association"),
    ):
        await sent(sender, device, images(tmp_path, 20))
    assert got.associations < 10


async def test_a_device_that_is_not_there_is_said_so(sender, tmp_path):
    device = Device("GONE", host="127.0.0.1", port=peers.free_port())
    with pytest.raises(PeerUnreachable, match="nothing listens there"):
        await sent(sender, device, [image(tmp_path)])


async def test_a_device_that_does_not_know_its_name_is_said_so(sender, tmp_path):
    with peer() as (device, _), pytest.raises(AssociationRejected, match="called AE title not recognised"):
        await sent(sender, dataclasses.replace(device, ae_title="OTHER"), [image(tmp_path)])


async def test_cancelling_aborts_and_tells_nothing_false(sender, tmp_path):
    paths = images(tmp_path, 50)
    reached = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(event, got: Got) -> int:
        if len(got.objects) == 5:
            loop.call_soon_threadsafe(reached.set)
        return 0

    with peer(on_store=slow) as (device, got):
        told: list[str] = []
        task = asyncio.create_task(
            send(
                device,
                map(read_file, paths),
                sender=sender,
                settings=SETTINGS,
                on_result=lambda one, _: told.append(one.sop_instance),
            )
        )
        await asyncio.wait_for(reached.wait(), 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert set(told) <= set(got.uids)


def test_files_say_what_they_are(tmp_path):
    path = image(tmp_path, sop_class=MRImageStorage, syntax=ImplicitVRLittleEndian)
    item = read_file(path)
    assert (item.sop_class, item.sop_instance, item.ts) == (
        MRImageStorage,
        path.stem,
        ImplicitVRLittleEndian,
    )
    assert item.offset + item.size == path.stat().st_size
    bare = tmp_path / "bare"
    bare.write_bytes(path.read_bytes()[item.offset :])
    assert dataclasses.replace(read_file(bare), path=item.path, offset=item.offset) == item
    (tmp_path / "text").write_text("this is no image at all")
    with pytest.raises(Refused, match="not a DICOM file"):
        read_file(tmp_path / "text")
    with pytest.raises(Refused, match="cannot be read"):
        read_file(tmp_path / "missing")


def test_folders_are_searched_in_order(tmp_path):
    for name in ("b/2", "b/1", "a", ".hidden", "b/.git/x"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    assert [str(path.relative_to(tmp_path)) for path in files_in([tmp_path])] == ["a", "b/1", "b/2"]
