"""Tables of the audit trail. Rows are only ever added: the database itself refuses to change or delete them."""

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text

from filmless.db.schema import Id, Moment, metadata

audit = Table(
    "audit",
    metadata,
    #: 1, 2, 3, ... without gaps, given by us in the order of the chain
    Column("seq", Id, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
    #: model.Kind
    Column("kind", String(32), nullable=False),
    Column("outcome", String(8), nullable=False),
    #: the principal: "device", "user" or "system", and its name
    Column("who_kind", String(8), nullable=False),
    Column("who", String(200), nullable=False),
    Column("host", String(255), nullable=False),
    #: JSON text of all else; text, because its bytes are in the chain
    Column("body", Text, nullable=False),
    #: which key the row was sealed with (chain.Key.id)
    Column("key", String(16), nullable=False),
    #: HMAC-SHA-256 over this row and the mac of the row before, hex
    Column("mac", String(64), nullable=False),
    Index(None, "who", "seq"),
    Index(None, "kind", "seq"),
    Index(None, "at"),
)

#: whom and what a row is about, for the search by patient and by study; the same is in its body, which is sealed
audit_subjects = Table(
    "audit_subjects",
    metadata,
    #: "study" (Study Instance UID) or "patient" (Patient ID)
    Column("kind", String(8), primary_key=True),
    Column("value", String(200), primary_key=True),
    Column("seq", Id, ForeignKey("audit.seq"), primary_key=True, autoincrement=False),
    Index(None, "seq"),
)

#: one row, the only one here that changes: the end of the chain, sealed, so that rows missing at the end are noticed
audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", Id, nullable=False),
    Column("mac", String(64), nullable=False),
    Column("key", String(16), nullable=False),
    #: HMAC-SHA-256 over seq and mac, hex
    Column("seal", String(64), nullable=False),
)

_KEPT = ("audit", "audit_subjects")

#: statements that make the database refuse changes, by dialect. For its migration; autogenerate knows no triggers.
GUARDS: dict[str, tuple[str, ...]] = {
    "sqlite": (
        *(
            f"CREATE TRIGGER {table}_never_{verb} BEFORE {verb.upper()} ON {table} "
            "BEGIN SELECT RAISE(ABORT, 'the audit trail is never changed'); END"
            for table in _KEPT
            for verb in ("update", "delete")
        ),
        "CREATE TRIGGER audit_head_never_delete BEFORE DELETE ON audit_head "
        "BEGIN SELECT RAISE(ABORT, 'the audit trail is never changed'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION filmless_audit_kept() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit trail is never changed'; END $$",
        *(
            f"CREATE TRIGGER {table}_never_change BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION filmless_audit_kept()"
            for table in _KEPT
        ),
        "CREATE TRIGGER audit_head_never_delete BEFORE DELETE ON audit_head "
        "FOR EACH ROW EXECUTE FUNCTION filmless_audit_kept()",
        *(
            f"CREATE TRIGGER {table}_never_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION filmless_audit_kept()"
            for table in (*_KEPT, "audit_head")
        ),
    ),
}
