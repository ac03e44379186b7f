"""Annotations as DICOM objects, and back: measurement reports, presentation states, key object selections.

An annotation is a dict of JSON, the same on its way from and to the browser:

    id      a UUID, or the Tracking Unique Identifier of an object of others
    tool    "length", "angle", "cobb", "bidirectional", "ratio", "ellipse", "rectangle", "freehand", "probe", "arrow",
            "text", "calibration"; "other" for what others drew and no tool of ours draws
    sop     SOP Instance UID of the image; frame: from 1
    points  [column, row] in pixels from the upper left corner of the upper left pixel (PS3.3 C.18.6.1.1):
            ends of a line; angle: end, vertex, end; cobb, ratio: two lines; bidirectional: long axis, short axis;
            ellipse: ends of one axis, ends of the other; rectangle: corners all around; freehand: the outline, not
            closed; arrow: its tip, its end; calibration: ends of a line whose length is known
    values  {"name", "value", "unit"}: names and units of concepts.py
    spacing how the size of a pixel was known: of concepts.py, "" where it is not said
    label   free text; colour: "#rrggbb" or ""

highdicom and pydicom are big: only codec processes import what is here, but for this file.
"""

from typing import Any

Json = dict[str, Any]
