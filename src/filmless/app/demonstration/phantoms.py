"""Images worth looking at, made of numbers: bodies of ellipsoids, in Hounsfield units, and what other devices see.

They are nobody's. Volumes are arrays [slice, row, column], slices from the feet to the head, rows from front to back.
"""

import gzip
import io
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Volume = NDArray[np.int16]
    Image = NDArray[Any]

AIR: Final = -1000
#: (HU, centre x y z, half axes x y z, turned by degrees in the plane); coordinates from -1 to 1
Body = tuple[float, tuple[float, float, float], tuple[float, float, float], float]

HEAD: Final[Sequence[Body]] = (
    (40, (0, 0.02, 0), (0.74, 0.92, 0.98), 0),
    (1100, (0, 0, 0), (0.69, 0.87, 0.94), 0),
    (36, (0, 0, 0), (0.635, 0.815, 0.89), 0),
    # white matter, then ventricles and basal ganglia
    (28, (0.27, 0.02, 0.12), (0.25, 0.56, 0.52), 6),
    (28, (-0.27, 0.02, 0.12), (0.25, 0.56, 0.52), -6),
    (6, (0.11, -0.16, 0.12), (0.05, 0.27, 0.2), 12),
    (6, (-0.11, -0.16, 0.12), (0.05, 0.27, 0.2), -12),
    (6, (0.15, 0.22, 0.08), (0.055, 0.17, 0.14), -24),
    (6, (-0.15, 0.22, 0.08), (0.055, 0.17, 0.14), 24),
    (38, (0.2, -0.02, 0.02), (0.08, 0.15, 0.14), 10),
    (38, (-0.2, -0.02, 0.02), (0.08, 0.15, 0.14), -10),
    (120, (0, 0.36, 0.05), (0.02, 0.03, 0.04), 0),
    (1300, (0.3, 0.2, -0.85), (0.22, 0.12, 0.2), 30),
    (1300, (-0.3, 0.2, -0.85), (0.22, 0.12, 0.2), -30),
)
BLEEDING: Final[Sequence[Body]] = (
    (22, (0.33, 0.05, 0.1), (0.19, 0.2, 0.2), 20),
    (68, (0.33, 0.05, 0.1), (0.13, 0.15, 0.15), 20),
    (74, (0.36, 0.1, 0.12), (0.06, 0.08, 0.09), 40),
)
CHEST: Final[Sequence[Body]] = (
    (-95, (0, 0, 0), (0.95, 0.66, 1.4), 0),
    (45, (0, 0, 0), (0.89, 0.6, 1.4), 0),
    (-850, (0.45, -0.02, 0.05), (0.34, 0.46, 0.95), 6),
    (-850, (-0.45, -0.02, 0.05), (0.34, 0.46, 0.95), -6),
    (48, (0.12, -0.16, -0.25), (0.32, 0.27, 0.42), -28),
    (48, (0, 0.06, 0.3), (0.14, 0.24, 0.75), 0),
    (52, (0.1, 0.24, 0), (0.075, 0.075, 1.2), 0),
    (-980, (0.01, -0.02, 0.72), (0.055, 0.055, 0.42), 0),
    (52, (-0.45, 0, -0.98), (0.4, 0.46, 0.4), 0),
    (48, (0.45, 0, -1.05), (0.36, 0.4, 0.34), 0),
    (420, (0, 0.43, 0), (0.12, 0.1, 1.4), 0),
    (15, (0, 0.34, 0), (0.05, 0.035, 1.4), 0),
    (350, (0, -0.57, 0.2), (0.07, 0.025, 0.7), 0),
)
NODULE: Final[Sequence[Body]] = ((35, (0.5, -0.12, 0.32), (0.055, 0.05, 0.055), 0),)
EFFUSION: Final[Sequence[Body]] = ((12, (-0.5, 0.28, -0.5), (0.26, 0.2, 0.5), -12),)


def body(shapes: Sequence[Body], slices: int, size: int, *, noise: float = 8, seed: int = 1) -> "Volume":
    """The volume of shapes laid one over the other, in Hounsfield units with the noise of a scanner."""
    import numpy as np

    draw = np.random.default_rng(seed)
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    x, y = np.meshgrid(axis, axis)
    volume = np.empty((slices, size, size), np.int16)
    turned = [(np.cos(np.radians(angle)), np.sin(np.radians(angle))) for *_, angle in shapes]
    for number, z in enumerate(np.linspace(-1, 1, slices)):
        plane = np.full((size, size), AIR, np.float32)
        for (value, (cx, cy, cz), (ax, ay, az), _), (cos, sin) in zip(shapes, turned, strict=True):
            rest = 1 - ((z - cz) / az) ** 2
            if rest <= 0:
                continue
            along = (x - cx) * cos + (y - cy) * sin
            across = (y - cy) * cos - (x - cx) * sin
            distance = np.sqrt((along / ax) ** 2 + (across / ay) ** 2) / np.sqrt(rest)
            # edges as wide as the scanner sees them
            share = np.clip((1.02 - distance) / 0.04, 0, 1)
            plane += share * (value - plane)
        volume[number] = np.round(plane + draw.normal(0, noise, plane.shape)).astype(np.int16)
    return volume


def chest(slices: int, size: int, extra: Sequence[Body] = (), *, seed: int = 1) -> "Volume":
    """A chest with ribs and vessels, which are too many to be written down."""
    import numpy as np

    draw = np.random.default_rng(seed)
    ribs: list[Body] = []
    for level in np.linspace(-0.95, 0.95, 10):
        for turn in range(0, 360, 9):
            angle = np.radians(turn)
            ribs.append(
                (
                    480,
                    (0.8 * np.cos(angle), 0.52 * np.sin(angle), level - 0.12 * np.sin(angle)),
                    (0.06, 0.03, 0.045),
                    turn,
                )
            )
    vessels: list[Body] = []
    for _ in range(140):
        side = draw.choice([-1, 1])
        reach = draw.random()
        thick = 0.026 * (1 - reach) + 0.006
        centre = (
            side * (0.2 + 0.5 * reach),
            draw.uniform(-0.32, 0.32) * (0.3 + reach),
            draw.uniform(-0.75, 0.8),
        )
        vessels.append((40, centre, (thick * draw.uniform(1, 5), thick, thick), float(draw.uniform(-60, 60))))
    return body([*CHEST[:4], *vessels, *CHEST[4:], *ribs, *extra], slices, size, noise=14, seed=seed)


def projected(volume: "Volume", size: int, *, lateral: bool = False) -> "Image":
    """What a film sees of a volume: 12 bits, bright where much is absorbed (MONOCHROME2)."""
    import numpy as np

    absorbed = np.clip(volume.astype(np.float32) + 1000, 0, None).sum(axis=2 if lateral else 1)[::-1]
    rows = np.linspace(0, absorbed.shape[0] - 1, size)
    columns = np.linspace(0, absorbed.shape[1] - 1, size)
    low, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    high, right = np.minimum(low + 1, absorbed.shape[0] - 1), np.minimum(left + 1, absorbed.shape[1] - 1)
    down, across = (rows - low)[:, None], (columns - left)[None]
    top = absorbed[low][:, left] * (1 - across) + absorbed[low][:, right] * across
    bottom = absorbed[high][:, left] * (1 - across) + absorbed[high][:, right] * across
    picture = top * (1 - down) + bottom * down
    picture = np.sqrt(picture / picture.max())
    picture += np.random.default_rng(3).normal(0, 0.006, picture.shape)
    shown: Image = np.clip(picture * 4095, 0, 4095).astype(np.uint16)
    return shown


def sector(size: tuple[int, int], *, stones: int = 2, seed: int = 5) -> "Image":
    """An ultrasound image of a liver and gall bladder: rows x columns x RGB, and the sector that sound reaches."""
    import numpy as np

    draw = np.random.default_rng(seed)
    rows, columns = size
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    across, down = (x - columns / 2) / rows, y / rows + 0.12
    radius, angle = np.hypot(across, down), np.degrees(np.arctan2(across, down))
    seen = (np.abs(angle) < 34) & (radius > 0.17) & (radius < 1.05)
    speckle: Any = draw.rayleigh(1, (rows, columns)).astype(np.float32)
    for axis in (0, 1):
        speckle = (speckle + np.roll(speckle, 1, axis) + np.roll(speckle, -1, axis)) / 3
    tissue = np.full((rows, columns), 0.36, np.float32)
    tissue[((across - 0.02) / 0.55) ** 2 + ((down - 0.75) / 0.1) ** 2 < 1] = 0.62
    bladder = ((across + 0.08) / 0.13) ** 2 + ((down - 0.5) / 0.085) ** 2
    tissue[bladder < 1.15] = 0.55
    tissue[bladder < 1] = 0.03
    for number in range(stones):
        centre = -0.12 + 0.07 * number
        stone = ((across - centre) / 0.018) ** 2 + ((down - 0.565) / 0.014) ** 2
        tissue[(np.abs(across - centre * down / 0.565) < 0.017) & (down > 0.57)] *= 0.25
        tissue[stone < 1] = 1.3
    for _ in range(14):
        centre, depth = draw.uniform(-0.4, 0.4), draw.uniform(0.3, 0.95)
        tissue[((across - centre) / 0.035) ** 2 + ((down - depth) / 0.012) ** 2 < 1] *= 0.3
    grey = np.where(seen, 255 * tissue * speckle / 1.25 * np.exp(-0.25 * radius), 0)
    return np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def breast(size: tuple[int, int], *, seed: int = 9) -> "Image":
    """A mammogram: 12 bits, MONOCHROME2, the chest wall at the left."""
    import numpy as np

    draw = np.random.default_rng(seed)
    rows, columns = size
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    down, out = (y - rows * 0.52) / (rows * 0.42), x / (columns * 0.8)
    inside = np.clip(1 - down**2 - out**2, 0, None)
    texture: Any = np.zeros((rows, columns), np.float32)
    for scale in (4, 8, 16, 32, 64):
        coarse = draw.normal(0, 1, (rows // scale + 2, columns // scale + 2)).astype(np.float32)
        blocks = np.kron(coarse, np.ones((scale, scale), np.float32))
        for axis in (0, 1, 0, 1):
            blocks = np.mean([np.roll(blocks, step, axis) for step in range(-scale // 2, scale // 2)], axis=0)
        texture += blocks[:rows, :columns] * scale**0.7
    texture /= np.abs(texture).max()
    picture: Any = np.sqrt(inside) * (0.5 + 0.35 * np.clip(1 - 1.2 * out, 0, 1) * (1 + texture))
    for _ in range(9):
        row, column = rows * 0.46 + draw.normal(0, 14), columns * 0.38 + draw.normal(0, 14)
        picture[(y - row) ** 2 + (x - column) ** 2 < draw.uniform(1, 5)] += 0.3
    picture += draw.normal(0, 0.008, picture.shape)
    shown: Image = np.clip(picture * 4095, 0, 4095).astype(np.uint16)
    return shown


#: where the wheel of nilearn has the average of 152 brains (MNI ICBM 2009a, T1)
_TEMPLATE: Final = "mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"


def brain(wheel: Path | None) -> "tuple[Volume, float]":
    """A brain as MR sees it, T1-weighted, and the edge of its cubic voxels in mm.

    Of the template that the wheel of nilearn carries; without that wheel one is made of the head above.
    """
    import numpy as np

    found = _template(wheel) if wheel is not None else None
    if found is not None:
        return found
    head = body(HEAD, 96, 192, noise=0, seed=2).astype(np.float32)
    signal = np.select(
        [head < -500, head > 400, head < 15, head < 32, head < 60], [0, 60, 180, 900, 640], default=800
    ).astype(np.float32)
    signal += np.random.default_rng(4).normal(0, 18, signal.shape)
    return np.clip(signal, 0, 4095).astype(np.int16), 1.0


def _template(wheel: Path) -> "tuple[Volume, float] | None":
    """NIfTI-1 of one file, as that template is: shorts or bytes, axes to the right, front and head."""
    import numpy as np

    with zipfile.ZipFile(wheel) as archive:
        name = next((one for one in archive.namelist() if one.endswith(_TEMPLATE)), None)
        if name is None:
            return None
        raw = gzip.GzipFile(fileobj=io.BytesIO(archive.read(name))).read()
    order = "<" if struct.unpack("<i", raw[:4])[0] == 348 else ">"
    shape = struct.unpack(order + "8h", raw[40:56])[1:4]
    kind = {2: "u1", 4: "i2", 16: "f4", 64: "f8", 512: "u2"}[struct.unpack(order + "h", raw[70:72])[0]]
    edge = abs(struct.unpack(order + "8f", raw[76:108])[1])
    begin = int(struct.unpack(order + "f", raw[108:112])[0])
    values: Any = np.frombuffer(raw, order + kind, int(np.prod(shape)), begin).reshape(shape, order="F")
    # x to the right, y to the front, z to the head; as rows from the front, columns from the patient's right
    volume = np.flip(values, 1).transpose(2, 1, 0).astype(np.float32)
    volume *= 2000 / max(1.0, float(volume.max()))
    volume += np.random.default_rng(6).normal(0, 12, volume.shape)
    return np.clip(volume, 0, 4095).astype(np.int16), float(edge)
