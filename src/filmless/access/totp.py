"""The second factor: time-based codes (TOTP, RFC 6238) of an app on a telephone, and recovery codes on paper."""

import base64
import os
import re
import time
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, delete, insert, select, update

from filmless.access.account_tables import accounts, recovery_codes, sessions
from filmless.access.accounts import Account
from filmless.access.acting import Acting
from filmless.access.keys import digest, same
from filmless.kit import clock
from filmless.kit.errors import Conflict, Refused

_STEP: Final = 30
_RECOVERY_CODES: Final = 10
_ISSUER: Final = "Filmless"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an app needs to make codes: the secret to type, and the same as an otpauth: address for a QR code."""

    secret: str
    url: str


def enrol(connection: Connection, account: Account) -> Enrolment:
    """Begin: a new secret, in use once a code of it was shown to `confirm`. Raises Conflict ("has-second-factor")."""
    from pyotp import TOTP, random_base32

    if account.has_second_factor:
        raise Conflict("There is a second factor already: remove it first.", code="has-second-factor")
    secret = random_base32()
    connection.execute(
        update(accounts).where(accounts.c.id == account.id).values(totp_secret=secret, totp_step=0)
    )
    return Enrolment(secret, TOTP(secret).provisioning_uri(name=account.name, issuer_name=_ISSUER))


def confirm(connection: Connection, account: Account, code: str, acting: Acting) -> list[str]:
    """Take the second factor into use; returns recovery codes, to be shown once.

    Raises Conflict (code "has-second-factor"), Refused (code "bad-code").
    """
    if account.has_second_factor:
        raise Conflict("There is a second factor already: remove it first.", code="has-second-factor")
    if not _take_code(connection, account.id, code):
        raise Refused("The code is not right. Is the telephone's clock right?", code="bad-code")
    codes = [_recovery_code() for _ in range(_RECOVERY_CODES)]
    connection.execute(
        update(accounts).where(accounts.c.id == account.id).values(totp_confirmed_at=clock.now())
    )
    connection.execute(delete(recovery_codes).where(recovery_codes.c.account_id == account.id))
    connection.execute(
        insert(recovery_codes),
        [{"account_id": account.id, "code_hash": digest(_plain(one))} for one in codes],
    )
    acting.note(connection, "second factor added", account=account.name)
    return codes


def take(connection: Connection, account_id: int, code: str) -> bool:
    """Whether `code` is a code of the app that was not used before, or a recovery code, which is then used up.

    To be called in a write transaction that holds the account's row.
    """
    if _take_code(connection, account_id, code):
        return True
    used = connection.execute(
        delete(recovery_codes).where(
            recovery_codes.c.account_id == account_id, recovery_codes.c.code_hash == digest(_plain(code))
        )
    )
    return bool(used.rowcount > 0)


def remove(connection: Connection, account: Account, acting: Acting) -> None:
    """Take the second factor from an account, and its recovery codes. All its sessions end."""
    connection.execute(
        update(accounts)
        .where(accounts.c.id == account.id)
        .values(totp_secret="", totp_confirmed_at=None, totp_step=0)
    )
    connection.execute(delete(recovery_codes).where(recovery_codes.c.account_id == account.id))
    connection.execute(delete(sessions).where(sessions.c.account_id == account.id))
    acting.note(connection, "second factor removed", account=account.name)


def _take_code(connection: Connection, account_id: int, code: str) -> bool:
    from pyotp import TOTP

    typed = re.sub(r"\s", "", code)
    row = connection.execute(
        select(accounts.c.totp_secret, accounts.c.totp_step).where(accounts.c.id == account_id)
    ).one()
    if not row.totp_secret or not re.fullmatch(r"[0-9]{6}", typed):
        return False
    now = int(time.time()) // _STEP
    # one step either way for clocks that differ (RFC 6238 5.2); none that was taken before, nor one before that
    right = [
        step
        for step in (now - 1, now, now + 1)
        if same(TOTP(row.totp_secret).generate_otp(step), typed) and step > row.totp_step
    ]
    if not right:
        return False
    # the condition again: of two sign-ins at the same moment one is late
    taken = connection.execute(
        update(accounts)
        .where(accounts.c.id == account_id, accounts.c.totp_step < right[0])
        .values(totp_step=right[0])
    )
    return bool(taken.rowcount > 0)


def _recovery_code() -> str:
    text = base64.b32encode(os.urandom(10)).decode().lower()
    return "-".join(text[at : at + 4] for at in range(0, 16, 4))


def _plain(code: str) -> str:
    return re.sub(r"[\s-]", "", code).lower()
