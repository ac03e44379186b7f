"""Audit messages: an entry as XML by the schema of PS3.15 A.5.1, with the participants of A.5.3."""

import base64
import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from filmless.access.audit import codes
from filmless.access.audit.codes import Code, Event
from filmless.access.audit.model import Kind, Record

#: what XML 1.0 cannot hold (section 2.2)
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Reporter:
    """Who reports: our AE title and the site's name (AuditEnterpriseSiteID, may be empty)."""

    ae_title: str
    site: str = ""


def message(record: Record, reporter: Reporter) -> bytes:
    """The AuditMessage of an entry, UTF-8 without a byte order mark."""
    event = codes.event_of(record)
    root = Element("AuditMessage")
    _event(root, record, event)
    _Participants(root, record, reporter).add(event)
    source = SubElement(root, "AuditSourceIdentification")
    if reporter.site:
        source.set("AuditEnterpriseSiteID", _token(reporter.site))
    host, _, _ = _process(record)
    source.set("AuditSourceID", _token(f"{reporter.ae_title}@{host}" if host else reporter.ae_title))
    # application server process tier (PS3.15 A.5.1.2.1)
    SubElement(source, "AuditSourceTypeCode", {"csd-code": "4"})
    _objects(root, record, event)
    written: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return written.replace(b"\n", b"", 1)


def _event(root: Element, record: Record, event: Event) -> None:
    made = SubElement(
        root,
        "EventIdentification",
        {
            "EventActionCode": event.action,
            "EventDateTime": record.at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "EventOutcomeIndicator": _outcome(record),
        },
    )
    _code(made, "EventID", event.id)
    if event.type is not None:
        _code(made, "EventTypeCode", event.type)
    told = "; ".join(part for part in (record.what, record.reason) if part)
    if record.outcome != "success" or record.reason:
        SubElement(made, "EventOutcomeDescription").text = _text(told or record.outcome)


def _outcome(record: Record) -> str:
    if record.kind == Kind.SIGN_IN and record.outcome == "refused":
        # 4: a first wrong password; 12: the account can no longer be used for now (A.5.2 of the table)
        return "12" if record.detail.get("locked") else "4"
    return codes.OUTCOMES.get(record.outcome, "8")


class _Participants:
    """The active participants of an entry. Exactly one at most is the requestor."""

    def __init__(self, root: Element, record: Record, reporter: Reporter) -> None:
        self._root = root
        self._record = record
        self._reporter = reporter

    def add(self, event: Event) -> None:
        made = self._by_event().get(event.id)
        if made is None:
            self._who()
            self._ourselves()
        else:
            made()

    def _by_event(self) -> Mapping[Code, Any]:
        return {
            codes.APPLICATION_ACTIVITY: self._activity,
            codes.QUERY: self._query,
            codes.INSTANCES_TRANSFERRED: self._transfer,
            codes.BEGIN_TRANSFERRING: self._transfer,
            codes.EXPORT: self._export,
            codes.IMPORT: self._import,
            codes.SECURITY_ALERT: self._alert,
            codes.NETWORK_ENTRY: lambda: self._who(requestor=False),
            codes.AUDIT_LOG_USED: self._who,
        }

    def _activity(self) -> None:
        self._ourselves(codes.APPLICATION)
        if self._record.who_kind == "user":
            self._who(codes.LAUNCHER)

    def _query(self) -> None:
        self._who(codes.SOURCE)
        self._ourselves(codes.DESTINATION)

    def _transfer(self) -> None:
        if self._record.kind == Kind.STORE:
            self._who(codes.SOURCE)
            self._ourselves(codes.DESTINATION)
            return
        detail = self._record.detail
        to = str(detail.get("destination", "")) or self._record.who
        self._ourselves(codes.SOURCE, requestor=self._record.who_kind == "system")
        if to == self._record.who:
            self._who(codes.DESTINATION)
            return
        self._participant(
            to, codes.DESTINATION, requestor=False, host=str(detail.get("address", "")), ae_title=to
        )
        if self._record.who_kind != "system":
            self._who()

    def _export(self) -> None:
        self._who(codes.SOURCE)
        self._ourselves()
        to = str(self._record.detail.get("destination", "")) or self._record.what or "files"
        self._participant(to, codes.DESTINATION_MEDIA, requestor=False, media=codes.URI_MEDIA)

    def _import(self) -> None:
        self._who(codes.DESTINATION)
        self._ourselves()
        of = str(self._record.detail.get("source", "")) or self._record.what or "files"
        self._participant(of, codes.SOURCE_MEDIA, requestor=False, media=codes.URI_MEDIA)

    def _alert(self) -> None:
        # who reports is the requestor, who did it is not (A.5.3.11)
        self._ourselves(requestor=True)
        if self._record.who_kind != "system":
            self._who(requestor=False)

    def _who(self, *roles: Code, requestor: bool = True) -> None:
        record = self._record
        if record.who_kind == "system":
            self._ourselves(*roles, requestor=requestor)
            return
        self._participant(
            record.who,
            *roles,
            requestor=requestor,
            host=record.host,
            ae_title=record.who if record.who_kind == "device" else "",
        )

    def _ourselves(self, *roles: Code, requestor: bool = False) -> None:
        host, process, number = _process(self._record)
        self._participant(
            number or self._reporter.ae_title,
            *roles,
            requestor=requestor,
            host=host,
            ae_title=self._reporter.ae_title,
            name=f"filmless {process}".strip(),
        )

    def _participant(
        self,
        user_id: str,
        *roles: Code,
        requestor: bool,
        host: str = "",
        ae_title: str = "",
        name: str = "",
        media: Code | None = None,
    ) -> None:
        attributes = {"UserID": _text(user_id) or "unknown"}
        if ae_title:
            # A.5.2.2
            attributes["AlternativeUserID"] = _text(f"AETITLES={ae_title}")
        if name:
            attributes["UserName"] = _text(name)
        attributes["UserIsRequestor"] = "true" if requestor else "false"
        if host:
            attributes["NetworkAccessPointID"] = _token(host)
            attributes["NetworkAccessPointTypeCode"] = _access_point(host)
        made = SubElement(self._root, "ActiveParticipant", attributes)
        for role in roles:
            _code(made, "RoleIDCode", role)
        if media is not None:
            _code(SubElement(made, "MediaIdentifier"), "MediaType", media)


def _objects(root: Element, record: Record, event: Event) -> None:
    """The participant objects: what was searched, the studies, the patients, what an alert is about."""
    if event.id == codes.QUERY:
        _query(root, record)
        return
    if event.id == codes.AUDIT_LOG_USED:
        made = _object(root, codes.URI, "filmless:audit", kind="2", role="13")
        _named(made, "Security Audit Log", record.query)
        return
    details = _details(record) if event.id == codes.SECURITY_ALERT else ()
    for number, study_uid in enumerate(record.studies):
        made = _object(root, codes.STUDY_UID, study_uid, kind="2", role="3", life_cycle=event.life_cycle)
        _named(made, "Study")
        _pairs(made, details if number == 0 else ())
        if event.id != codes.SECURITY_ALERT:
            _description(made, record, counted=len(record.studies) == 1)
    for patient in record.patients:
        _named(_object(root, codes.PATIENT_NUMBER, patient, kind="1", role="1"), "Patient")
    if event.id == codes.SECURITY_ALERT and not record.studies:
        subject = _subject(record)
        code = codes.NODE_ID if record.kind in (Kind.NETWORK, Kind.DEVICES) else codes.URI
        made = _object(root, code, subject, kind="2", role="13")
        _named(made, record.what or record.kind)
        _pairs(made, details)


def _query(root: Element, record: Record) -> None:
    """A.5.3.10: the SOP class and the data set of a C-FIND; of other searches, what was asked for, as text."""
    detail = record.detail
    sop_class = str(detail.get("sop_class", ""))
    if sop_class:
        made = _object(root, codes.SOP_CLASS_UID, sop_class, kind="2", role="3")
        SubElement(made, "ParticipantObjectQuery").text = str(detail.get("dataset", ""))
        pairs = [("TransferSyntax", str(detail.get("transfer_syntax", "")))]
    else:
        made = _object(root, codes.SEARCH_CRITERIA, record.what or "search", kind="2", role="24")
        SubElement(made, "ParticipantObjectQuery").text = _base64(record.query)
        pairs = []
    if "answers" in detail:
        pairs.append(("Answers", str(detail["answers"])))
    _pairs(made, pairs)
    for patient in record.patients:
        _named(_object(root, codes.PATIENT_NUMBER, patient, kind="1", role="1"), "Patient")


def _subject(record: Record) -> str:
    """What an alert is about: the account, device or thing that was changed or refused."""
    for name in ("account", "device", "destination", "called", "settings", "subject"):
        value = record.detail.get(name)
        if isinstance(value, str) and value:
            return value
    return f"filmless:{record.kind}"


def _details(record: Record) -> Sequence[tuple[str, str]]:
    told = " ".join(part for part in (record.kind, record.what, record.reason) if part)
    return [
        ("Alert Description", told),
        *((str(name), _words(value)) for name, value in record.detail.items()),
    ]


def _words(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)


def _description(made: Element, record: Record, *, counted: bool) -> None:
    """SOP classes with the number of instances, where they are known of this one study."""
    classes = record.detail.get("sop_classes")
    if not counted or not isinstance(classes, Mapping) or not classes:
        return
    description = SubElement(made, "ParticipantObjectDescription")
    for uid, number in sorted(classes.items()):
        attributes = {"UID": _token(uid), "NumberOfInstances": str(int(number))}
        SubElement(description, "SOPClass", attributes if uid else {"NumberOfInstances": str(int(number))})


def _object(
    root: Element, code: Code, identifier: str, *, kind: str, role: str, life_cycle: str = ""
) -> Element:
    attributes = {
        "ParticipantObjectID": _token(identifier) or "unknown",
        "ParticipantObjectTypeCode": kind,
        "ParticipantObjectTypeCodeRole": role,
    }
    if life_cycle:
        attributes["ParticipantObjectDataLifeCycle"] = life_cycle
    made = SubElement(root, "ParticipantObjectIdentification", attributes)
    _code(made, "ParticipantObjectIDTypeCode", code)
    return made


def _named(made: Element, name: str, query: str = "") -> None:
    """The schema wants a name or a query; of the patient's name the trail keeps nothing."""
    SubElement(made, "ParticipantObjectName").text = _token(name)
    if query:
        _pairs(made, [("Query", query)])


def _pairs(made: Element, pairs: Sequence[tuple[str, str]]) -> None:
    for name, value in pairs:
        SubElement(made, "ParticipantObjectDetail", {"type": _token(name), "value": _base64(value)})


def _code(parent: Element, name: str, code: Code) -> None:
    SubElement(
        parent, name, {"csd-code": code.value, "codeSystemName": code.scheme, "originalText": code.meaning}
    )


def _process(record: Record) -> tuple[str, str, str]:
    """(host, process, process number) of who wrote the entry."""
    host, _, rest = record.server.partition("/")
    process, _, number = rest.partition("/")
    return host, process, number


def _access_point(host: str) -> str:
    """1 machine name, 2 IP address."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return "1"
    return "2"


def _base64(words: str) -> str:
    return base64.b64encode(words.encode("utf-8", "replace")).decode()


def _text(words: str) -> str:
    return _NOT_XML.sub("\ufffd", words)


def _token(words: str) -> str:
    """xsd:token: no white space around or doubled."""
    return " ".join(_text(words).split())
