"""An image object opened for rendering: its header, its frames decoded one at a time, its functional groups."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from filmless.dicom import frames, uids
from filmless.dicom.elements import Buffer
from filmless.dicom.frames import PixelFacts, PixelIndex
from filmless.dicom.header import Header
from filmless.dicom.pixels.codestream import stream_facts
from filmless.dicom.pixels.decode import Decoded, decode_frame
from filmless.dicom.pixels.render.values import Array, first_item
from filmless.dicom.pixels.transcode import transcode
from filmless.dicom.rewrite import inflate
from filmless.dicom.scan import scan, sequence_items
from filmless.kit.errors import Refused

SHARED_GROUPS, FRAME_GROUPS = 0x52009229, 0x52009230

_OVERLAY_ELEMENTS = (0x10, 0x11, 0x15, 0x40, 0x50, 0x51, 0x100, 0x102, 0x1001, 0x3000)
OVERLAY_GROUPS = range(0x6000, 0x6020, 2)

#: encapsulated syntaxes whose decoders give whole cells
_CELLS = (uids.RLE_LOSSLESS, uids.DEFLATED_FRAMES, uids.ENCAPSULATED_UNCOMPRESSED)

#: pixels of one frame; larger ones are not rendered (slides come in tiles)
MAX_PIXELS = 1 << 28

#: what rendering needs of an image
WANTED = frames.FACT_TAGS | frozenset(
    {
        0x00080016, 0x00080018, 0x00080060, 0x00082144, 0x00089205,
        0x00100010, 0x00100020, 0x00180060, 0x00181151, 0x00180050,
        0x00180040, 0x00181063, 0x00181065, 0x00189074,
        0x00181600, 0x00181602, 0x00181604, 0x00181606, 0x00181608, 0x00181610, 0x00181612,
        0x00181620, 0x00181622, 0x00181623, 0x00181624, 0x00189472,
        0x0020000D, 0x0020000E, 0x00200013, 0x00280009, 0x00280030, 0x00181164, 0x00280034, 0x00280101,
        0x00280120, 0x00280121, 0x00280122, 0x00280123, 0x00280124, 0x00280125,
        0x00281040, 0x00281050, 0x00281051, 0x00281052, 0x00281053, 0x00281056,
        0x00281101, 0x00281102, 0x00281103, 0x00281201, 0x00281202, 0x00281203,
        0x00281221, 0x00281222, 0x00281223, 0x00282000, 0x00283000, 0x00283010,
        0x20500010, 0x20500020, 0x00480105, 0x00620001, 0x0062000E,
        SHARED_GROUPS, FRAME_GROUPS,
    }
    | {group << 16 | element for group in OVERLAY_GROUPS for element in _OVERLAY_ELEMENTS}
)  # fmt: skip


@dataclass
class Image:
    """An image in little endian, inflated. Frames count from 0."""

    data: Buffer
    transfer_syntax_uid: str
    header: Header
    index: PixelIndex
    _video: list[Array] = field(default_factory=list)

    @property
    def facts(self) -> PixelFacts:
        """The Image Pixel module as the object declares it."""
        return self.index.facts

    @property
    def frames(self) -> int:
        """How many frames there are to show: those declared, as far as they are there."""
        if frames.is_video(self.transfer_syntax_uid):
            return self.facts.frames
        return min(self.facts.frames, len(self.index.places))

    def decode(self, frame: int) -> Decoded:
        """One frame. Raises Refused where there is no such frame or it cannot be decoded."""
        if not 0 <= frame < self.frames:
            raise Refused(
                self.index.problem or f"There is no frame {frame + 1}.",
                code="bad-pixels" if self.index.problem else "no-such-frame",
            )
        if frames.is_video(self.transfer_syntax_uid):
            return self._of_video(frame)
        raw = frames.read(self.data, self.index.places[frame])
        shift = self.index.bit_shift(frame)
        if shift:
            raw = (int.from_bytes(raw, "little") >> shift).to_bytes(len(raw), "little")
        syntax = self.transfer_syntax_uid if self.index.encapsulated else uids.EXPLICIT_VR_LE
        facts = self.facts
        if self.index.encapsulated and not facts.signed and stream_facts(raw).signed:
            # a JPEG 2000 stream of negative values in an object that knows none: the values are what is shown
            facts = replace(facts, signed=True)
        return decode_frame(raw, facts, syntax)

    def at_zero(self, frame: int) -> bool:
        """Whether the codec has put the values at bit 0, whatever the high bit says: it codes fewer bits than a cell
        has. The others give cells as they are."""
        if not self.index.encapsulated or self.transfer_syntax_uid in _CELLS:
            return False
        bits = stream_facts(frames.read(self.data, self.index.places[frame])).bits
        return bits < self.facts.bits_allocated

    def _of_video(self, frame: int) -> Decoded:
        """A frame of MPEG-2, MPEG-4 or HEVC, by decoding up to it."""
        from filmless.dicom.pixels.render.moving import video_frames

        stream = frames.read(self.data, self.index.places[0])
        for number, pixels in enumerate(video_frames(stream)):
            if number == frame:
                return Decoded(pixels, self.video_facts(pixels))
        raise Refused(f"The video has no frame {frame + 1}.", code="bad-pixels")

    def all_decoded(self) -> Iterator[Decoded]:
        """Every frame, one after the other; a video's in one pass."""
        if frames.is_video(self.transfer_syntax_uid):
            from filmless.dicom.pixels.render.moving import video_frames

            for pixels in video_frames(frames.read(self.data, self.index.places[0])):
                yield Decoded(pixels, self.video_facts(pixels))
            return
        for frame in range(self.frames):
            yield self.decode(frame)

    def video_facts(self, pixels: Array) -> PixelFacts:
        """The facts of a frame that a video decoder gave: RGB of 8 bits."""
        return PixelFacts(
            pixels.shape[0],
            pixels.shape[1],
            3,
            8,
            8,
            7,
            signed=False,
            photometric="RGB",
            planar=False,
            frames=self.facts.frames,
        )

    @cached_property
    def _per_frame(self) -> list[Header]:
        return sequence_items(self._with_large(FRAME_GROUPS), FRAME_GROUPS)

    @cached_property
    def _shared(self) -> Header | None:
        return first_item(self._with_large(SHARED_GROUPS), SHARED_GROUPS)

    def _with_large(self, tag: int) -> Header:
        """The header, a sequence too long to be copied by the scan included."""
        if tag in self.header.large:
            vr, start, length = self.header.large[tag]
            self.header.values[tag] = (vr, bytes(self.data[start : start + length]))
        return self.header

    def group(self, frame: int, sequence: int) -> Header | None:
        """The item of a functional group macro (PS3.3 C.7.6.16.1): the frame's own, else that shared by all."""
        own = self._per_frame[frame] if frame < len(self._per_frame) else None
        return first_item(own, sequence) or first_item(self._shared, sequence)


def open_image(data: Buffer, transfer_syntax_uid: str) -> Image:
    """An object's data set, opened. Raises Refused where it has no pixels (code "no-pixels") or they are damaged."""
    uid = transfer_syntax_uid
    if uids.transfer_syntax(uid).deflated:
        data, uid = inflate(data), uids.EXPLICIT_VR_LE
    header = scan(data, uid, WANTED)
    if not header.little and header.pixel_offset is not None:
        data, uid = transcode(data, uids.EXPLICIT_VR_BE, uids.EXPLICIT_VR_LE), uids.EXPLICIT_VR_LE
        header = scan(data, uid, WANTED)
    index = frames.index(data, uid, header)
    if index is None:
        raise Refused("This object holds no pixels.", code="no-pixels")
    if not index.places or not index.facts.rows or not index.facts.columns:
        raise Refused(f"The frames cannot be read: {index.problem or 'there are none'}.", code="bad-pixels")
    if index.facts.rows * index.facts.columns > MAX_PIXELS:
        raise Refused("The image is too large to be rendered.", code="unsupported-pixels")
    return Image(data, uid, header, index)


def stored_values(decoded: Decoded, *, at_zero: bool) -> tuple[Array, Array]:
    """(the values stored, the whole cells as unsigned numbers) of a grey frame (PS3.5 8.1.1).

    The value's bits are taken from below the high bit, or `at_zero` from bit 0 up, and extended by their sign.
    """
    facts, pixels = decoded.facts, decoded.pixels
    if facts.is_float or facts.bits_allocated == 1:
        return pixels, pixels
    allocated = facts.bits_allocated
    whole = pixels.astype(f"u{allocated // 8}", copy=False)
    stored = facts.bits_stored if 1 <= facts.bits_stored <= allocated else allocated
    if stored == allocated:
        return pixels, whole
    shift = 0 if at_zero else max(min(facts.high_bit + 1, allocated) - stored, 0)
    wanted = np.dtype(f"{'i' if facts.signed else 'u'}{allocated // 8}")
    return (whole << (allocated - stored - shift)).view(wanted) >> (allocated - stored), whole
