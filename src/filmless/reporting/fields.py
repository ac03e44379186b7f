"""The structured fields of a report, as the template has them, for a structured document. Pure."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from filmless.reporting.templates import Template


def values_of(content: Mapping[str, Any], template: Template | None, language: str) -> list[dict[str, Any]]:
    """What was filled in, in the template's order: {"code", "label", "number", "unit"}, or {"code", "label", "text"}.

    A field that the template no longer has is told by its name.
    """
    known = {str(one.get("name")): one for one in (template.content.get("fields", []) if template else [])}
    given = content["fields"]
    names = [*(name for name in known if name in given), *(name for name in given if name not in known)]
    found: list[dict[str, Any]] = []
    for name in names:
        value = given[name]
        if value in (None, "", []):
            continue
        field = known.get(name, {})
        label = str(field.get(f"label_{language}") or field.get("label_zh") or name)[:64]
        one: dict[str, Any] = {"code": _code(name, {each["code"] for each in found}), "label": label}
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            found.append({**one, "number": value, "unit": str(field.get("unit") or "")})
            continue
        words = {str(each.get("value")): each.get(f"label_{language}") for each in field.get("choices") or ()}
        parts = [
            str(words.get(str(part)) or part) for part in (value if isinstance(value, list) else [value])
        ]
        found.append({**one, "text": ("、" if language == "zh" else ", ").join(parts)})
    return found


def _code(name: str, taken: Collection[str]) -> str:
    """A field's name as a code value that no other one of the report has: SH, at most 16 characters of ASCII."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "", name)[:16] or "FIELD"
    code, number = plain, 2
    while code in taken:
        code, number = f"{plain[:13]}-{number}", number + 1
    return code
