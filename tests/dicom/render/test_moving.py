"""Moving pictures: frames, rate and values, decoded back by PyAV and imagecodecs."""

import io
from fractions import Fraction
from typing import Any

import av
import imagecodecs
import numpy as np
import pytest
from tests.dicom.render.making import LE, encoded, image

from filmless.dicom import uids
from filmless.dicom.builders.encode import element
from filmless.dicom.pixels.render import render
from filmless.dicom.pixels.transcode import encapsulate
from filmless.dicom.rendering import MAX_FRAMES, MIDDLE, Viewport, Wish
from filmless.kit.errors import Refused

FRAMES = np.stack([np.full((31, 45), 20 * number, np.uint8) for number in range(7)])


def _loop(array: np.ndarray = FRAMES, **attributes: Any) -> bytes:
    plain: dict[str, Any] = {"NumberOfFrames": len(array), "WindowCenter": "128", "WindowWidth": "256"}
    return encoded(image(array, **{**plain, **attributes}))


def _decoded(content: bytes) -> tuple[list[av.VideoFrame], list[float], float]:
    """(frames, their times in seconds, the length in seconds)."""
    with av.open(io.BytesIO(content), "r") as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        times = [float(frame.pts * frame.time_base) for frame in frames if frame.pts is not None]
        return frames, times, float((stream.duration or 0) * (stream.time_base or 0))


def test_mp4_has_every_frame_at_its_time() -> None:
    made = render(_loop(FrameTime="40"), LE, Wish("video/mp4"))
    assert (made.media_type, made.frames) == ("video/mp4", 7)
    frames, times, length = _decoded(made.content)
    assert times == pytest.approx([0.04 * number for number in range(7)], abs=1e-4)
    assert length == pytest.approx(0.28, abs=1e-3)
    for number, frame in enumerate(frames):
        assert (frame.height, frame.width) == (32, 46)  # even
        assert np.abs(frame.to_ndarray(format="rgb24").astype(int) - 20 * number).max() <= 3


def test_mp4_is_what_browsers_play() -> None:
    content = render(_loop(), LE, Wish("video/mp4")).content
    with av.open(io.BytesIO(content), "r") as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert "Baseline" in (context.profile or "")
    assert content.find(b"moov") < content.find(b"mdat")  # plays while it loads


@pytest.mark.parametrize(
    ("attributes", "milliseconds"),
    [
        ({"FrameTime": "33.333"}, [33.333] * 6),
        ({"CineRate": "25"}, [40.0] * 6),
        ({"RecommendedDisplayFrameRate": "5", "FrameTime": "40"}, [200.0] * 6),
        (
            {"FrameTimeVector": ["0", "10", "20", "30", "40", "50", "60"]},
            [10.0, 20.0, 30.0, 40.0, 50.0, 60.0],
        ),
        ({}, [100.0] * 6),
        ({"FrameTime": "0", "CineRate": "-3"}, [100.0] * 6),
    ],
)
def test_rates(attributes: dict[str, Any], milliseconds: list[float]) -> None:
    _, times, _ = _decoded(render(_loop(**attributes), LE, Wish("video/mp4")).content)
    assert np.diff(times) * 1000 == pytest.approx(milliseconds, abs=0.05)


def test_gif_of_grey_is_exact() -> None:
    content = render(_loop(FrameTime="50"), LE, Wish("image/gif")).content
    found = imagecodecs.gif_decode(content)
    assert found.shape == (7, 31, 45, 3)
    np.testing.assert_array_equal(found[..., 1], FRAMES)
    with av.open(io.BytesIO(content), "r") as container:
        times = [float(frame.pts * frame.time_base) for frame in container.decode(video=0)]  # type: ignore[operator]
    assert times == pytest.approx([0.05 * number for number in range(7)], abs=0.011)
    assert b"NETSCAPE2.0" in content  # repeats


def test_gif_of_colour_is_near() -> None:
    x = np.linspace(0, 255, 40).astype(np.uint8)
    frame = np.stack(np.broadcast_arrays(x[None, :], x[::-1, None], np.uint8(90)), -1)
    content = render(_loop(np.stack([frame, frame[::-1]])), LE, Wish("image/gif")).content
    found = imagecodecs.gif_decode(content)
    assert np.abs(found[0].astype(int) - frame).mean() < 12
    assert np.abs(found[1].astype(int) - frame[::-1]).mean() < 12


def test_without_a_window_all_frames_share_one_range() -> None:
    frames = np.stack([np.full((16, 16), value, np.uint16) for value in (0, 500, 1000)])
    content = render(_loop(frames, WindowCenter=None, WindowWidth=None), LE, Wish("image/gif")).content
    assert imagecodecs.gif_decode(content)[:, 3, 3, 0].tolist() == [0, 128, 255]


def _loop_of(frames: np.ndarray) -> bytes:
    return encoded(image(frames, NumberOfFrames=len(frames)))


def test_a_viewport_holds_for_every_frame() -> None:
    made = render(_loop(), LE, Wish("image/gif", viewport=Viewport(20, 20)))
    assert imagecodecs.gif_decode(made.content).shape == (7, 14, 20, 3)
    assert (made.width, made.height) == (20, 14)


def test_a_still_picture_of_many_frames_is_one_of_them() -> None:
    for frame, value in ((None, 0), (4, 80), (MIDDLE, 60)):
        png = render(_loop(), LE, Wish("image/png", frame=frame)).content
        assert imagecodecs.png_decode(png)[5, 5] == value
    gif = render(_loop(), LE, Wish("image/gif", frame=2)).content
    assert imagecodecs.gif_decode(gif).shape == (31, 45, 3)
    with pytest.raises(Refused) as refused:
        render(_loop(), LE, Wish("image/png", frame=7))
    assert refused.value.code == "no-such-frame"


def test_too_many_frames_are_refused_before_they_are_decoded() -> None:
    many = np.zeros((MAX_FRAMES + 1, 2, 2), np.uint8)
    with pytest.raises(Refused) as refused:
        render(_loop(many), LE, Wish("image/gif"))
    assert refused.value.code == "too-many-frames"


def test_a_profile_cannot_go_into_a_video() -> None:
    with pytest.raises(Refused) as refused:
        Wish("video/mp4", icc="srgb")
    assert refused.value.code == "bad-iccprofile"


def test_a_stored_video_is_shown_frame_by_frame() -> None:
    """What was stored as MPEG-4 AVC, as an endoscope or ultrasound sends it."""
    stream = render(_loop(FrameTime="40"), LE, Wish("video/mp4")).content
    head = encoded(image(np.zeros((32, 46, 3), np.uint8), NumberOfFrames=1))
    head = head[: head.index(b"\xe0\x7f\x10\x00")].replace(element(0x00280008, "IS", b"1 "), b"")
    at = head.index(b"\x28\x00\x10\x00")
    data = (
        head[:at]
        + element(0x00280008, "IS", b"7 ")
        + head[at:]
        + encapsulate([stream + b"\0" * (len(stream) % 2)])
    )
    avc = "1.2.840.10008.1.2.4.102"
    assert uids.transfer_syntax(avc).encapsulated
    still = imagecodecs.png_decode(render(data, avc, Wish("image/png", frame=4)).content)
    assert np.abs(still.astype(int) - 80).max() <= 3
    again, times, _ = _decoded(render(data, avc, Wish("video/mp4")).content)
    assert len(again) == 7
    assert Fraction(len(times) - 1) > 0
    damaged = data.replace(b"moov", b"mooo")
    with pytest.raises(Refused):
        render(damaged, avc, Wish("image/png"))
