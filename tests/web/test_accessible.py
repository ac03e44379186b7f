"""WCAG 2.1 AA on every page: axe finds nothing, in either language and theme.

A page is a row; a page that is added gets one. What axe cannot see (order of the keyboard, sense of the words) is tried
in the tests of the pages themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from filmless.access.model import Role
from tests import made

from .conftest import Site

if TYPE_CHECKING:
    from playwright.sync_api import Page

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]

#: path, role; "{study}" is a study with images
PAGES = [
    ("/studies", Role.PAD),
    ("/timeline/{study}", Role.ATT),
    ("/timeline/9.9.9", Role.CLI),
    ("/view/{study}", Role.ATT),
    ("/account", Role.RES),
    ("/nowhere", Role.RES),
    ("/admin/users", Role.ADM),
    ("/admin/devices", Role.ADM),
    ("/admin/department", Role.ADM),
    ("/admin/letterhead", Role.ADM),
    ("/admin/system", Role.ADM),
    ("/admin/jobs", Role.PAD),
    ("/admin/quarantine", Role.PAD),
    ("/admin/doubts", Role.PAD),
    ("/admin/lenient", Role.PAD),
    ("/admin/rejections", Role.PAD),
    ("/admin/corrections", Role.PAD),
    ("/admin/links", Role.PAD),
    ("/admin/why", Role.SEC),
    ("/admin/audit", Role.SEC),
    ("/admin/emergencies", Role.SEC),
    ("/registration", Role.REG),
    ("/registration/new", Role.REG),
    ("/exams", Role.CLI),
    ("/booking", Role.REG),
    ("/queue", Role.TRI),
    ("/work", Role.TEC),
    ("/work/shift", Role.TEC),
    ("/tasks", Role.TEC),
    ("/persons", Role.PAD),
    ("/persons/unmatched", Role.PAD),
    ("/reading", Role.RES),
    ("/criticals", Role.ATT),
    ("/inbox", Role.CLI),
    ("/statistics", Role.CHF),
]


@pytest.fixture(scope="module")
def study(site: Site, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("accessible")
    written = made.series(folder, 3, name="Axe^Anna=安^娜", patient_id="AXE1")
    site.server.cli("import", folder)
    return written.study_uid


def violations(page: Page) -> list[str]:
    found = page.evaluate(
        """async (tags) => {
            const only = { runOnly: { type: 'tag', values: tags }, resultTypes: ['violations'] }
            const done = await axe.run(document, only)
            const words = (node) => `${node.target.join(' ')} ${node.any[0]?.message ?? ''} ${node.html.slice(0, 200)}`
            return done.violations.map((one) => `${one.id}: ${one.nodes.slice(0, 3).map(words).join(' | ')}`)
        }""",
        RULES,
    )
    return list(found)


def look(page: Page, path: str, *, switch: bool = False) -> list[str]:
    """What axe finds once the page is there, in the dark and in the light; `switch`: in the other language then."""
    page.get_by_role("main").wait_for(timeout=60_000)
    page.wait_for_function("() => !document.querySelector('.mantine-Loader-root')", timeout=60_000)
    wrong = []
    for theme in ("dark", "light"):
        page.evaluate(
            "theme => document.documentElement.setAttribute('data-mantine-color-scheme', theme)", theme
        )
        # colours fade from one to the other
        page.evaluate("() => Promise.all(document.getAnimations().map((one) => one.finished.catch(() => 0)))")
        wrong += [f"{path} {theme}: {one}" for one in violations(page)]
        if switch:
            page.keyboard.press("Alt+l")
    return wrong


def test_no_page_breaks_the_guidelines(opened: Callable[..., Any], site: Site, study: str) -> None:
    script = AXE.read_text(encoding="utf-8")
    wrong: list[str] = []
    pages: dict[Role, Page] = {}
    for path, role in PAGES:
        address = path.format(study=study)
        if role not in pages:
            pages[role] = opened(address, role=role, size=(1280, 800))
        else:
            pages[role].goto(site.base + address)
        page = pages[role]
        page.set_default_timeout(60_000)
        page.evaluate(script)
        wrong += look(page, path, switch=True)
    assert wrong == [], "\n".join(wrong)


@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_the_sign_in_page_keeps_the_guidelines(site: Site, browser: Any, locale: str) -> None:
    context = browser.new_context(locale=locale)
    page = context.new_page()
    page.goto(site.base)
    page.get_by_role("textbox").first.wait_for(timeout=60_000)
    page.evaluate(AXE.read_text(encoding="utf-8"))
    wrong = look(page, "sign-in")
    context.close()
    assert wrong == []
