"""How long each frame of a moving picture is shown (PS3.3 C.7.6.5)."""

from filmless.dicom.header import Header
from filmless.dicom.pixels.render.values import number, numbers

_RECOMMENDED, _TIME, _VECTOR, _CINE = 0x00082144, 0x00181063, 0x00181065, 0x00180040
_DEFAULT = 100.0
#: between a thousand frames a second and one in ten
_SHORTEST, _LONGEST = 1.0, 10_000.0


def frame_times(header: Header, frames: int) -> list[float]:
    """Milliseconds for each frame."""
    rate = number(header, _RECOMMENDED)
    if rate > 0:
        return [_bounded(1000 / rate)] * frames
    vector = numbers(header, _VECTOR)
    if len(vector) >= 2 and len(vector) >= frames and number(header, _TIME) <= 0:
        # each value is the time since the frame before, the first one's is 0
        steps = [_bounded(step) for step in vector[1:frames]]
        return [*steps, steps[-1] if steps else _DEFAULT]
    time = number(header, _TIME)
    if time > 0:
        return [_bounded(time)] * frames
    rate = number(header, _CINE)
    return [_bounded(1000 / rate) if rate > 0 else _DEFAULT] * frames


def _bounded(milliseconds: float) -> float:
    return min(max(milliseconds, _SHORTEST), _LONGEST)
