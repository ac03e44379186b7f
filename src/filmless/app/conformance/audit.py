"""The audit trail: which events are reported, as PS3.15 A.5 wants it said."""

from filmless.access.audit.codes import EVENTS
from filmless.access.audit.syslog import ANCHOR_ID, MESSAGE_ID
from filmless.app.conformance.markdown import table

_ACTIONS = {"C": "create", "R": "read", "U": "update", "D": "delete", "E": "execute"}


def audit() -> str:
    """Audit Trail Message Format Profile (PS3.15 A.5), transmission profiles (A.6, A.7)."""
    rows = [
        (
            kind.value,
            f"{event.id.meaning} ({event.id.value})",
            _ACTIONS[event.action],
            f"{event.type.meaning} ({event.type.value})" if event.type else "",
        )
        for kind, event in EVENTS.items()
    ]
    return f"""
### 9.1 Audit trail

Filmless conforms to the Audit Trail Message Format Profile (PS3.15 A.5) as a source of messages. Every entry of its
audit trail is one message, sent where a collector is set: over TLS (RFC 5424, RFC 5425), or over TCP or UDP (RFC 5426),
with the MSGID {MESSAGE_ID}; in order, kept while the collector is down. Messages with the MSGID {ANCHOR_ID} are no
audit messages: they vouch for the trail's end. Filmless receives no audit messages.

{table(("Entry", "Event", "Action", "Event type"), rows)}

What names no study because it was refused before is a Security Alert of the type Use of Restricted Function. Objects
that come or go over the network are one message for each study and association or request, with the number of instances
of each SOP class. Participant objects of patients carry the Patient ID (with "^^^" and the issuer where it has one),
never the name.
"""
