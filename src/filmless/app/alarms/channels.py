"""The ways out: a mail server (SMTP), and a webhook (HTTP POST, signed)."""

import hashlib
import hmac
import http.client
import json
import smtplib
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from email.message import EmailMessage
from email.utils import formatdate, make_msgid, parseaddr
from typing import Any, Final

from filmless.app.alarms import words
from filmless.app.alarms.settings import AlarmSettings
from filmless.kit.errors import Unavailable
from filmless.net.errors import words_of

SIGNATURE: Final = "X-Filmless-Signature"
_PORTS: Final = {"tls": 465, "starttls": 587, "none": 25}


def send(channel: str, notice: Mapping[str, Any], settings: AlarmSettings) -> None:
    """Hand a notice over. Raises Unavailable with why it could not be."""
    try:
        if channel == "mail":
            _mail(notice, settings)
        else:
            _post(notice, settings)
    except smtplib.SMTPException as error:
        raise Unavailable(f"The mail server refused it: {_plain(error)}.", code="mail") from error
    except (OSError, http.client.HTTPException) as error:
        why = (
            f"The mail server {settings.mail_server} did not take it: {_plain(error)}."
            if channel == "mail"
            else f"The webhook did not take it: {_plain(error)}."
        )
        raise Unavailable(why, code=channel) from error


def _mail(notice: Mapping[str, Any], settings: AlarmSettings) -> None:
    message = EmailMessage()
    message["Subject"] = words.subject(notice, settings.language)
    message["From"] = settings.mail_from
    message["To"] = ", ".join(settings.mail_to)
    message["Date"] = formatdate(localtime=True)
    domain = parseaddr(settings.mail_from)[1].partition("@")[2]
    # the same each time it is tried: what came twice is seen to be the same
    message["Message-ID"] = make_msgid(domain=domain) if not notice["id"] else f"<{notice['id']}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(words.text(notice, settings.language))
    host, _, port = settings.mail_server.partition(":")
    number = int(port or _PORTS[settings.mail_encryption])
    context = _context(settings)
    client: smtplib.SMTP
    if settings.mail_encryption == "tls":
        client = smtplib.SMTP_SSL(host, number, timeout=settings.timeout, context=context)
    else:
        client = smtplib.SMTP(host, number, timeout=settings.timeout)
    with client:
        if settings.mail_encryption == "starttls":
            client.starttls(context=context)
        if settings.mail_user:
            client.login(settings.mail_user, settings.mail_password)
        client.send_message(message)


def _post(notice: Mapping[str, Any], settings: AlarmSettings) -> None:
    body = json.dumps({**notice, "text": words.text(notice, settings.language)}, ensure_ascii=False).encode()
    request = urllib.request.Request(
        settings.webhook,
        data=body,
        method="POST",
        headers={
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Filmless",
            "Idempotency-Key": str(notice["id"]),
            SIGNATURE: signature(body, settings.webhook_secret, int(time.time())),
        },
    )
    opener = urllib.request.build_opener(
        _Stay(), urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=_context(settings))
    )
    with opener.open(request, timeout=settings.timeout) as answer:
        answer.read(1024)


class _Stay(urllib.request.HTTPRedirectHandler):
    """Goes nowhere else: what is signed for one address is not for another."""

    def redirect_request(self, *_: Any) -> None:
        return None


def signature(body: bytes, secret: str, at: int) -> str:
    """ "t=SECONDS,v1=HEX": HMAC-SHA256 of "SECONDS." and the body. Who gets it refuses what is minutes old."""
    made = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={made}"


def _context(settings: AlarmSettings) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=settings.authorities or None)


def _plain(error: BaseException) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"it answered {error.code}"
    if isinstance(error, urllib.error.URLError):
        # the reason is mostly the error of the network that it wraps
        return _plain(error.reason) if isinstance(error.reason, BaseException) else str(error.reason)
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
        return f"{error.smtp_code} {said.decode(errors='replace') if isinstance(said, bytes) else said}"
    if isinstance(error, OSError) and not isinstance(error, smtplib.SMTPException):
        return words_of(error)
    return str(error) or type(error).__name__
