"""Tables of devices/."""

from sqlalchemy import Boolean, Column, Integer, String, Table, UniqueConstraint

from filmless.db.schema import Id, Json, Moment, metadata

devices = Table(
    "devices",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    #: the AE title, 1 to 16 characters, compared as the standard does: without leading and trailing spaces
    Column("ae_title", String(16), nullable=False),
    Column("description", String(200), nullable=False, default=""),
    Column("host", String(255), nullable=False, default=""),
    Column("port", Integer, nullable=False, default=0),
    Column("tls", Boolean, nullable=False, default=False),
    Column("enabled", Boolean, nullable=False, default=True),
    #: SpecificCharacterSet for objects and queries that declare none, and for answers to this device
    Column("character_set", String(64), nullable=False, default=""),
    #: issuer given to patient IDs that arrive without one
    Column("default_issuer", String(64), nullable=False, default=""),
    #: what the device may ask of us: "echo", "store", "find", "move", "get", "commit", "worklist", "mpps"
    Column("services", Json, nullable=False),
    #: named departures from the standard: see devices/model.py QUIRKS
    Column("quirks", Json, nullable=False),
    #: duplicates policy: "" (the archive's), "keep-first", "replace", "quarantine"
    Column("duplicates", String(16), nullable=False, default=""),
    #: wants Instance Availability Notification
    Column("notify", Boolean, nullable=False, default=False),
    Column("quality_control", Boolean, nullable=False, default=False),
    #: to which site and department the studies belong that it is the first to send
    Column("site", String(64), nullable=False, default=""),
    Column("department", String(64), nullable=False, default=""),
    #: what it sees of the archive: access.model.scope_as_json. NULL: all but what is sensitive
    Column("scope", Json),
    #: result of the last echo check
    Column("checked_at", Moment),
    Column("check_ok", Boolean),
    Column("check_reason", String(400), nullable=False, default=""),
    Column("check_ms", Integer),
    Column("changed_at", Moment, nullable=False),
    UniqueConstraint("ae_title"),
)
