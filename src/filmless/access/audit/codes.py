"""Which event of PS3.15 A.5.3 each kind of entry is. One entry, one message."""

from typing import NamedTuple

from filmless.access.audit.model import Kind, Record


class Code(NamedTuple):
    """A coded value: code value, coding scheme, meaning (PS3.16)."""

    value: str
    scheme: str
    meaning: str


def _dcm(value: str, meaning: str) -> Code:
    return Code(value, "DCM", meaning)


APPLICATION_ACTIVITY = _dcm("110100", "Application Activity")
AUDIT_LOG_USED = _dcm("110101", "Audit Log Used")
BEGIN_TRANSFERRING = _dcm("110102", "Begin Transferring DICOM Instances")
INSTANCES_ACCESSED = _dcm("110103", "DICOM Instances Accessed")
INSTANCES_TRANSFERRED = _dcm("110104", "DICOM Instances Transferred")
STUDY_DELETED = _dcm("110105", "DICOM Study Deleted")
EXPORT = _dcm("110106", "Export")
IMPORT = _dcm("110107", "Import")
NETWORK_ENTRY = _dcm("110108", "Network Entry")
ORDER_RECORD = _dcm("110109", "Order Record")
PATIENT_RECORD = _dcm("110110", "Patient Record")
PROCEDURE_RECORD = _dcm("110111", "Procedure Record")
QUERY = _dcm("110112", "Query")
SECURITY_ALERT = _dcm("110113", "Security Alert")
USER_AUTHENTICATION = _dcm("110114", "User Authentication")

# event type codes, PS3.16 CID 401
_START = _dcm("110120", "Application Start")
_STOP = _dcm("110121", "Application Stop")
_LOGIN = _dcm("110122", "Login")
_LOGOUT = _dcm("110123", "Logout")
_ATTACH = _dcm("110124", "Attach")
_DETACH = _dcm("110125", "Detach")
_NODE = _dcm("110126", "Node Authentication")
_OVERRIDE = _dcm("110127", "Emergency Override Started")
_NETWORK = _dcm("110128", "Network Configuration")
_SECURITY = _dcm("110129", "Security Configuration")
_SOFTWARE = _dcm("110131", "Software Configuration")
_RESTRICTED = _dcm("110132", "Use of Restricted Function")
_OBJECT_SECURITY = _dcm("110135", "Object Security Attributes Changed")
_USER_SECURITY = _dcm("110137", "User Security Attributes Changed")
_OVERRIDE_ENDED = _dcm("110138", "Emergency Override Stopped")

# roles of active participants, PS3.16 CID 402
APPLICATION = _dcm("110150", "Application")
LAUNCHER = _dcm("110151", "Application Launcher")
DESTINATION = _dcm("110152", "Destination Role ID")
SOURCE = _dcm("110153", "Source Role ID")
DESTINATION_MEDIA = _dcm("110154", "Destination Media")
SOURCE_MEDIA = _dcm("110155", "Source Media")
#: PS3.16 CID 405
URI_MEDIA = _dcm("110037", "URI")

# identifiers of participant objects, PS3.16 CID 404 and PS3.15 A.5.1.2.4
STUDY_UID = _dcm("110180", "Study Instance UID")
SOP_CLASS_UID = _dcm("110181", "SOP Class UID")
NODE_ID = _dcm("110182", "Node ID")
PATIENT_NUMBER = Code("2", "RFC-3881", "Patient Number")
SEARCH_CRITERIA = Code("10", "RFC-3881", "Search Criteria")
URI = Code("12", "RFC-3881", "URI")


class Event(NamedTuple):
    """An event: EventID, EventActionCode, EventTypeCode, and the objects' place in their life cycle."""

    id: Code
    #: C create, R read, U update, D delete, E execute
    action: str
    type: Code | None = None
    #: ParticipantObjectDataLifeCycle, PS3.15 A.5.1.2.3
    life_cycle: str = ""


_ALERTS: dict[Kind, Code] = {
    Kind.ACCESS: _USER_SECURITY,
    Kind.DEVICES: _NETWORK,
    Kind.CONFIG: _SOFTWARE,
    Kind.BACKUP: _RESTRICTED,
    Kind.RESTORE: _RESTRICTED,
    Kind.REFUSAL: _RESTRICTED,
    Kind.ALERT: _SECURITY,
}

#: kind -> event; those that `what` or the outcome tells apart are in `event_of`
EVENTS: dict[Kind, Event] = {
    Kind.START: Event(APPLICATION_ACTIVITY, "E", _START),
    Kind.STOP: Event(APPLICATION_ACTIVITY, "E", _STOP),
    Kind.SIGN_IN: Event(USER_AUTHENTICATION, "E", _LOGIN),
    Kind.SIGN_OUT: Event(USER_AUTHENTICATION, "E", _LOGOUT),
    Kind.NETWORK: Event(SECURITY_ALERT, "E", _NODE),
    Kind.SEARCH: Event(QUERY, "E"),
    Kind.VIEW: Event(INSTANCES_ACCESSED, "R", life_cycle="6"),
    Kind.STORE: Event(INSTANCES_TRANSFERRED, "C", life_cycle="1"),
    Kind.IMPORT: Event(IMPORT, "C", life_cycle="2"),
    Kind.SEND_BEGUN: Event(BEGIN_TRANSFERRING, "E", life_cycle="11"),
    Kind.SEND: Event(INSTANCES_TRANSFERRED, "R", life_cycle="11"),
    Kind.EXPORT: Event(EXPORT, "R", life_cycle="10"),
    Kind.PRINT: Event(EXPORT, "R", life_cycle="10"),
    Kind.CORRECT: Event(INSTANCES_ACCESSED, "U", life_cycle="3"),
    Kind.REJECT: Event(INSTANCES_ACCESSED, "D", life_cycle="14"),
    Kind.REVOKE: Event(INSTANCES_ACCESSED, "U", life_cycle="3"),
    Kind.DECIDE: Event(INSTANCES_ACCESSED, "U", life_cycle="4"),
    Kind.PURGE: Event(STUDY_DELETED, "D", life_cycle="15"),
    Kind.SHARE: Event(SECURITY_ALERT, "E", _OBJECT_SECURITY),
    Kind.BREAK_GLASS: Event(SECURITY_ALERT, "E", _OVERRIDE),
    Kind.ORDER: Event(ORDER_RECORD, "U"),
    Kind.EXAM: Event(PROCEDURE_RECORD, "U"),
    Kind.PERSON: Event(PATIENT_RECORD, "U"),
    Kind.AUDIT: Event(AUDIT_LOG_USED, "R"),
    **{kind: Event(SECURITY_ALERT, "E", code) for kind, code in _ALERTS.items()},
}


def event_of(record: Record) -> Event:
    """The event that an entry is reported as."""
    try:
        kind = Kind(record.kind)
    except ValueError:
        # of a newer program, or changed by hand: told all the same
        return Event(SECURITY_ALERT, "E", _RESTRICTED)
    if kind is Kind.NETWORK and record.outcome == "success":
        return Event(NETWORK_ENTRY, "E", _DETACH if record.what == "detach" else _ATTACH)
    if kind is Kind.SHARE and record.what == "used":
        return EVENTS[Kind.VIEW]
    if kind is Kind.BREAK_GLASS and record.what == "ended":
        return Event(SECURITY_ALERT, "E", _OVERRIDE_ENDED)
    if kind is Kind.BREAK_GLASS and record.what == "reviewed":
        return Event(SECURITY_ALERT, "E", _RESTRICTED)
    found = EVENTS[kind]
    if found.id in _OF_STUDIES and not record.studies:
        # these messages need a study; what was done without one, or refused before it was known, is an alert
        return Event(SECURITY_ALERT, "E", _RESTRICTED)
    return found


#: events that name at least one study
_OF_STUDIES = frozenset(
    {INSTANCES_ACCESSED, INSTANCES_TRANSFERRED, BEGIN_TRANSFERRING, STUDY_DELETED, EXPORT, IMPORT}
)

#: EventOutcomeIndicator: 0 success, 4 minor failure (may be tried again), 8 serious failure (ended)
OUTCOMES = {"success": "0", "refused": "8", "failed": "8"}
