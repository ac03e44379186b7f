"""What needs no database: checks, differences, bar codes, templates."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filmless.reporting import checks, diff
from filmless.reporting.first_templates import PHRASES, TEMPLATES
from filmless.reporting.press.code128 import _PATTERNS, widths

HEAD: Any = SimpleNamespace(side="")


def codes(content: dict[str, Any], *, sex: str = "M", side: str = "", **more: Any) -> set[tuple[str, str]]:
    found = checks.warnings(content, [SimpleNamespace(side=side)], sex, **more)  # type: ignore[list-item]
    return {(one.code, one.section) for one in found}


@pytest.mark.parametrize(
    ("content", "more", "expected"),
    [
        ({"impression": ""}, {}, {("empty", "impression")}),
        ({"impression": "正常"}, {"template": {"required": ["findings"]}}, {("empty", "findings")}),
        ({"impression": "子宫肌瘤。"}, {}, {("sex", "impression")}),
        ({"impression": "子宫肌瘤。"}, {"sex": "F"}, set()),
        ({"impression": "前列腺增生。"}, {"sex": "F"}, {("sex", "impression")}),
        ({"impression": "Enlarged prostate."}, {"sex": "F"}, {("sex", "impression")}),
        ({"impression": "左膝关节退变。"}, {"side": "R"}, {("side", "impression")}),
        ({"impression": "右膝关节退变。"}, {"side": "R"}, set()),
        ({"impression": "Left knee effusion."}, {"side": "R"}, {("side", "impression")}),
        ({"impression": "左心室增大。"}, {"side": "R"}, set()),
        ({"findings": "左肺结节。", "impression": "右肺结节。"}, {}, {("side-differs", "impression")}),
        ({"findings": "双肺结节。", "impression": "右肺结节。"}, {}, set()),
        ({"impression": "结节较前增大。"}, {}, {("comparison", "comparison")}),
        ({"impression": "结节较前增大。"}, {"priors": 2}, set()),
        ({"impression": "结节。"}, {"priors": 2}, {("comparison", "comparison")}),
        ({"impression": "未见明显异常。", "result": "positive"}, {}, {("result-differs", "impression")}),
        (
            {"impression": "正常", "fields": {"a": 9}},
            {"template": {"fields": [{"name": "a", "kind": "number", "most": 5}]}},
            {("field-range", "a")},
        ),
        (
            {"impression": "正常"},
            {"template": {"fields": [{"name": "a", "required": True}]}},
            {("field-missing", "a")},
        ),
    ],
)
def test_what_does_not_fit_is_said(content: dict[str, Any], more: Any, expected: set[Any]) -> None:
    assert codes(content, **more) == expected


@pytest.mark.parametrize("code", [code for code in TEMPLATES if code != "GENERAL"])
def test_our_own_words_fit(code: str) -> None:
    """A normal report by a template that comes with Filmless gives no warning, in either language."""
    content = TEMPLATES[code]["content"]
    for text in content["text"].values():
        assert codes({**text, "result": "negative"}, template=content) == set()
    assert set(content["text"]) == {"zh", "en"}


def test_phrases_have_both_languages() -> None:
    for one in PHRASES.values():
        assert all(one["content"]["text"][language] for language in ("zh", "en"))


@given(st.text("左右肺ab c。\n", max_size=40), st.text("左右肺ab c。\n", max_size=40))
def test_differences_give_both_texts_back(before: str, after: str) -> None:
    parts = diff.of_text(before, after)
    assert "".join(one.text for one in parts if one.op != "added") == before
    assert "".join(one.text for one in parts if one.op != "removed") == after


def _read(found: list[int]) -> str:
    """A bar code as a scanner reads it: symbols back to text, the check symbol proven (ISO/IEC 15417)."""
    joined = "".join(map(str, found))
    symbols = [joined[at : at + 6] for at in range(0, len(joined) - 7, 6)]
    values = [_PATTERNS.index(one) for one in symbols]
    assert joined.endswith(_PATTERNS[106])
    start, *inside, check = values
    assert check == (start + sum(at * value for at, value in enumerate(inside, 1))) % 103
    packed, text = start == 105, ""
    for value in inside:
        if packed and value == 100:
            packed = False
        elif not packed and value == 99:
            packed = True
        else:
            text += f"{value:02}" if packed else chr(value + 32)
    return text


@given(
    st.text([chr(number) for number in range(32, 127)], min_size=1, max_size=20)
    | st.from_regex(r"[MZL][0-9]{1,15}", fullmatch=True)
)
def test_bar_codes_are_read_back(text: str) -> None:
    assert _read(widths(text)) == text
