"""What the server says to the person who has started it."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from filmless.app.running import Running
from filmless.app.serve import welcome
from filmless.app.settings import load


def said(home: Path, tls_port: int = 0, **environment: str) -> str:
    nothing: Any = None
    settings = load(home, environment=environment)
    return welcome(
        Running(settings, nothing, nothing, nothing, nothing, nothing, [], 11112, 8104, tls_port, Counter())
    )


@pytest.mark.parametrize(
    ("callers", "trusted", "words"),
    [
        ("refuse", "true", "Programs on this machine may connect at once; others when they are in the list"),
        ("refuse", "false", "Callers may connect when they are in the list of devices:"),
        ("quarantine", "true", "at once; others may send, into quarantine until"),
        ("quarantine", "false", "Callers may send, into quarantine until they are in the list of devices:"),
        ("accept", "false", "Every caller is accepted."),
    ],
)
def test_it_says_who_may_connect(tmp_path: Path, callers: str, trusted: str, words: str) -> None:
    text = said(tmp_path, FILMLESS_DEVICES_UNKNOWN_CALLERS=callers, FILMLESS_DEVICES_TRUST_LOCAL=trusted)
    assert words in text
    assert ("Programs on this machine" in text) == (trusted == "true")


def test_behind_a_proxy_nobody_is_trusted_for_being_here(tmp_path: Path) -> None:
    assert "Programs on this machine" not in said(tmp_path, FILMLESS_DEVICES_BEHIND_PROXY="true")


def test_it_names_every_port_that_there_is(tmp_path: Path) -> None:
    assert "FILMLESS at 0.0.0.0:11112" in said(tmp_path)
    assert "TLS" not in said(tmp_path)
    assert "TLS     FILMLESS at 0.0.0.0:2762" in said(tmp_path, 2762)


def test_the_first_password_is_said_once_to_who_started_it(tmp_path: Path) -> None:
    nothing: Any = None
    settings = load(tmp_path, environment={})
    running = Running(settings, nothing, nothing, nothing, nothing, nothing, [], 11112, 8104, 0, Counter())
    assert "kx7-first" in welcome(running, "kx7-first")
    assert "http://127.0.0.1:8104/" in welcome(running)
    assert "Sign in" not in welcome(running)
