"""What is measured, as codes that others can read (PS3.16), both ways."""

from typing import Final

from pydicom.sr.coding import Code

OURS: Final = "99FILMLESS"

LENGTH: Final = Code("410668003", "SCT", "Length")
ANGLE: Final = Code("1483009", "SCT", "Angle")
COBB_ANGLE: Final = Code("285285000", "SCT", "Cobb angle")
LONG_AXIS: Final = Code("103339001", "SCT", "Long axis")
SHORT_AXIS: Final = Code("103340004", "SCT", "Short axis")
AREA: Final = Code("42798000", "SCT", "Area")
PERIMETER: Final = Code("131191004", "SCT", "Perimeter")
RATIO: Final = Code("118586006", "SCT", "Ratio")
ATTENUATION: Final = Code("112031", "DCM", "Attenuation Coefficient")
SIGNAL: Final = Code("110852", "DCM", "MR signal intensity")
SUV: Final = Code("126401", "DCM", "SUVbw")
#: of what has no physical meaning that the object tells of
PIXEL_VALUE: Final = Code("pixel-value", OURS, "Pixel value")

#: names of our values -> concept; those of grey levels are by their unit, with a derivation
QUANTITIES: Final[dict[str, Code]] = {
    "length": LENGTH,
    "angle": ANGLE,
    "long": LONG_AXIS,
    "short": SHORT_AXIS,
    "area": AREA,
    "perimeter": PERIMETER,
    "ratio": RATIO,
}
DERIVATIONS: Final[dict[str, Code]] = {
    "mean": Code("373098007", "SCT", "Mean"),
    "std": Code("386136009", "SCT", "Standard Deviation"),
    "min": Code("255605001", "SCT", "Minimum"),
    "max": Code("56851009", "SCT", "Maximum"),
}
#: our units -> UCUM
UNITS: Final[dict[str, Code]] = {
    "mm": Code("mm", "UCUM", "mm"),
    "mm2": Code("mm2", "UCUM", "square millimeter"),
    "deg": Code("deg", "UCUM", "Degree"),
    "px": Code("{pixels}", "UCUM", "pixels"),
    "px2": Code("{pixels}", "UCUM", "pixels"),
    "HU": Code("[hnsf'U]", "UCUM", "Hounsfield unit"),
    "SUV": Code("g/ml{SUVbw}", "UCUM", "Standardized Uptake Value body weight"),
    "raw": Code("1", "UCUM", "no units"),
    "ratio": Code("{ratio}", "UCUM", "ratio"),
}
NAMES: Final = frozenset({*QUANTITIES, *DERIVATIONS, "value"})

#: the tool with which it was drawn, as Measurement Method: so that it is the same tool again when it is read
METHODS: Final[dict[str, Code]] = {
    tool: Code(tool, OURS, meaning)
    for tool, meaning in {
        "length": "Distance between two points",
        "angle": "Angle at a vertex",
        "cobb": "Angle between two lines",
        "bidirectional": "Two perpendicular diameters",
        "ratio": "Ratio of two distances",
        "ellipse": "Ellipse",
        "rectangle": "Rectangle",
        "freehand": "Freehand outline",
        "probe": "Value at a point",
        "arrow": "Arrow",
        "text": "Text at a point",
        "calibration": "Calibration by a known length",
    }.items()
}
CLOSED: Final = frozenset({"ellipse", "rectangle", "freehand"})
#: tool -> how many points it has
POINTS: Final[dict[str, int]] = {
    "length": 2,
    "angle": 3,
    "cobb": 4,
    "bidirectional": 4,
    "ratio": 4,
    "ellipse": 4,
    "rectangle": 4,
    "probe": 1,
    "arrow": 2,
    "text": 1,
    "calibration": 2,
}

#: how the size of a pixel was known, of what was measured in millimetres
SPACING: Final = Code("px-source", OURS, "Source of the pixel spacing")
SPACINGS: Final[dict[str, Code]] = {
    source: Code(f"px-{source}", OURS, meaning)
    for source, meaning in {
        "calibrated": "Calibrated",
        "region": "Ultrasound region",
        "patient": "In the patient",
        "magnification": "Corrected for magnification",
        "detector": "At the detector",
        "scanned": "Of the scanned film",
        "reformatted": "Reformatted plane, in the patient",
        "none": "Unknown",
    }.items()
}

#: of what was drawn on a plane through a volume: three points, which are its origin and the same so far to the right
#: and downwards; how thick it is; and how what lies in it is shown
PLANE: Final = Code("plane", OURS, "Plane")
PLANE_ARM: Final = 100.0
SLAB: Final = Code("slab", OURS, "Thickness of the slab")
REFORMATTING: Final = Code("reformatting", OURS, "Reformatting")
BLENDS: Final[dict[str, Code]] = {
    "": Code("113072", "DCM", "Multiplanar reformatting"),
    "max": Code("113078", "DCM", "Maximum intensity projection"),
    "min": Code("113079", "DCM", "Minimum intensity projection"),
    "mean": Code("slab-mean", OURS, "Mean intensity projection"),
}

_NAME_OF: Final = {
    **{(code.value, code.scheme_designator): name for name, code in QUANTITIES.items()},
    (COBB_ANGLE.value, "SCT"): "angle",
    # as others say it: PS3.16 CID 7469 and older SNOMED codes
    ("110859", "DCM"): "angle",
    ("81827009", "SCT"): "length",
    ("103339001", "SCT"): "long",
    ("G-D7FE", "SRT"): "length",
    ("G-A166", "SRT"): "area",
    ("G-A185", "SRT"): "long",
    ("G-A186", "SRT"): "short",
    ("131190003", "SCT"): "length",
}
_DERIVED: Final = {
    **{(code.value, code.scheme_designator): name for name, code in DERIVATIONS.items()},
    ("R-00317", "SRT"): "mean",
    ("R-10047", "SRT"): "std",
    ("R-404FB", "SRT"): "min",
    ("G-A437", "SRT"): "max",
}
_UNIT_OF: Final = {
    **{code.value: unit for unit, code in UNITS.items()},
    "{pixels}": "px",
    "{SUVbw}g/ml": "SUV",
    "{ratio}": "ratio",
}


def quantity(name: str, unit: str, tool: str, modality: str) -> tuple[Code, Code | None]:
    """(concept, derivation) of a value of ours."""
    if name in QUANTITIES:
        return (COBB_ANGLE if name == "angle" and tool == "cobb" else QUANTITIES[name]), None
    concept = {"HU": ATTENUATION, "SUV": SUV}.get(unit) or (SIGNAL if modality == "MR" else PIXEL_VALUE)
    return concept, DERIVATIONS.get(name)


def name_of(concept: tuple[str, str], derivation: tuple[str, str] | None) -> str:
    """Our name of a measured quantity, "" where it has none."""
    if derivation in _DERIVED:
        return _DERIVED[derivation]
    found = _NAME_OF.get(concept) or _DERIVED.get(concept)
    if found:
        return found
    values = (ATTENUATION, SIGNAL, SUV, PIXEL_VALUE)
    return "value" if concept in {(code.value, code.scheme_designator) for code in values} else ""


def unit_of(code: str, name: str) -> str:
    """Our word for a unit, or the code itself."""
    if code == "{pixels}" and name == "area":
        return "px2"
    return _UNIT_OF.get(code, code)
