"""What the routes of access/ take and give, and what they ask the request for."""

import unicodedata
from datetime import datetime
from typing import Annotated, Final, Literal

from fastapi import Depends, Path, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from filmless.access import model, sessions, tokens
from filmless.access.accounts import Account
from filmless.access.gate import Gate, SignedIn
from filmless.access.grants import Given
from filmless.access.model import ROLE_NAMES, Action, Grant, Principal, Role
from filmless.access.web import gate_of, host_of, principal_of, signed_in_of
from filmless.kit.errors import Refused
from filmless.net.http.described import problems

#: for every route: the error answers that it may have
PROBLEMS: Final = problems(
    {
        400: "The request cannot be done as it is.",
        401: "Nobody is signed in, or the name, password or code is wrong.",
        403: "This account may not do this, or has to change its password first.",
        404: "There is no such thing.",
        409: "It clashes with what is there.",
        413: "It is too large.",
        415: "The body is no JSON.",
        422: "The request is not understood.",
        429: "Too many attempts.",
        503: "Not now; try again later.",
    }
)


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("only letters that can be printed")
    return unicodedata.normalize("NFC", text)


#: text of one line
Line = Annotated[str, AfterValidator(_one_line)]
Reason = Annotated[Line, StringConstraints(max_length=400)]
#: of an account; any text that is none finds nobody
AccountName = Annotated[Line, StringConstraints(min_length=1, max_length=64)]
NameInPath = Annotated[
    Line, Path(min_length=1, max_length=64, description="Name of the account.", alias="name")
]
Number = Annotated[int, Path(ge=1, le=2**62)]
Password = Annotated[str, StringConstraints(max_length=200)]
Word = Annotated[Line, StringConstraints(min_length=1, max_length=64)]
Language = Literal["", "zh", "en"]

At = Annotated[Gate, Depends(gate_of)]
Host = Annotated[str, Depends(host_of)]
Who = Annotated[Principal, Depends(principal_of)]


def _signed_in(request: Request) -> SignedIn:
    return signed_in_of(request)


def _own_account(request: Request) -> SignedIn:
    found = signed_in_of(request, ready=True)
    model.permit(found.principal, Action.OWN_ACCOUNT)
    return found


def _with_session(request: Request) -> SignedIn:
    found = signed_in_of(request)
    if found.session is None:
        raise Refused("This is done by people who are signed in, not by API token.", code="not-permitted")
    return found


#: signed in, perhaps with the password still to be changed
Anybody = Annotated[SignedIn, Depends(_signed_in)]
#: the same, by session and not by token;
InSession = Annotated[SignedIn, Depends(_with_session)]
#: may manage the own account
Own = Annotated[SignedIn, Depends(_own_account)]


class In(BaseModel):
    """Bodies say nothing that is not understood."""

    model_config = ConfigDict(extra="forbid")


class ScopeWords(In):
    """Of which studies a grant is; what is left out does not restrict."""

    sites: list[Word] | None = Field(None, max_length=100)
    departments: list[Word] | None = Field(None, max_length=100)
    modalities: list[Word] | None = Field(None, max_length=100)
    own_patients: bool = Field(
        default=False, description="Only studies of patients in this person's or ward's care."
    )
    shared_only: bool = Field(default=False, description="Only studies shared with this account.")
    sensitive: bool = Field(default=False, description="Sensitive studies too.")

    def scope(self) -> model.Scope:
        """In the words of access/model.py."""
        return model.scope_from_json(
            {
                name: value
                for name, value in self.model_dump().items()
                if value is not None and value is not False
            }
        )

    @classmethod
    def of(cls, scope: model.Scope) -> "ScopeWords":
        """From the words of access/model.py."""
        return cls(**model.scope_as_json(scope))


class RoleWords(BaseModel):
    """A role, with its names for the screen."""

    role: Role
    name_en: str
    name_zh: str
    actions: list[Action] = Field(description="What it may do, within the scope of a grant.")

    @classmethod
    def of(cls, role: Role) -> "RoleWords":
        """With the names of access/model.py."""
        english, chinese = ROLE_NAMES[role]
        return cls(role=role, name_en=english, name_zh=chinese, actions=sorted(model.ALLOWED[role]))


class HeldRole(BaseModel):
    """A role that is held now, within its scope."""

    role: Role
    name_en: str
    name_zh: str
    scope: ScopeWords
    until: datetime | None

    @classmethod
    def of(cls, grant: Grant) -> "HeldRole":
        """With the names of access/model.py."""
        english, chinese = ROLE_NAMES[grant.role]
        scope = ScopeWords.of(grant.effective_scope)
        return cls(role=grant.role, name_en=english, name_zh=chinese, scope=scope, until=grant.until)


class GrantWords(HeldRole):
    """A grant as it was given."""

    id: int
    in_force: bool
    source: Literal["", "first", "oidc"] = Field(
        description='"first": held only for as long as nobody else holds it; "oidc": named by the provider.'
    )
    granted_at: datetime
    granted_by: str
    reason: str

    @classmethod
    def given(cls, one: Given) -> "GrantWords":
        """From the service's words."""
        english, chinese = ROLE_NAMES[one.grant.role]
        return cls(
            role=one.grant.role,
            name_en=english,
            name_zh=chinese,
            scope=ScopeWords.of(one.grant.scope),
            until=one.grant.until,
            id=one.id,
            in_force=not one.idle,
            source=one.source,  # type: ignore[arg-type]
            granted_at=one.granted_at,
            granted_by=one.granted_by,
            reason=one.reason,
        )


class SessionWords(BaseModel):
    """An open session of a browser."""

    id: int
    method: Literal["password", "password+code", "oidc"]
    host: str
    browser: str
    opened_at: datetime
    seen_at: datetime = Field(description="When it was last used, to about a minute.")
    ends_at: datetime
    this: bool = Field(description="The one that asks.")

    @classmethod
    def of(cls, one: sessions.Session, this: sessions.Session | None) -> "SessionWords":
        """From the service's words."""
        return cls(
            id=one.id,
            method=one.method,  # type: ignore[arg-type]
            host=one.host,
            browser=one.browser,
            opened_at=one.opened_at,
            seen_at=one.seen_at,
            ends_at=one.ends_at,
            this=this is not None and this.id == one.id,
        )


class TokenWords(BaseModel):
    """An API token, without its secret."""

    id: int
    label: str
    begins: str = Field(description="Its first characters.")
    scopes: list[Action]
    created_at: datetime
    created_by: str
    expires_at: datetime
    used_at: datetime | None = Field(description="When it was last used, to about a minute.")
    used_host: str
    revoked_at: datetime | None
    in_force: bool

    @classmethod
    def of(cls, one: tokens.Token) -> "TokenWords":
        """From the service's words."""
        return cls(
            id=one.id,
            label=one.label,
            begins=one.begins,
            scopes=sorted(one.scopes),
            created_at=one.created_at,
            created_by=one.created_by,
            expires_at=one.expires_at,
            used_at=one.used_at,
            used_host=one.used_host,
            revoked_at=one.revoked_at,
            in_force=one.in_force,
        )


class AccountWords(BaseModel):
    """An account, without its secrets."""

    name: str
    display_name: str
    language: Language
    wards: list[str] = Field(description="Wards whose patients are this person's own.")
    enabled: bool
    locked: bool = Field(description="After too many wrong passwords, for some minutes.")
    first: bool = Field(description="The account of the first start.")
    has_password: bool
    must_change_password: bool
    has_second_factor: bool
    signed_in_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, one: Account) -> "AccountWords":
        """From the service's words."""
        return cls(
            name=one.name,
            display_name=one.display_name,
            language=one.language,  # type: ignore[arg-type]
            wards=sorted(one.wards),
            enabled=one.enabled,
            locked=one.locked,
            first=one.first,
            has_password=one.has_password,
            must_change_password=one.must_change_password,
            has_second_factor=one.has_second_factor,
            signed_in_at=one.signed_in_at,
            created_at=one.created_at,
        )
