"""What is on the screen of the viewer, compared in the browser itself with what the server renders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

SCRIPT = Path(__file__).with_suffix(".js")


def begin(page: Page) -> None:
    """Gives an open page of the application the functions of looking.js."""
    page.evaluate(SCRIPT.read_text("utf-8"))


def call(page: Page, name: str, *arguments: Any) -> Any:
    """The result of one of them: "open" a study, "show" a stack, "compare" with the server's picture, "walk"."""
    return page.evaluate("([name, given]) => window.looking[name](...given)", [name, list(arguments)])
