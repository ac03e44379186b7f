"""What a person's screens remember: JSON by key."""

import json
import re
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from filmless.access.account_tables import preferences as table
from filmless.kit import clock
from filmless.kit.errors import Refused

_KEY: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
#: of one value as JSON text, and of keys for one account
_LONGEST: Final = 64 << 10
_MOST: Final = 200


def all_of(connection: Connection, account_id: int) -> dict[str, Any]:
    """Every preference of an account."""
    query = select(table.c.key, table.c.value).where(table.c.account_id == account_id).order_by(table.c.key)
    return {row.key: json.loads(row.value) for row in connection.execute(query)}


def put(connection: Connection, account_id: int, key: str, value: Any) -> None:
    """Keep a value; None forgets the key. Raises Refused (codes "bad-preference", "too-large")."""
    if not _KEY.fullmatch(key):
        raise Refused(
            "A key has 1 to 100 small letters and digits, with . _ - inside.", code="bad-preference"
        )
    mine = (table.c.account_id == account_id) & (table.c.key == key)
    if value is None:
        connection.execute(delete(table).where(mine))
        return
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    if len(text.encode("utf-8", "surrogatepass")) > _LONGEST:
        raise Refused(f"A preference has at most {_LONGEST} bytes.", code="too-large")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refused("The value has text that is none.", code="bad-preference") from None
    now = clock.now()
    if connection.execute(update(table).where(mine).values(value=text, changed_at=now)).rowcount:
        return
    query = select(table.c.key).where(table.c.account_id == account_id).limit(_MOST)
    if len(connection.execute(query).all()) >= _MOST:
        raise Refused(f"At most {_MOST} preferences are kept.", code="too-large")
    try:
        with connection.begin_nested():
            connection.execute(
                insert(table).values(account_id=account_id, key=key, value=text, changed_at=now)
            )
    except IntegrityError:
        # another window of the same person was first: the later value stays
        connection.execute(update(table).where(mine).values(value=text, changed_at=now))
