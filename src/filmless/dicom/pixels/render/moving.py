"""Pictures that move: GIF and MP4 (H.264) written, videos read, through PyAV. Loads av."""

import io
import tempfile
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.filter import Graph

from filmless.dicom.pixels.render.values import Array
from filmless.kit.errors import Refused

#: of MP4: units of time in a second, enough for any frame time in microseconds to be near
_CLOCK = 90_000
_FORMAT = {2: "gray", 3: "rgb24"}


def _frame(pixels: Array) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=_FORMAT[pixels.ndim])


def mp4(pictures: Iterator[Array], milliseconds: Sequence[float], *, quality: int) -> bytes:
    """H.264 in its main or baseline profile, 4:2:0, which every browser plays; the index comes first, so that it
    plays while it loads. `milliseconds`: how long each picture is shown. Sides are even: the last row or column is
    doubled where they are not."""
    # 18 is hard to tell from the original, 40 is coarse
    rate = str(round(45 - 0.3 * quality))
    # putting the index first reads the file again, by its name
    with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
        _write_mp4(file.name, pictures, milliseconds, rate)
        return Path(file.name).read_bytes()


def _write_mp4(path: str, pictures: Iterator[Array], milliseconds: Sequence[float], rate: str) -> None:
    with av.open(path, "w", format="mp4", options={"movflags": "faststart"}) as container:
        stream: Any = None
        at = Fraction(0)
        for number, pixels in enumerate(pictures):
            rows, columns = pixels.shape[:2]
            if rows % 2 or columns % 2:
                pad = [(0, rows % 2), (0, columns % 2)] + [(0, 0)] * (pixels.ndim - 2)
                pixels = np.pad(pixels, pad, mode="edge")
            if stream is None:
                options = {"crf": rate, "preset": "veryfast", "profile": "baseline", "threads": "1"}
                mean = sum(milliseconds) / len(milliseconds)
                stream = container.add_stream(
                    "libx264", rate=Fraction(1000 / mean).limit_denominator(1001), options=options
                )
                stream.height, stream.width = pixels.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.time_base = Fraction(1, _CLOCK)
                stream.codec_context.time_base = Fraction(1, _CLOCK)
                stream.codec_context.color_range = 1  # limited, as players expect
            frame = _frame(pixels).reformat(format="yuv420p", dst_color_range="MPEG")
            frame.pts = round(at * _CLOCK / 1000)
            frame.time_base = Fraction(1, _CLOCK)
            frame.duration = round(milliseconds[number] * _CLOCK / 1000)
            at += Fraction(milliseconds[number])
            container.mux(stream.encode(frame))
        if stream is None:
            raise Refused("There are no frames.", code="bad-pixels")
        container.mux(stream.encode(None))


def gif(pictures: Iterator[Array], milliseconds: Sequence[float]) -> bytes:
    """A GIF that repeats for ever. Grey has all its 256 levels; colour has a palette for each picture."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="gif", options={"loop": "0"}) as container:
        stream: Any = None
        at = 0.0
        for number, pixels in enumerate(pictures):
            frame = _frame(pixels) if pixels.ndim == 2 else _indexed(pixels)
            if stream is None:
                stream = container.add_stream("gif", rate=100)
                stream.height, stream.width = pixels.shape[:2]
                stream.pix_fmt = frame.format.name
                stream.time_base = stream.codec_context.time_base = Fraction(1, 100)
            frame.pts, frame.time_base = round(at / 10), Fraction(1, 100)
            frame.duration = max(round(milliseconds[number] / 10), 1)
            at += max(milliseconds[number], 10.0)
            container.mux(stream.encode(frame))
        if stream is None:
            raise Refused("There are no frames.", code="bad-pixels")
        container.mux(stream.encode(None))
    return buffer.getvalue()


def _indexed(pixels: Array) -> av.VideoFrame:
    """RGB with a palette of its own 256 colours."""
    graph = Graph()
    height, width = pixels.shape[:2]
    source = graph.add_buffer(
        width=width, height=height, format=av.VideoFormat("rgb24"), time_base=Fraction(1, 100)
    )
    split, palette = graph.add("split"), graph.add("palettegen", "stats_mode=single:reserve_transparent=0")
    use, sink = graph.add("paletteuse", "new=1:dither=bayer"), graph.add("buffersink")
    source.link_to(split)
    split.link_to(use, 0, 0)
    split.link_to(palette, 1, 0)
    palette.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    graph.push(_frame(pixels))
    graph.push(None)
    return cast(av.VideoFrame, graph.pull())


def video_frames(stream: bytes) -> Iterator[Array]:
    """The frames of a video's stream as (rows, columns, 3) of RGB. Raises Refused where it is damaged."""
    try:
        with av.open(io.BytesIO(stream), "r") as container:
            if not container.streams.video:
                raise Refused("The video cannot be decoded.", code="bad-pixels")
            for frame in container.decode(container.streams.video[0]):
                yield frame.to_ndarray(format="rgb24")
    except (av.FFmpegError, ValueError) as error:
        raise Refused("The video is damaged.", code="bad-pixels") from error
