"""A server with accounts, and Chromium that looks at what it serves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete

from filmless.access import accounts, grants, sessions
from filmless.access.account_tables import preferences
from filmless.access.acting import Acting
from filmless.access.model import SYSTEM, Role, Scope
from filmless.app.index import open_index
from filmless.app.pages import STATIC
from filmless.app.settings import load
from filmless.app.trail import open_trail
from filmless.db.work import writing
from tests import peers

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


#: a provider that is offered at the door; nobody goes there
SETTINGS = (
    '[access]\noidc_issuer = "http://127.0.0.1:9/"\noidc_client_id = "filmless"\noidc_label = "Hospital"\n'
)


@dataclass
class Site:
    """A running server; `cookies`: account name -> its session."""

    server: peers.FilmlessServer
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def base(self) -> str:
        return f"http://{peers.HOST}:{self.server.http_port}"

    def session(self, name: str, role: Role) -> str:
        """The session of an account, both made when first asked for."""
        if name not in self.cookies:
            settings = load(self.server.home, environment={})
            with open_index(settings) as engine, open_trail(settings, engine, "test") as trail:
                acting = Acting(SYSTEM, trail, reason="a test")
                with writing(engine) as connection:
                    account = accounts.create(connection, name, acting, must_change_password=False)
                    grants.grant(connection, name, role, acting, scope=Scope())
                    self.cookies[name] = sessions.open_session(
                        connection, account.id, settings.access, method="password", host=peers.HOST
                    )
        return self.cookies[name]

    def forget(self) -> None:
        """What pages remember of an account, such as a layout, is not for the next test."""
        with open_index(load(self.server.home, environment={})) as engine, writing(engine) as connection:
            connection.execute(delete(preferences))


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One server for all tests of the application; each test uses patients of its own."""
    if not (STATIC / "index.html").exists():
        pytest.fail("the application is not built: make web")
    with peers.FilmlessServer(tmp_path_factory.mktemp("web") / "home", settings=SETTINGS) as server:
        yield Site(server)
        assert server.running.alive, server.running.output()[-4000:]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for a module: while it is there, playwright's event loop runs in this thread, where no test may await."""
    peers.need("chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def opened(site: Site, browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a page as an account of a role; ends with it. A page that threw an error fails the test."""
    contexts = []
    errors: list[str] = []
    site.forget()

    def open_page(
        path: str, *, role: Role = Role.CHF, locale: str = "en-GB", size: tuple[int, int] = (1000, 720)
    ) -> Page:
        context = browser.new_context(viewport={"width": size[0], "height": size[1]}, locale=locale)
        contexts.append(context)
        cookie = {"name": "filmless_session", "value": site.session(f"the-{role.lower()}", role)}
        context.add_cookies([{**cookie, "url": site.base}])
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(site.base + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not errors, errors
