"""An answer of the worklist: of an item what was asked for, in the words that the device can read. Pure."""

from collections.abc import Mapping
from typing import Any

from filmless.department.worklist import keys
from filmless.department.worklist.asking import Question, Wanted
from filmless.department.worklist.items import Values
from filmless.department.worklist.speaking import Either, Speaking
from filmless.dicom.builders import texts


def answer(values: Values, question: Question, speaking: Speaking, transfer_syntax_uid: str) -> bytes:
    """The data set of one pending response. What is asked for and not known goes back empty."""
    chosen = _chosen(values, question.top, keys.TOP, speaking)
    if keys.STEPS in chosen:
        step = values[keys.STEPS][0]
        wanted = question.step if question.step.returned else None
        chosen[keys.STEPS] = ("SQ", [_chosen(step, wanted, keys.IN_STEP, speaking)])
    plain = _ascii(chosen)
    return texts.data_set(chosen, transfer_syntax_uid, "" if plain else speaking.character_set)


def _chosen(
    values: Mapping[int, Any], wanted: Wanted | None, known: Mapping[int, str], speaking: Speaking
) -> dict[int, tuple[str, Any]]:
    chosen: dict[int, tuple[str, Any]] = {}
    for tag in known if wanted is None else wanted.returned:
        vr, value = known[tag], values.get(tag, "")
        if vr == "SQ":
            inner = wanted.inside.get(tag) if wanted is not None else None
            items = value or []
            chosen[tag] = (vr, [_chosen(item, inner, keys.INSIDE[tag], speaking) for item in items])
        elif isinstance(value, (str, Either)):
            chosen[tag] = (vr, speaking.text(vr, value))
        else:
            chosen[tag] = (vr, value)
    return chosen


def _ascii(elements: Mapping[int, tuple[str, Any]]) -> bool:
    return all(
        value.isascii() if isinstance(value, str) else isinstance(value, int) or all(map(_ascii, value))
        for _, value in elements.values()
    )
