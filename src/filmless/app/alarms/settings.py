"""Settings of [alarms]: whom to tell, how, and of what."""

from dataclasses import dataclass, field
from email.utils import parseaddr
from typing import Literal
from urllib.parse import urlsplit

from filmless.app.alarms.model import TOLD, Channel


@dataclass(frozen=True, slots=True)
class AlarmSettings:
    """[alarms]: told by mail, by webhook, by both, or (both empty) on the screens alone."""

    #: addresses that get a mail
    mail_to: tuple[str, ...] = ()
    mail_from: str = ""
    #: the mail server: host or host:port; 465 for tls, 587 for starttls, 25 for none where left out
    mail_server: str = ""
    mail_encryption: Literal["starttls", "tls", "none"] = "starttls"
    mail_user: str = ""
    mail_password: str = field(default="", metadata={"secret": True})
    #: certificates of the authorities that the mail server and the webhook are checked against; empty: the system's
    authorities: str = ""
    #: gets a POST for each; https:// (http only on this same machine)
    webhook: str = ""
    #: each POST is signed with it (HMAC-SHA256); at least 16 characters
    webhook_secret: str = field(default="", metadata={"secret": True})
    language: Literal["en", "zh"] = "en"
    #: of what is told; the screens show all
    tell: tuple[str, ...] = TOLD
    #: how this server is called in what it tells; empty: its AE title
    name: str = ""
    #: what lasts less long is not told
    after_seconds: float = 120.0
    #: seconds between looks at the conditions
    look_seconds: float = 30.0
    #: hours after which what still stands is told again; 0: never
    repeat_hours: float = 0.0
    #: seconds that a mail server or webhook may take
    timeout: float = 20.0

    def __post_init__(self) -> None:
        for address in (*self.mail_to, *filter(None, (self.mail_from,))):
            name, plain = parseaddr(address)
            if "@" not in plain or not address.isprintable():
                raise ValueError(f"{address!r} is no mail address{f' of {name}' if name else ''}")
        if self.mail_to and not (self.mail_server and self.mail_from):
            raise ValueError("mail_to needs mail_server and mail_from")
        if self.webhook:
            parts = urlsplit(self.webhook)
            local = parts.hostname in ("127.0.0.1", "::1", "localhost")
            if parts.scheme != "https" and not (parts.scheme == "http" and local):
                raise ValueError("webhook must begin with https:// (http only on this same machine)")
            if len(self.webhook_secret) < 16:
                raise ValueError("webhook needs a webhook_secret of at least 16 characters")
        for word in self.tell:
            if word not in TOLD:
                raise ValueError(f"tell: there is no condition {word!r}; there are {', '.join(TOLD)}")
        if self.look_seconds < 0.05:
            raise ValueError("look_seconds must be at least 0.05")

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The ways that are set."""
        ways: tuple[tuple[Channel, bool], ...] = (
            ("mail", bool(self.mail_to)),
            ("webhook", bool(self.webhook)),
        )
        return tuple(name for name, is_set in ways if is_set)
