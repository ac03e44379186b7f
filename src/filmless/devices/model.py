"""Words and rules of devices/: what a device is, what it may ask, how it departs from the standard."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from filmless.access.model import EVERYWHERE, Principal, Scope, device_principal, used_by
from filmless.kit.errors import Refused

UnknownCallers = Literal["refuse", "quarantine", "accept"]
UNKNOWN_CALLERS: tuple[UnknownCallers, ...] = ("refuse", "quarantine", "accept")

#: what a device may ask of us, in the words of the screen and the command line
SERVICES: dict[str, str] = {
    "echo": "ask whether we are there (C-ECHO)",
    "store": "send objects to us (C-STORE)",
    "find": "search the archive (C-FIND)",
    "move": "have objects sent to a device (C-MOVE)",
    "get": "fetch objects on its own association (C-GET)",
    "commit": "ask whether we keep what it sent (Storage Commitment)",
    "worklist": "ask what it is to do (Modality Worklist)",
    "mpps": "tell what it does (Modality Performed Procedure Step)",
}

#: named departures from the standard, and settings that the standard leaves to negotiation
QUIRKS: dict[str, str] = {
    "relational": "answers and asks relational queries although it does not negotiate them (PS3.4 C.5)",
    "combined-datetime": "its date and time keys match as one moment although it does not negotiate that",
    "fuzzy-names": "its person names are matched loosely although it does not negotiate that",
    "implicit-only": "is sent Implicit VR Little Endian only",
    "uncompressed-only": "is sent uncompressed transfer syntaxes only",
    "one-object-per-association": "is sent one object on each association",
    "commit-new-association": "is told the result of a storage commitment on a new association only",
    "no-role-selection": "does not understand role selection (PS3.7 D.3.3.4): it is never proposed",
}

DUPLICATES: dict[str, str] = {
    "": "as the archive does",
    "keep-first": "the first object stays, another under its UID goes to quarantine, the answer is success",
    "replace": "another object under a known UID becomes its new version",
    "quarantine": "another object under a known UID goes to quarantine, the answer is a failure",
}

#: defined terms of Specific Character Set, PS3.3 C.12.1.1.2
CHARACTER_SETS = frozenset(
    [
        *(f"ISO_IR {n}" for n in (6, 13, 100, 101, 109, 110, 126, 127, 138, 144, 148, 166, 192, 203)),
        *(f"ISO 2022 IR {n}" for n in (6, 13, 58, 87, 100, 101, 109, 110, 126, 127, 138, 144, 148, 149)),
        *(f"ISO 2022 IR {n}" for n in (159, 166, 203)),
        "GB18030",
        "GBK",
    ]
)

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9.])?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]+(%[A-Za-z0-9]+)?")


@dataclass(frozen=True, slots=True)
class DeviceSettings:
    """Who may call. All of it acts at the next association."""

    #: callers whose AE title is not in the list of devices
    unknown_callers: UnknownCallers = "refuse"
    #: callers on this same machine need not be in the list, so that a newcomer's storescu works at once
    trust_local: bool = True
    #: behind a proxy or in a container every caller seems local: nobody is then trusted for that
    behind_proxy: bool = False
    #: refuse callers that call us by another AE title than ours
    check_called_ae: bool = True
    #: seconds between the scheduled echo checks of a device; 0 switches them off
    check_interval: float = 300.0


@dataclass(frozen=True, slots=True)
class Device:
    """A peer with an AE title. `known` is false for a caller that is only admitted by policy."""

    ae_title: str
    description: str = ""
    host: str = ""
    port: int = 0
    tls: bool = False
    enabled: bool = True
    character_set: str = ""
    default_issuer: str = ""
    services: frozenset[str] = frozenset(SERVICES)
    quirks: frozenset[str] = frozenset()
    duplicates: str = ""
    notify: bool = False
    quality_control: bool = False
    #: to which site and department the studies belong that it is the first to send
    site: str = ""
    department: str = ""
    #: what it sees of the archive; a device has no patients of its own
    scope: Scope = EVERYWHERE
    checked_at: datetime | None = None
    check_ok: bool | None = None
    check_reason: str = ""
    check_ms: int | None = None
    changed_at: datetime | None = None
    known: bool = True
    #: everything that it sends goes to quarantine (unknown callers under the policy "quarantine")
    quarantined: bool = False
    #: who uses it on this association, where that was negotiated and checked (PS3.7 D.3.3.7)
    user: Principal | None = None

    @property
    def principal(self) -> Principal:
        """On whose behalf its requests are carried out: its own, or its user's within what it may itself."""
        if self.user is not None:
            return used_by(self.user, scope=self.scope, quality_control=self.quality_control)
        return device_principal(self.ae_title, quality_control=self.quality_control, scope=self.scope)

    @property
    def address(self) -> str:
        """Where it listens, for people: "AE at host:port"; the AE alone where no address is known."""
        return f"{self.ae_title} at {self.host}:{self.port}" if self.host and self.port else self.ae_title


@dataclass(frozen=True, slots=True)
class Refusal:
    """An association is not admitted. `code` is one of the keys of REFUSALS."""

    code: str

    @property
    def words(self) -> str:
        return REFUSALS[self.code][0]

    @property
    def rejection(self) -> tuple[int, int, int]:
        """(result, source, reason) of the A-ASSOCIATE-RJ, PS3.8 9.3.4."""
        return REFUSALS[self.code][1]


#: code -> (words, (result, source, reason) of PS3.8 table 9-21)
REFUSALS: dict[str, tuple[str, tuple[int, int, int]]] = {
    "unknown-caller": ("its AE title is not in the list of devices", (1, 1, 3)),
    "disabled": ("the device is switched off in the list of devices", (1, 1, 3)),
    "wrong-user": ("the user whom it identifies is not known here by that passcode", (1, 1, 1)),
    "user-later": ("users are not checked at this moment", (2, 1, 1)),
    "wrong-called-ae": ("it calls us by an AE title that is not ours", (1, 1, 7)),
}


def clean_ae_title(text: str) -> str:
    """An AE title without its padding (PS3.5 6.2, VR AE). Raises Refused where it cannot be one."""
    title = text.strip(" \0")
    if not title:
        raise Refused("An AE title needs at least one character that is not a space.", code="bad-ae-title")
    if len(title) > 16:
        raise Refused(
            f"The AE title {title!r} has {len(title)} characters; at most 16 are allowed.",
            code="bad-ae-title",
        )
    if any(not " " <= c <= "~" or c == "\\" for c in title):
        raise Refused(
            f"The AE title {title!r} may have letters, digits and signs of ASCII only, and no backslash.",
            code="bad-ae-title",
        )
    return title


def check_assumed(character_set: str, issuer: str) -> None:
    """What is assumed of objects that do not say it: Specific Character Set, and issuer of patient IDs.

    Raises Refused where it cannot be: a mistyped term would make all names unreadable without a word.
    """
    for term in filter(None, character_set.split("\\")):
        if term not in CHARACTER_SETS:
            raise Refused(
                f"{term!r} is not a Specific Character Set of the standard, such as ISO_IR 192 or GB18030.",
                code="bad-device",
            )
    if len(issuer) > 64 or "\\" in issuer:
        raise Refused(
            "An issuer of patient IDs has at most 64 characters and no backslash.", code="bad-device"
        )


def validated(device: Device) -> Device:
    """The device as it may be kept. Raises Refused with what to put right, in plain words."""

    def refuse(words: str) -> Refused:
        return Refused(words, code="bad-device")

    if device.host and not _HOST.fullmatch(device.host):
        raise refuse(f"{device.host!r} is neither a host name nor an IP address.")
    if len(device.host) > 253 or any(len(label) > 63 for label in device.host.split(".")):
        raise refuse("A host name has at most 253 characters, and 63 between two dots.")
    if not 0 <= device.port <= 65535 or (device.host and device.port == 0):
        raise refuse(f"The port must be a number from 1 to 65535, not {device.port}.")
    if device.port and not device.host:
        raise refuse("A port needs a host: give both, or neither for a device that only calls us.")
    for kind, given, allowed in (
        ("service", device.services, SERVICES),
        ("quirk", device.quirks, QUIRKS),
    ):
        for word in sorted(given - set(allowed)):
            raise refuse(f"There is no {kind} {word!r}; there are: {', '.join(allowed)}.")
    if device.duplicates not in DUPLICATES:
        raise refuse(
            f"There is no policy {device.duplicates!r} for duplicates; "
            f"there are: {', '.join(filter(None, DUPLICATES))}."
        )
    check_assumed(device.character_set, device.default_issuer)
    for word, value in (("site", device.site), ("department", device.department)):
        if len(value) > 64:
            raise refuse(f"A {word} has at most 64 characters, not {len(value)}.")
    if device.scope.own_patients or device.scope.shared_only:
        raise refuse("A device has no patients of its own, and nothing is shared with it.")
    if len(device.description) > 200:
        raise refuse(f"The description has {len(device.description)} characters; at most 200 fit.")
    if device.notify and not device.host:
        raise refuse("To notify a device of new objects, its host and port are needed.")
    return device
