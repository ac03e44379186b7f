"""Words of the audit trail: what happened (Kind) and one thing that happened (Entry)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from filmless.access.model import Principal

Outcome = Literal["success", "refused", "failed"]


class Kind(StrEnum):
    """What happened. A thing that was refused or failed has the kind of what was tried, and its own outcome.

    messages.py has the table from kinds to the events of PS3.15 A.5.3.
    """

    #: a server or worker began or ended its work
    START = "start"
    STOP = "stop"
    #: somebody signed in or out, or tried to; `what`: "password", "token", "oidc", "totp"
    SIGN_IN = "sign-in"
    SIGN_OUT = "sign-out"
    #: a network peer was not admitted; `what`: "association", "tls", "http"
    NETWORK = "network"
    #: somebody searched; `query`: what for
    SEARCH = "search"
    #: somebody saw a study; `what`: "metadata", "pixels", "rendered", "thumbnail", "report"
    VIEW = "view"
    #: objects came from a device or client; `what`: "C-STORE", "STOW-RS"
    STORE = "store"
    #: objects came from files or media
    IMPORT = "import"
    #: objects began to go, or went, to another device; `what`: "C-MOVE", "C-GET", "send"
    SEND_BEGUN = "send-begun"
    SEND = "send"
    #: objects left as files; `what`: "ZIP", "DICOMDIR", "original", "download"
    EXPORT = "export"
    PRINT = "print"
    #: attributes of a study were corrected, or a correction taken back
    CORRECT = "correct"
    #: objects were taken out of use, or back into it
    REJECT = "reject"
    REVOKE = "revoke"
    #: somebody decided about an object in quarantine, or a flag; `what`: "accept", "discard", "settle"
    DECIDE = "decide"
    #: files were deleted for good
    PURGE = "purge"
    #: a share link was made, withdrawn or used; `what`: "made", "withdrawn", "used"
    SHARE = "share"
    #: break-glass began, ended or was reviewed; `what`: "began", "ended", "reviewed"
    BREAK_GLASS = "break-glass"
    #: an order, an exam or a person of the department was made or changed; `what`: which way
    ORDER = "order"
    EXAM = "exam"
    PERSON = "person"
    #: accounts, roles, grants, tokens, passwords, sensitivity
    ACCESS = "access"
    #: the list of devices
    DEVICES = "devices"
    #: settings, keys, jobs: what an engineer changes
    CONFIG = "config"
    BACKUP = "backup"
    RESTORE = "restore"
    #: the trail itself was read, exported or verified
    AUDIT = "audit"
    #: somebody asked for what they have no right to, where it has no kind of its own; `what`: the route
    REFUSAL = "refusal"
    #: something that a privacy officer should look at at once
    ALERT = "alert"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened. It may name patients: it goes into the trail and to the collector, never to a log.

    `detail` is JSON (numbers, text, lists, objects). Keys that messages.py knows: "sop_classes" {UID: count},
    "instances" count, "destination" and "source" (AE title or address), "device" AE title, "account", "settings".
    """

    kind: Kind
    who: Principal
    outcome: Outcome = "success"
    #: address of the client or peer; "" for the machine itself
    host: str = ""
    #: Study Instance UIDs
    studies: tuple[str, ...] = ()
    #: Patient IDs ("ID" or "ID^^^ISSUER"); where left out, those of the studies are filled in when it is written
    patients: tuple[str, ...] = ()
    #: which way or part, one or few words (see Kind)
    what: str = ""
    #: what was searched for, in the words of its protocol; never a token
    query: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    #: why: given by the person, or why it was refused
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """An entry as it is in the trail. `body`: what has no column, see chain.append."""

    seq: int
    at: datetime
    kind: str
    outcome: str
    who_kind: str
    who: str
    host: str
    body: Mapping[str, Any]

    @property
    def studies(self) -> tuple[str, ...]:
        return tuple(self.body.get("studies", ()))

    @property
    def patients(self) -> tuple[str, ...]:
        return tuple(self.body.get("patients", ()))

    @property
    def what(self) -> str:
        return str(self.body.get("what", ""))

    @property
    def query(self) -> str:
        return str(self.body.get("query", ""))

    @property
    def reason(self) -> str:
        return str(self.body.get("reason", ""))

    @property
    def detail(self) -> Mapping[str, Any]:
        found = self.body.get("detail", {})
        return found if isinstance(found, Mapping) else {}

    @property
    def server(self) -> str:
        """ "host/process/process number" of who wrote it."""
        return str(self.body.get("server", ""))
