"""Tables of accounts: who may sign in, with what, and as what.

Nothing here lets its reader in, but for TOTP secrets, which have to be known to check a code: passwords are argon2id
hashes, ids of sessions, tokens and recovery codes are SHA-256 of 256 (codes: 80) random bits.
"""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from filmless.db.schema import Id, Json, Moment, metadata

accounts = Table(
    "accounts",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    #: what is typed to sign in; lower case. Never given to another person: an account is disabled, not deleted
    Column("name", String(64), nullable=False),
    Column("display_name", String(200), nullable=False, default=""),
    #: "zh" or "en"; "": as the browser says
    Column("language", String(8), nullable=False, default=""),
    #: wards whose patients are this person's own (access/model.py, own patients)
    Column("wards", Json, nullable=False),
    Column("enabled", Boolean, nullable=False, default=True),
    #: the account of the first start (accounts.first_account)
    Column("first", Boolean, nullable=False, default=False),
    #: argon2id in its own notation; "": no password, signs in through OpenID Connect or by token only
    Column("password_hash", String(255), nullable=False, default=""),
    Column("password_changed_at", Moment),
    #: the password was set by somebody else: nothing may be done before it is changed
    Column("must_change_password", Boolean, nullable=False, default=False),
    #: wrong passwords or codes since the last sign-in
    Column("failures", Integer, nullable=False, default=0),
    Column("locked_until", Moment),
    #: base32; in use from totp_confirmed_at on
    Column("totp_secret", String(64), nullable=False, default=""),
    Column("totp_confirmed_at", Moment),
    #: the time step of the last code that was taken: no code is taken twice (RFC 6238 5.2)
    Column("totp_step", Integer, nullable=False, default=0),
    Column("signed_in_at", Moment),
    Column("created_at", Moment, nullable=False),
    Column("created_by", String(80), nullable=False, default=""),
    UniqueConstraint("name"),
)

#: what an account may do, and where
grants = Table(
    "grants",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("account_id", Id, ForeignKey("accounts.id"), nullable=False),
    #: code of a role, e.g. "ATT" (access/model.py Role)
    Column("role", String(8), nullable=False),
    #: access/model.py scope_as_json
    Column("scope", Json, nullable=False),
    Column("expires_at", Moment),
    #: "" a person's decision, "first" of the first account, "oidc" of the provider's claim at the last sign-in
    Column("source", String(8), nullable=False, default=""),
    Column("granted_at", Moment, nullable=False),
    Column("granted_by", String(80), nullable=False, default=""),
    Column("reason", String(400), nullable=False, default=""),
    Index(None, "account_id"),
)

#: accounts at OpenID providers; who is who is decided by (issuer, subject) alone, never by name or e-mail
account_identities = Table(
    "account_identities",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("account_id", Id, ForeignKey("accounts.id"), nullable=False),
    Column("issuer", String(500), nullable=False),
    Column("subject", String(255), nullable=False),
    Column("linked_at", Moment, nullable=False),
    UniqueConstraint("issuer", "subject"),
    Index(None, "account_id"),
)

recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("account_id", Id, ForeignKey("accounts.id"), nullable=False),
    Column("code_hash", String(64), nullable=False),
    Index(None, "account_id"),
)

#: open sessions; one that ended is no row any more (the audit trail knows it)
sessions = Table(
    "sessions",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("id_hash", String(64), nullable=False),
    Column("account_id", Id, ForeignKey("accounts.id"), nullable=False),
    #: how it was opened: "password", "password+code" or "oidc"
    Column("method", String(16), nullable=False),
    Column("host", String(64), nullable=False, default=""),
    Column("browser", String(200), nullable=False, default=""),
    Column("opened_at", Moment, nullable=False),
    #: to about a minute
    Column("seen_at", Moment, nullable=False),
    Column("ends_at", Moment, nullable=False),
    UniqueConstraint("id_hash"),
    Index(None, "account_id"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("account_id", Id, ForeignKey("accounts.id"), nullable=False),
    Column("token_hash", String(64), nullable=False),
    #: its first characters, by which people tell tokens apart
    Column("begins", String(16), nullable=False),
    Column("label", String(100), nullable=False),
    #: actions (access/model.py) that it may be used for, at most those of its account
    Column("scopes", Json, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("created_by", String(80), nullable=False, default=""),
    Column("expires_at", Moment, nullable=False),
    #: to about a minute
    Column("used_at", Moment),
    Column("used_host", String(64), nullable=False, default=""),
    Column("revoked_at", Moment),
    UniqueConstraint("token_hash"),
    Index(None, "account_id"),
)

#: sign-ins under way at an OpenID provider
sign_in_states = Table(
    "sign_in_states",
    metadata,
    Column("state_hash", String(64), primary_key=True),
    #: of the cookie of the browser that began it
    Column("browser_hash", String(64), nullable=False),
    Column("nonce", String(64), nullable=False),
    #: PKCE (RFC 7636)
    Column("verifier", String(128), nullable=False),
    Column("return_to", String(400), nullable=False),
    Column("ends_at", Moment, nullable=False),
)

preferences = Table(
    "preferences",
    metadata,
    Column("account_id", Id, ForeignKey("accounts.id"), primary_key=True),
    Column("key", String(100), primary_key=True),
    Column("value", Text, nullable=False),
    Column("changed_at", Moment, nullable=False),
)
