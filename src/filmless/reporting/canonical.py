"""The canonical form of a revision: what is signed. Pure: no I/O.

One text in UTF-8, JSON with sorted keys and nothing between them, normalised to NFC, so that the same words always
give the same bytes. It holds the text, the images referred to, and who the patient and what the exams were then.
"""

import hashlib
import json
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from filmless.reporting.model import SECTIONS, whole

#: of the form; one that reads otherwise has another number
FORM = "filmless-report-1"


def canonical(
    *,
    report: int,
    number: int,
    kind: str,
    content: Mapping[str, Any],
    exams: Sequence[Mapping[str, str]],
    person: Mapping[str, str],
    people: Mapping[str, str],
    template: str,
    language: str,
    base: str = "",
) -> str:
    """The canonical form. `exams`: number, study UID, procedure, modality, part, side of each; `people`: author,
    reviewer; `base`: hash of the revision that an addendum is to."""
    given = whole(content)
    form = {
        "form": FORM,
        "report": report,
        "revision": number,
        "kind": kind,
        "text": {name: given[name] for name in SECTIONS},
        "result": given["result"],
        "fields": given["fields"],
        "links": [_reference(one) | {"text": one.get("text", "")} for one in given["links"]],
        "images": [_reference(one) | {"caption": one.get("caption", "")} for one in given["images"]],
        "exams": sorted((dict(one) for one in exams), key=lambda one: one.get("study_uid", "")),
        "person": dict(person),
        "people": dict(people),
        "template": template,
        "language": language,
        "base": base,
    }
    text = json.dumps(form, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return unicodedata.normalize("NFC", text)


def _reference(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "study_uid": one.get("study_uid", ""),
        "series_uid": one.get("series_uid", ""),
        "sop_uid": one.get("sop_uid", ""),
        "frame": one.get("frame") or 1,
    }


def digest(text: str) -> str:
    """SHA-256 of a canonical form, in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
