"""Problem answers as our API describes them (OpenAPI): said once, referred to by every route."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from filmless.net.http.problems import MEDIA_TYPE


class Problem(BaseModel):
    """An error, RFC 9457. `code` is a short stable word for programs, `detail` a sentence for people."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
    code: str = ""


_REFERENCE: Final = {"$ref": "#/components/schemas/Problem"}


def problems(words: Mapping[int, str]) -> dict[int | str, dict[str, Any]]:
    """`responses` of routes: status -> what it means there."""
    return {
        status: {"description": meaning, "content": {MEDIA_TYPE: {"schema": _REFERENCE}}}
        for status, meaning in words.items()
    }


def with_problem(description: dict[str, Any]) -> dict[str, Any]:
    """A description with the schema that `problems` refers to."""
    schemas = description.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = Problem.model_json_schema()
    return description
