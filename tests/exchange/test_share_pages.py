"""What whoever has a share link sees, on a running server."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select, update
from tests import made, peers

from filmless.access import shares
from filmless.access.acting import Acting
from filmless.access.audit.tables import audit
from filmless.access.model import SYSTEM
from filmless.access.shares import ShareLink
from filmless.access.tables import share_links
from filmless.app.index import open_index
from filmless.app.settings import Settings, load
from filmless.app.trail import open_trail
from filmless.db.work import reading, writing
from filmless.exchange import sharing
from filmless.exchange.share_html import SCRIPT, SCRIPT_HASH
from filmless.kit import clock

NAME = '<script>alert("x")</script>^Mia'
PASSWORD = "correct horse"


@dataclass
class Sharing:
    server: peers.FilmlessServer
    settings: Settings
    study: made.Made

    def link(self, *, password: str = "", download: bool = False) -> tuple[ShareLink, str]:
        """A new link and its path."""
        with open_index(self.settings) as engine, open_trail(self.settings, engine, "test") as trail:
            wanted = sharing.NewLink(self.study.study_uid, 2, "Dr. Wu", password, download)
            return sharing.make_link(engine, Acting(SYSTEM, trail), self.settings.access, wanted)

    def browser(self, language: str = "en") -> httpx.Client:
        return httpx.Client(
            base_url=f"http://127.0.0.1:{self.server.http_port}",
            headers={"Accept-Language": language},
            follow_redirects=True,
            timeout=20,
        )

    def told(self, link: ShareLink) -> list[tuple[str, str, str]]:
        """(who, outcome, kind) of the trail's rows that name the link."""
        with open_index(self.settings) as engine, reading(engine) as connection:
            rows = connection.execute(select(audit).order_by(audit.c.seq)).all()
        return [
            (row.who, row.outcome, row.kind)
            for row in rows
            if link.name in (row.who, *re.findall(r"\w+", row.body))
        ]


@pytest.fixture(scope="module")
def share(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sharing]:
    folder = tmp_path_factory.mktemp("sharing")
    study = made.series(folder / "study", 3, name=NAME, patient_id="SHARED1")
    with peers.FilmlessServer(folder / "home") as server:
        server.cli("import", folder / "study")
        yield Sharing(server, load(server.home, environment={}), study)
        log = server.home.with_suffix(".log").read_text("utf-8", "replace")
        for file in Path(server.home / "log").glob("*"):
            log += file.read_text("utf-8", "replace")
        # neither whoever has a log has a link, nor whose study it is
        assert not re.search(r"/s/[A-Za-z0-9_-]{43}", log)
        assert "SHARED1" not in log
        assert "filmless_share_" not in log


def test_a_link_opens_at_once_and_shows_the_study(share: Sharing) -> None:
    link, path = share.link()
    with closing(share.browser()) as browser:
        page = browser.get(path)
        # the secret is in the address bar no more
        assert page.url.path == f"/s/v/{link.name}/"
        assert page.status_code == 200
        assert "Shared examination" in page.text
        assert 'lang="en"' in page.text
        assert "2026-03-02" in page.text
        assert "3 images" in page.text
        # what a device put into a name is text
        assert "&lt;script&gt;" in page.text
        assert "<script" not in page.text.replace(f"<script>{SCRIPT}</script>", "")
        assert "ZIP" not in page.text
        (thumbnail,) = re.findall(r'<img[^>]* src="([^"]+)"', page.text)
        picture = browser.get(str(page.url.join(thumbnail)))
        assert picture.headers["content-type"] == "image/jpeg"
        (series,) = re.findall(r'href="(series/[0-9.]+)"', page.text)
        images = browser.get(str(page.url.join(series)))
        sources = re.findall(r'<img[^>]* src="([^"]+)"', images.text)
        assert len(sources) == 3
        for source in sources:
            assert browser.get(str(images.url.join(source))).status_code == 200
        full = re.findall(r'<a href="([^"]+/rendered)"', images.text)
        assert browser.get(str(images.url.join(full[0]))).headers["content-type"].startswith("image/")
        assert browser.get(f"/s/v/{link.name}/series/9.9.9").status_code == 404
        assert browser.get(f"/s/v/{link.name}/series/x").status_code == 404
    kinds = [kind for who, outcome, kind in share.told(link) if who == link.name and outcome == "success"]
    assert kinds.count("share") == 1
    assert "view" in kinds


def test_pages_run_nothing_else_and_are_kept_nowhere(share: Sharing) -> None:
    _, path = share.link(password=PASSWORD)
    with closing(share.browser()) as browser:
        asked = browser.get(path)
        browser.post(path, data={"password": PASSWORD})
        for page in (asked, browser.get(path), browser.get("/s/" + "x" * 43)):
            policy = page.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert re.findall(r"script[^;]*", policy) == [f"script-src {SCRIPT_HASH}"]
            assert "unsafe" not in policy
            assert page.headers["cache-control"] == "no-store"
            assert page.headers["referrer-policy"] == "no-referrer"
            # the one that tells the visitor's time, to the letter
            assert "<script" not in page.text.replace(f"<script>{SCRIPT}</script>", "")
            assert "style=" not in page.text
            style = re.findall(r'<link rel="stylesheet" href="([^"]+)"', page.text)
            assert browser.get(style[0]).headers["content-type"].startswith("text/css")


def test_in_chinese_and_in_english(share: Sharing) -> None:
    _, path = share.link()
    with closing(share.browser("zh-CN,zh;q=0.9,en;q=0.8")) as browser:
        page = browser.get(path)
        assert "共享检查" in page.text
        assert 'lang="zh-CN"' in page.text
        assert "Shared examination" in browser.get(str(page.url), params={"lang": "en"}).text
    with closing(share.browser("zh")) as browser:
        assert "此链接无法打开" in browser.get("/s/" + "x" * 43).text


def test_a_password_is_asked_for(share: Sharing) -> None:
    link, path = share.link(password=PASSWORD)
    with closing(share.browser()) as browser:
        page = browser.get(path)
        assert page.status_code == 200
        assert 'type="password"' in page.text
        assert "SHARED1" not in page.text
        assert browser.get(f"/s/v/{link.name}/").status_code == 404
        for wrong in ("", "wrong", PASSWORD.upper(), "x" * 3000):
            answer = browser.post(path, data={"password": wrong})
            assert answer.status_code == 403
            assert "not the password" in answer.text
        assert browser.get(f"/s/v/{link.name}/").status_code == 404
        assert browser.post(path, data={"password": PASSWORD}).url.path == f"/s/v/{link.name}/"
        assert browser.get(f"/s/v/{link.name}/").status_code == 200
        assert browser.post(path, content=b"p" * 10_000).status_code == 413
    outcomes = [outcome for who, outcome, kind in share.told(link) if who == link.name and kind == "share"]
    assert outcomes == ["refused"] * 4 + ["success"]


def test_many_guesses_at_once_are_no_more_guesses(share: Sharing) -> None:
    _, path = share.link(password=PASSWORD)
    with closing(share.browser()) as browser, ThreadPoolExecutor(24) as guessing:
        answers = list(
            guessing.map(
                lambda at: browser.post(path, data={"password": f"wrong {at}"}).status_code, range(24)
            )
        )
    # two are looked at in the same moment
    assert set(answers) == {403, 429} and answers.count(403) <= 12, answers


def test_a_link_rests_after_many_wrong_passwords(share: Sharing) -> None:
    link, path = share.link(password=PASSWORD)
    with closing(share.browser()) as browser:
        for _ in range(10):
            assert browser.post(path, data={"password": "wrong!"}).status_code == 403
        assert browser.post(path, data={"password": PASSWORD}).status_code == 429
        with open_index(share.settings) as engine, writing(engine) as connection:
            over = clock.now() - timedelta(seconds=1)
            row = share_links.c.name == link.name
            connection.execute(update(share_links).where(row).values(locked_until=over))
        assert browser.post(path, data={"password": PASSWORD}).status_code == 200


def test_a_link_opens_nothing_for_another_browser_or_link(share: Sharing) -> None:
    (one, path), (other, other_path) = share.link(), share.link(password=PASSWORD)
    with closing(share.browser()) as browser, closing(share.browser()) as stranger:
        browser.get(path)
        assert browser.get(f"/s/v/{one.name}/").status_code == 200
        assert browser.get(f"/s/v/{other.name}/").status_code == 404
        assert browser.get(f"/s/v/{other.name}/dicom-web/studies").status_code == 404
        assert stranger.get(f"/s/v/{one.name}/").status_code == 404
        assert stranger.get(f"/s/v/{one.name}/dicom-web/studies").status_code == 404
        # a session of one link says nothing under the name of another
        cookie = browser.cookies.get(f"filmless_share_{one.name}")
        stranger.get(f"/s/v/{other.name}/", headers={"Cookie": f"filmless_share_{other.name}={cookie}"})
        forged = {"Cookie": f"filmless_share_{other.name}={cookie}"}
        assert stranger.get(f"/s/v/{other.name}/", headers=forged).status_code == 404
        assert stranger.get(other_path).url.path == other_path


def test_a_withdrawn_link_is_closed_for_those_who_have_it_open(share: Sharing) -> None:
    link, path = share.link()
    with closing(share.browser()) as browser:
        opened = browser.get(path)
        assert opened.status_code == 200
        share.server.cli("shares", "revoke", link.name, "--reason", "sent to the wrong person")
        for address in (path, str(opened.url), f"/s/v/{link.name}/dicom-web/studies"):
            assert browser.get(address).status_code == 404
    with open_index(share.settings) as engine, reading(engine) as connection:
        assert shares.get_link(connection, link.name).uses == 1


def test_the_study_can_be_taken_along_where_allowed(share: Sharing) -> None:
    _, path = share.link(download=True)
    with closing(share.browser()) as browser:
        page = browser.get(path)
        (address,) = re.findall(r'<a class="button" href="([^"]+)" download', page.text)
        archive = browser.get(str(page.url.join(address.replace("&amp;", "&"))))
        assert archive.headers["content-type"] == "application/zip"
        assert archive.content[:2] == b"PK"
        assert _taken(browser, str(page.url)) == [200, 200]


def test_a_link_for_looking_gives_no_objects_to_be_taken_along(share: Sharing) -> None:
    link, path = share.link()
    with closing(share.browser()) as browser:
        page = browser.get(path)
        assert _taken(browser, str(page.url)) == [403, 403]
        # what looking needs is given
        found = browser.get(f"{page.url}dicom-web/studies/{share.study.study_uid}/metadata")
        assert found.status_code == 200 and found.json()
    # the trail is told by and by
    peers.eventually(
        lambda: share.told(link).count((link.name, "refused", "export")) == 2, "the trail has both", 20
    )


def _taken(browser: httpx.Client, page: str) -> list[int]:
    """What WADO-RS and WADO-URI answer who asks for the objects themselves."""
    web = f"{page}dicom-web"
    study = browser.get(f"{web}/instances?limit=1", headers={"Accept": "application/dicom+json"}).json()[0]
    uids = [study[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018")]
    multipart = {"Accept": 'multipart/related; type="application/dicom"'}
    rs = browser.get(f"{web}/studies/{uids[0]}", headers=multipart)
    query = dict(zip(("studyUID", "seriesUID", "objectUID"), uids, strict=True))
    uri = browser.get(
        f"{web}/wado", params={"requestType": "WADO", "contentType": "application/dicom", **query}
    )
    return [rs.status_code, uri.status_code]


def test_links_on_the_command_line(share: Sharing) -> None:
    made_at = share.server.cli(
        "shares", "link", share.study.study_uid, "--no-password", "--label", "Dr. Wu", "--json"
    )
    assert '"address": "/s/' in made_at.output
    assert "Dr. Wu" in share.server.cli("shares", "list").output
    unknown = share.server.cli("shares", "link", "9.9.9", "--no-password", check=False)
    assert unknown.status == 2
