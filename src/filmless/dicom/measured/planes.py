"""What is drawn on planes through a volume: in the coordinates of the patient (SCOORD3D, PS3.3 C.18.9), both ways."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from filmless.dicom.measured import Json

#: points closer than this to one line, in mm, tell of no plane
_FLAT = 1e-3


def in_patient(one: Json) -> Any:
    """The points of an annotation with a plane: (n, 3), in mm."""
    plane = one["plane"]
    points = np.asarray(one["points"], dtype=np.float64)
    axes = np.asarray([plane["row"], plane["column"]], dtype=np.float64)
    return np.asarray(plane["origin"], dtype=np.float64) + points @ axes


def arms(one: Json, arm: float) -> Any:
    """Three points that say where the plane of an annotation is: its origin, and `arm` mm to the right and down."""
    plane = one["plane"]
    origin = np.asarray(plane["origin"], dtype=np.float64)
    right, down = (np.asarray(plane[axis], dtype=np.float64) * arm for axis in ("row", "column"))
    return np.stack([origin, origin + right, origin + down])


def plane_of(reference: str, corners: Sequence[Sequence[float]]) -> Json | None:
    """The plane through points, of which the first is its origin and the second lies to the right; None where they lie
    on a line."""
    points = np.asarray(corners, dtype=np.float64).reshape(-1, 3)
    if len(points) < 3 or not np.isfinite(points).all():
        return None
    # two points alike say nothing: a closed outline ends where it begins
    away = np.linalg.norm(points - points[0], axis=1)
    first = int(np.argmax(away > _FLAT))
    if away[first] <= _FLAT:
        return None
    row = (points[first] - points[0]) / away[first]
    rest = points - points[0] - np.outer((points - points[0]) @ row, row)
    far = np.linalg.norm(rest, axis=1)
    third = int(np.argmax(far))
    if far[third] <= _FLAT or not reference:
        return None
    column = rest[third] / far[third]
    return {
        "reference": reference,
        "origin": [float(value) for value in points[0]],
        "row": [float(value) for value in row],
        "column": [float(value) for value in column],
        "slab": 0.0,
        "blend": "",
    }


def on_plane(plane: Json, flat: Sequence[float]) -> list[float] | None:
    """Coordinates in the patient, x, y, z of each point, as x, y on the plane; None where one is off it by more than a
    tenth of a millimetre."""
    points = np.asarray(flat, dtype=np.float64)
    points = points[: len(points) // 3 * 3].reshape(-1, 3) - np.asarray(plane["origin"])
    row, column = np.asarray(plane["row"]), np.asarray(plane["column"])
    if (
        len(points) == 0
        or not np.isfinite(points).all()
        or np.abs(points @ np.cross(row, column)).max() > 0.1
    ):
        return None
    return [float(value) for value in np.stack([points @ row, points @ column], axis=1).ravel()]


def thickness(text: Any) -> float:
    """Of a slab as a report says it; 0 where it makes no sense."""
    value = float(text)
    return value if math.isfinite(value) and 0 < value <= 1000 else 0.0
