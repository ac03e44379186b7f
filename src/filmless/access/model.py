"""Who may do what: principals, roles, actions and scopes as data, and the one rule that reads them.

Pure: no I/O. What a principal may see of the archive is made of the same words by archive/query/visibility.py.
Nothing is allowed that is not written here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from filmless.kit import clock
from filmless.kit.errors import Refused


class Action(StrEnum):
    """What is done, whatever the edge: each HTTP route and DICOM service names one."""

    #: find studies, series, instances by their attributes
    SEARCH = "search"
    #: see pixels, metadata and objects
    VIEW = "view"
    #: take objects out as files: ZIP, disc, folder
    EXPORT = "export"
    PRINT = "print"
    #: make objects of what was drawn and measured: reports, presentation states, key images
    ANNOTATE = "annotate"
    #: hanging protocols of a department and of the hospital
    LAYOUTS = "layouts"
    STORE = "store"
    REJECT = "reject"
    #: revoke a rejection
    REVOKE = "revoke"
    CORRECT = "correct"
    #: the bytes as received, without corrections
    ORIGINAL = "original"
    #: make share links, and share with an account
    SHARE = "share"
    #: have objects sent to a device
    SEND = "send"
    QUARANTINE = "quarantine"
    FLAGS = "flags"
    #: open what one may not see, in an emergency, for a time, under a reason
    BREAK_GLASS = "break-glass"
    REVIEW_BREAK_GLASS = "review-break-glass"
    #: mark a study as sensitive (VIP), say which site, department and ward it belongs to
    SENSITIVE = "sensitive"
    #: search and verify the audit trail
    AUDIT = "audit"
    #: say of any study why somebody does not see it: numbers, rights and whereabouts, never names or images
    EXPLAIN = "explain"
    #: look at who has which rights
    ACCESS_REVIEW = "access-review"
    #: accounts and their grants
    USERS = "users"
    #: API tokens of other accounts
    TOKENS = "tokens"
    DEVICES = "devices"
    JOBS = "jobs"
    SETTINGS = "settings"
    REINDEX = "reindex"
    #: how the server is: metrics, disk, processes
    HEALTH = "health"
    #: persons, their identifiers and exams: find and look at them
    PERSONS = "persons"
    #: make and change persons
    CHANGE_PERSONS = "change-persons"
    #: merge, unmerge, link persons, change their IDs
    MERGE = "merge"
    #: match exams of the green channel to persons
    MATCH = "match"
    ORDER = "order"
    #: protocol what was ordered
    VET = "vet"
    BOOK = "book"
    OVERBOOK = "overbook"
    REGISTER = "register"
    #: register without any data, at once
    GREEN_CHANNEL = "green-channel"
    #: call off what has not begun
    CANCEL = "cancel"
    HOLD = "hold"
    #: the queue of a station, and moving exams between stations
    QUEUE = "queue"
    #: let somebody through whose identity could not be shown
    OVERRIDE_IDENTITY = "override-identity"
    #: start, finish, discontinue and verify exams
    PERFORM = "perform"
    #: say of an exam that its images are not fit to be read
    SEND_BACK = "send-back"
    #: the tray of images that fit no exam
    MATCH_IMAGES = "match-images"
    #: make an exam void, with a second person
    VOID = "void"
    #: what the department is: sites, stations, procedures, staff
    MASTER_DATA = "master-data"
    #: draft, submit and withdraw reports; the lists of what is to be read
    REPORT = "report"
    #: review, return, sign, addend and amend reports
    REVIEW = "review"
    #: retract final reports, take over what others have claimed, close without a report
    DIRECT_REPORTS = "direct-reports"
    #: read final reports
    READ_REPORTS = "read-reports"
    #: templates and phrases of the department and the hospital
    TEMPLATES = "templates"
    #: raise, notify and withdraw critical results
    RAISE_CRITICAL = "raise-critical"
    #: acknowledge critical results and say what was done
    ANSWER_CRITICAL = "answer-critical"
    #: print and hand out reports
    HAND_OUT = "hand-out"
    STATISTICS = "statistics"
    #: one's own password, second factor, sessions, tokens and preferences
    OWN_ACCOUNT = "own-account"


class Role(StrEnum):
    """Codes of the department's roles."""

    REG = "REG"
    TRI = "TRI"
    TEC = "TEC"
    RES = "RES"
    ATT = "ATT"
    CHF = "CHF"
    CLI = "CLI"
    FLM = "FLM"
    QC = "QC"
    PAD = "PAD"
    ADM = "ADM"
    SEC = "SEC"
    RCO = "RCO"
    RSC = "RSC"
    PAT = "PAT"
    DEV = "DEV"


#: role -> (its name in English, in Chinese)
ROLE_NAMES: Mapping[Role, tuple[str, str]] = {
    Role.REG: ("Registrar", "登记员"),
    Role.TRI: ("Triage nurse", "分诊护士"),
    Role.TEC: ("Technologist", "技师"),
    Role.RES: ("Resident", "住院医师"),
    Role.ATT: ("Attending radiologist", "审核医师"),
    Role.CHF: ("Section head", "科主任"),
    Role.CLI: ("Clinician", "临床医生"),
    Role.FLM: ("Film and report clerk", "胶片报告发放员"),
    Role.QC: ("Quality control officer", "质控员"),
    Role.PAD: ("Data steward", "影像数据管理员"),
    Role.ADM: ("System administrator", "系统管理员"),
    Role.SEC: ("Privacy and security officer", "隐私安全官"),
    Role.RCO: ("Remote consultant", "远程会诊专家"),
    Role.RSC: ("Teacher and researcher", "教学科研人员"),
    Role.PAT: ("Patient", "患者"),
    Role.DEV: ("Device or service account", "设备或服务账号"),
}

_SEES = frozenset({Action.SEARCH, Action.VIEW})
_OWN = frozenset({Action.OWN_ACCOUNT})
_READS = _SEES | _OWN | {Action.STORE, Action.ANNOTATE, Action.BREAK_GLASS}
_WRITES = frozenset(
    {
        Action.PERSONS,
        Action.VET,
        Action.SEND_BACK,
        Action.REPORT,
        Action.READ_REPORTS,
        Action.RAISE_CRITICAL,
        Action.HAND_OUT,
    }
)
_SIGNS = frozenset({Action.SHARE, Action.REVIEW, Action.HOLD, Action.CANCEL})
#: role -> what it may do, within the scope of its grant. What comes with later rooms (orders, reports, de-identified
#: sets, a patient's own results) is allowed when it exists
ALLOWED: Mapping[Role, frozenset[Action]] = {
    # whether there are images is asked at the front desk; what is on them is not
    Role.REG: _OWN
    | {
        Action.SEARCH,
        Action.PERSONS,
        Action.CHANGE_PERSONS,
        Action.MATCH,
        Action.ORDER,
        Action.BOOK,
        Action.REGISTER,
        Action.GREEN_CHANNEL,
        Action.CANCEL,
        Action.HOLD,
        Action.QUEUE,
    },
    Role.TRI: _OWN | {Action.PERSONS, Action.GREEN_CHANNEL, Action.HOLD, Action.QUEUE},
    Role.TEC: _SEES
    | _OWN
    | {
        Action.STORE,
        Action.REJECT,
        Action.PERSONS,
        Action.GREEN_CHANNEL,
        Action.QUEUE,
        Action.VET,
        Action.PERFORM,
        Action.SEND_BACK,
        Action.MATCH_IMAGES,
    },
    # what a reader makes (key images, presentation states) is stored as objects
    Role.RES: _READS | _WRITES,
    Role.ATT: _READS | _WRITES | _SIGNS,
    Role.CHF: _READS
    | _WRITES
    | _SIGNS
    | {
        Action.SENSITIVE,
        Action.LAYOUTS,
        Action.OVERBOOK,
        Action.OVERRIDE_IDENTITY,
        Action.VOID,
        Action.DIRECT_REPORTS,
        Action.TEMPLATES,
        Action.MASTER_DATA,
        Action.STATISTICS,
    },
    Role.CLI: _SEES
    | _OWN
    | {
        Action.BREAK_GLASS,
        Action.PERSONS,
        Action.ORDER,
        Action.BOOK,
        Action.GREEN_CHANNEL,
        Action.CANCEL,
        Action.READ_REPORTS,
        Action.ANSWER_CRITICAL,
    },
    Role.FLM: _SEES
    | _OWN
    | {
        Action.PRINT,
        Action.EXPORT,
        Action.SHARE,
        Action.PERSONS,
        Action.READ_REPORTS,
        Action.HAND_OUT,
    },
    Role.QC: _SEES | _OWN | {Action.PERSONS, Action.SEND_BACK, Action.READ_REPORTS, Action.STATISTICS},
    Role.PAD: _SEES
    | _OWN
    | {
        Action.EXPORT,
        Action.STORE,
        Action.REJECT,
        Action.REVOKE,
        Action.CORRECT,
        Action.ORIGINAL,
        Action.SHARE,
        Action.SEND,
        Action.QUARANTINE,
        Action.FLAGS,
        Action.SENSITIVE,
        Action.EXPLAIN,
        Action.JOBS,
        Action.PERSONS,
        Action.CHANGE_PERSONS,
        Action.MERGE,
        Action.MATCH,
        Action.MATCH_IMAGES,
        Action.VOID,
    },
    Role.ADM: _OWN
    | {
        Action.USERS,
        Action.TOKENS,
        Action.DEVICES,
        Action.JOBS,
        Action.SETTINGS,
        Action.LAYOUTS,
        Action.REINDEX,
        Action.HEALTH,
        Action.EXPLAIN,
        Action.MASTER_DATA,
    },
    Role.SEC: _OWN | {Action.AUDIT, Action.REVIEW_BREAK_GLASS, Action.EXPLAIN, Action.ACCESS_REVIEW},
    Role.RCO: _SEES | _OWN,
    Role.RSC: _OWN,
    Role.PAT: _OWN,
    # of an account: by token only. What a device may ask besides is in the list of devices
    Role.DEV: _SEES | {Action.STORE},
}

#: roles for whom objects rejected for quality reasons exist (IHE RAD IOCM)
SEES_QUALITY = frozenset({Role.QC, Role.PAD})

#: who may not be one person: whoever gives rights does not review them
BARRED: tuple[frozenset[Role], ...] = (frozenset({Role.ADM, Role.SEC}),)


@dataclass(frozen=True, slots=True)
class Scope:
    """Of which studies a grant is. All that is given must hold; None does not restrict."""

    #: also None: of studies whose site nobody has written, which no list of sites has
    sites: frozenset[str] | None = None
    departments: frozenset[str] | None = None
    #: of studies with a series of one of these modalities
    modalities: frozenset[str] | None = None
    #: only studies requested by the principal's account or from one of its wards, and studies of patients in the
    #: care of either
    own_patients: bool = False
    #: only studies shared with the principal's account
    shared_only: bool = False
    #: sensitive studies too; else only those of own patients, shared ones, and where glass was broken
    sensitive: bool = False


EVERYWHERE = Scope()


@dataclass(frozen=True, slots=True)
class Grant:
    """A role within a scope, until a moment (None: until it is taken back)."""

    role: Role
    scope: Scope = EVERYWHERE
    until: datetime | None = None

    @property
    def effective_scope(self) -> Scope:
        """The scope with what the role itself demands.

        A clinician sees own patients or an own department; a remote consultant what is shared with him.
        """
        if self.role is Role.CLI and not self.scope.departments:
            return replace(self.scope, own_patients=True)
        if self.role is Role.RCO:
            return replace(self.scope, shared_only=True)
        return self.scope


@dataclass(frozen=True, slots=True)
class Principal:
    """On whose behalf. `name` is an AE title, an account name, the id of a share link, or a process of ours."""

    kind: Literal["device", "user", "system", "share"]
    name: str
    #: may see objects rejected for quality reasons (113001), PS3.4 CC / IHE IOCM
    quality_control: bool = False
    grants: tuple[Grant, ...] = ()
    #: ourselves, and the engineer at the machine: no grant is needed
    unlimited: bool = False
    #: accounts.id, 0 where there is no account
    account: int = 0
    #: wards whose patients are the account's own
    wards: frozenset[str] = frozenset()
    #: nothing but these, whatever the grants say (API tokens, share links); None does not restrict
    only: frozenset[Action] | None = None
    #: nothing but the study of this Study Instance UID (share links)
    study: str = ""
    #: nothing outside of this, whatever the grants say and whatever was opened (the device that a user sits at)
    within: Scope | None = None
    #: what was opened to the account for a time counts: it is for looking at, not for changing or taking away
    opened: bool = True

    def granting(self, action: Action) -> tuple[Grant, ...]:
        """The grants in force that allow `action`."""
        if self.only is not None and action not in self.only:
            return ()
        return tuple(
            grant
            for grant in self.grants
            if action in ALLOWED[grant.role] and (grant.until is None or grant.until > clock.now())
        )


#: our own background work and the command line of the machine's engineer
SYSTEM = Principal("system", "filmless", unlimited=True)
ENGINEER = Principal("user", "engineer", quality_control=True, unlimited=True)


def device_principal(ae_title: str, *, quality_control: bool = False, scope: Scope = EVERYWHERE) -> Principal:
    """The principal of a DICOM device."""
    return Principal("device", ae_title, quality_control, grants=(Grant(Role.DEV, scope),))


def used_by(user: Principal, *, scope: Scope, quality_control: bool) -> Principal:
    """The principal of a user at a device of this scope: what both may."""
    device = ALLOWED[Role.DEV]
    return replace(
        user,
        quality_control=user.quality_control and quality_control,
        within=scope,
        only=device if user.only is None else user.only & device,
    )


def account_principal(
    name: str,
    account: int,
    grants: Iterable[Grant],
    *,
    wards: Iterable[str] = (),
    only: Iterable[Action] | None = None,
) -> Principal:
    """The principal of an account, or of one of its tokens (`only`).

    Objects rejected for quality reasons are seen where a role that sees those holds everywhere, or no other role
    sees anything: a wider grant of another role does not widen them.
    """
    given = tuple(grants)
    seeing = [grant for grant in given if Action.VIEW in ALLOWED[grant.role]]
    quality = [grant for grant in seeing if grant.role in SEES_QUALITY]
    everywhere = any(replace(grant.scope, sensitive=False) == EVERYWHERE for grant in quality)
    return Principal(
        "user",
        name,
        quality_control=bool(quality) and (everywhere or quality == seeing),
        grants=given,
        account=account,
        wards=frozenset(wards),
        only=None if only is None else frozenset(only),
    )


def share_principal(link: str, study_uid: str, *, download: bool) -> Principal:
    """The principal of a share link: one study, to be looked at, and taken along where `download`."""
    actions = _SEES | {Action.EXPORT} if download else _SEES
    return Principal("share", link, only=actions, study=study_uid)


def may(principal: Principal, action: Action) -> bool:
    """Whether `principal` may do `action` at all; on which studies, the query says."""
    if principal.only is not None and action not in principal.only:
        return False
    if principal.unlimited:
        return True
    if principal.study:
        return principal.only is not None
    return bool(principal.granting(action))


def permit(principal: Principal, action: Action) -> Principal:
    """Raises Refused (code "not-permitted") unless `principal` may do `action`.

    Returns the principal narrowed to the grants that allow it: given to the queries that follow, they find what it
    may do `action` on, and not what another of its roles merely sees.
    """
    if not may(principal, action):
        raise Refused("You have no right to do this.", code="not-permitted")
    if principal.unlimited or principal.study:
        return principal
    granting, opened = principal.granting(action), principal.opened and action in _SEES
    if len(granting) == len(principal.grants) and opened == principal.opened:
        return principal
    return replace(principal, grants=granting, opened=opened)


def check_roles(roles: Iterable[Role]) -> None:
    """Raises Refused (code "barred-roles") where one person may not hold all of these."""
    held = frozenset(roles)
    for pair in BARRED:
        if pair <= held:
            first, second = sorted(pair)
            raise Refused(
                f"{first} ({ROLE_NAMES[first][0]}) and {second} ({ROLE_NAMES[second][0]}) may not be one person: "
                "whoever gives rights does not review them.",
                code="barred-roles",
            )


def scope_as_json(scope: Scope) -> dict[str, Any]:
    """The scope as JSON, without what does not restrict."""
    made: dict[str, Any] = {}
    for name in ("sites", "departments", "modalities"):
        values: frozenset[str] | None = getattr(scope, name)
        if values is not None:
            made[name] = sorted(values)
    for name in ("own_patients", "shared_only", "sensitive"):
        if getattr(scope, name):
            made[name] = True
    return made


def scope_from_json(given: Mapping[str, Any]) -> Scope:
    """What `scope_as_json` made. An unknown word raises, so that a restriction is never overlooked."""
    lists = {"sites", "departments", "modalities"}
    read: dict[str, Any] = {
        name: frozenset(value) if name in lists else bool(value) for name, value in given.items()
    }
    return Scope(**read)
