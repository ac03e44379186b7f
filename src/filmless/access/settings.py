"""The words of [access]: passwords, sessions, tokens, and sign-in through OpenID Connect."""

from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from filmless.access.model import Role


@dataclass(frozen=True, slots=True)
class AccessSettings:
    """[access]: how people sign in."""

    #: a hospital to try out (`filmless demonstrate`): the sign-in page names its accounts and their password, and it
    #: is served on this machine alone
    demonstration: bool = False
    #: characters that a password has at least
    password_length: int = 10
    #: wrong passwords or codes in a row after which an account is locked, and for how many minutes
    lock_after: int = 5
    lock_minutes: int = 15
    #: wrong sign-ins in a minute after which one address, or one account name, has to wait
    attempts_per_host: int = 30
    attempts_per_account: int = 10
    #: minutes without a request after which a session ends, and hours after which it ends in any case
    session_idle_minutes: int = 30
    session_hours: int = 12
    #: days after which an API token ends at the latest
    token_days: int = 365
    #: whether everybody who signs in with a password has to have a second factor (TOTP)
    second_factor: Literal["optional", "required"] = "optional"

    #: minutes for which breaking the glass opens what it is broken for
    break_glass_minutes: int = 60
    #: days after which a share link ends at the latest
    share_days: int = 90

    #: what becomes of a user and passcode that a DICOM association carries: checked, or not looked at
    dicom_users: Literal["check", "ignore"] = "check"

    #: the OpenID provider's issuer, e.g. https://login.hospital.example/realms/main; empty: no such sign-in
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: str = field(default="", metadata={"secret": True})
    #: asked of the provider besides openid
    oidc_scopes: tuple[str, ...] = ("profile",)
    #: the claim that names groups or roles, and what each is here: "radiologists=ATT"
    oidc_roles_claim: str = "groups"
    oidc_roles: tuple[str, ...] = ()
    #: whether a stranger whom the provider knows, and whose claim has a role here, gets an account
    oidc_new_accounts: bool = True
    #: what the button says
    oidc_label: str = "OpenID Connect"
    #: seconds for each answer of the provider
    oidc_timeout: float = 10.0

    def __post_init__(self) -> None:
        if self.password_length < 8:
            raise ValueError("password_length must be at least 8")
        if self.session_idle_minutes < 2:
            raise ValueError("session_idle_minutes must be at least 2")
        if not 1 <= self.break_glass_minutes <= 24 * 60:
            raise ValueError("break_glass_minutes must be from 1 to 1440")
        if self.share_days < 1:
            raise ValueError("share_days must be at least 1")
        if self.oidc_issuer:
            parts = urlsplit(self.oidc_issuer)
            local = parts.hostname in ("127.0.0.1", "::1", "localhost")
            if parts.scheme != "https" and not (parts.scheme == "http" and local):
                raise ValueError("oidc_issuer must begin with https:// (http only on this same machine)")
            if not self.oidc_client_id:
                raise ValueError("oidc_issuer needs oidc_client_id")
        for pair in self.oidc_roles:
            if "=" not in pair:
                raise ValueError(f'oidc_roles: {pair!r} is not of the form "group=ROLE"')
            role = pair.rpartition("=")[2].strip()
            if role not in Role.__members__:
                raise ValueError(f"oidc_roles: there is no role {role!r}; there are {', '.join(Role)}")

    def roles_of(self, groups: frozenset[str]) -> frozenset[Role]:
        """The roles that the provider's groups are here."""
        pairs = (pair.rpartition("=") for pair in self.oidc_roles)
        return frozenset(Role(role.strip()) for group, _, role in pairs if group.strip() in groups)
