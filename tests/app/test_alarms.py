"""Those in charge are told once of what needs them, and once when it is over: by a real mail server and webhook."""

from __future__ import annotations

import email
import email.policy
import hashlib
import hmac
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from filmless.app.alarms import telling
from filmless.app.alarms.model import Condition
from filmless.app.alarms.settings import AlarmSettings
from filmless.app.alarms.telling import Teller
from tests import certificates, peers

SECRET = "only-the-two-of-us-know"


class Hook:
    """A webhook that keeps what it gets; `refuse`: how many it answers with 503 first."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.refuse = 0
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if hook.refuse:
                    hook.refuse -= 1
                    self.send_error(503)
                    return
                said = dict(part.split("=") for part in self.headers["X-Filmless-Signature"].split(","))
                made = hmac.new(SECRET.encode(), f"{said['t']}.".encode() + body, hashlib.sha256).hexdigest()
                assert hmac.compare_digest(made, said["v1"])
                assert abs(time.time() - int(said["t"])) < 60
                told = json.loads(body)
                assert self.headers["Idempotency-Key"] == told["id"]
                hook.got.append(told)
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer((peers.HOST, 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    @property
    def address(self) -> str:
        return f"http://{peers.HOST}:{self.server.server_address[1]}/alarms"

    def told(self) -> list[tuple[str, str, str]]:
        return [(one["what"], one["why"], one["about"]) for one in self.got]


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def teller(tmp_path: Path, hook: Hook) -> Callable[..., Teller]:
    def make(**settings: Any) -> Teller:
        given = {"webhook": hook.address, "webhook_secret": SECRET, "after_seconds": 0.0, **settings}
        return Teller(tmp_path, AlarmSettings(**given), "RADIOLOGY")

    return make


DEAD = Condition("device", about="CT1", reason="Wu^Li was not sent: nothing listens there")


def test_each_is_told_once_and_when_it_is_over(teller: Callable[..., Teller], hook: Hook) -> None:
    one = teller()
    full = Condition("disk", count=3_000_000_000)
    for _ in range(3):
        one.look([DEAD, full])
        one.send_due()
    assert hook.told() == [("raised", "device", "CT1"), ("raised", "disk", "")]
    # another process goes on where this one was
    one = teller()
    one.look([DEAD, Condition("disk", grave=True, count=10)])
    one.send_due()
    assert hook.told()[2:] == [("raised", "disk", "")]
    assert hook.got[2]["grave"]
    one.look([])
    one.send_due()
    assert sorted(hook.told()[3:]) == [("over", "device", "CT1"), ("over", "disk", "")]
    # it begins anew
    one.look([DEAD])
    one.send_due()
    assert hook.told()[5:] == [("raised", "device", "CT1")]
    # nothing of what a device said, which may be a patient's
    assert "Wu" not in json.dumps(hook.got, ensure_ascii=False)
    assert hook.got[1]["text"].startswith("Alarm: The disk is nearly full: 3 GB free.")


def test_what_passes_by_itself_is_not_told(teller: Callable[..., Teller], hook: Hook) -> None:
    patient = teller(after_seconds=3600.0)
    patient.look([DEAD])
    patient.look([])
    patient.send_due()
    others = teller(tell=("disk",))
    others.look([DEAD, Condition("quarantine", count=1)])
    others.send_due()
    assert hook.got == []


def test_what_fails_is_tried_again_and_shown(
    teller: Callable[..., Teller], hook: Hook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "_BACK_OFF", (0,))
    hook.refuse = 3
    one = teller()
    one.look([DEAD])
    for _ in range(3):
        assert one.send_due() == 0
    (trouble,) = telling.troubles(tmp_path)
    assert (trouble.channel, trouble.waiting) == ("webhook", 1)
    assert "503" in trouble.reason
    # neither a restart nor a disk without room loses it
    one = teller()
    monkeypatch.setattr(
        Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    assert one.send_due() == 1
    assert hook.told() == [("raised", "device", "CT1")]
    monkeypatch.undo()
    one.look([DEAD])
    assert telling.troubles(tmp_path) == []


class Inbox:
    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.to: list[str] = []

    async def handle_DATA(self, _server: Any, session: Any, envelope: Any) -> str:
        assert session.ssl is not None, "not encrypted"
        assert session.authenticated
        self.to += envelope.rcpt_tos
        self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return "250 OK"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_mail_goes_encrypted_to_a_real_mail_server(tmp_path: Path, language: Any) -> None:
    authority = certificates.Authority(tmp_path, "authority")
    made = authority.issue("mail")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(made.certificate, made.key)
    inbox = Inbox()

    def check(*arguments: Any) -> AuthResult:
        data = arguments[-1]
        right = isinstance(data, LoginPassword) and (data.login, data.password) == (b"filmless", b"secret")
        return AuthResult(success=right)

    server = Controller(
        inbox,
        hostname=peers.HOST,
        port=peers.free_port(),
        tls_context=context,
        require_starttls=True,
        authenticator=check,
        auth_required=True,
    )
    server.start()
    try:
        settings = AlarmSettings(
            mail_to=("it@hospital.example", "Chief <chief@hospital.example>"),
            mail_from="filmless@hospital.example",
            mail_server=f"{peers.HOST}:{server.port}",
            mail_user="filmless",
            mail_password="secret",
            authorities=str(authority.file),
            language=language,
            after_seconds=0.0,
        )
        one = Teller(tmp_path, settings, "RADIOLOGY")
        one.look([DEAD])
        assert one.send_due() == 1, telling.read(tmp_path)
        one.look([])
        assert one.send_due() == 1
    finally:
        server.stop()
    assert inbox.to == ["it@hospital.example", "chief@hospital.example"] * 2
    subjects = [mail["Subject"] for mail in inbox.mails]
    words = {
        "en": [
            "[RADIOLOGY] Alarm: The device CT1 does not answer.",
            "[RADIOLOGY] Over: The device CT1 does not answer.",
        ],
        "zh": ["[RADIOLOGY] 告警: 设备 CT1 没有响应。", "[RADIOLOGY] 已恢复: 设备 CT1 没有响应。"],
    }
    assert subjects == words[language]
    assert all("Wu" not in mail.get_content() for mail in inbox.mails)


def test_settings_that_cannot_work_are_refused() -> None:
    for wrong in (
        {"mail_to": ("it@h.example",)},
        {"mail_to": ("nobody",), "mail_from": "a@b", "mail_server": "m"},
        {"webhook": "http://h.example/x", "webhook_secret": SECRET},
        {"webhook": "https://h.example/x", "webhook_secret": "short"},
        {"tell": ("weather",)},
    ):
        with pytest.raises(ValueError, match=r"\w"):
            AlarmSettings(**wrong)  # type: ignore[arg-type]


def test_a_server_tells_of_a_dead_device(tmp_path: Path, hook: Hook) -> None:
    settings = (
        f'[alarms]\nwebhook = "{hook.address}"\nwebhook_secret = "{SECRET}"\nafter_seconds = 0\nlook_seconds = 0.2\n'
        "[devices]\ncheck_interval = 0.5\n"
    )
    with peers.FilmlessServer(tmp_path / "home", settings=settings) as server:
        tested = server.cli("alarms", "test")
        assert "webhook: sent" in tested.output
        server.cli("devices", "add", "CT1", peers.HOST, str(peers.free_port()))
        peers.eventually(lambda: ("raised", "device", "CT1") in hook.told(), "the alarm")
        assert "CT1" in server.cli("alarms", "list").output
        server.cli("devices", "remove", "CT1", "--reason", "gone")
        peers.eventually(lambda: ("over", "device", "CT1") in hook.told(), "its end")
        assert [one for one in hook.told() if one[1] == "device"] == [
            ("raised", "device", "CT1"),
            ("over", "device", "CT1"),
        ]
