"""A check of identity that stopped what was wanted is kept all the same: who looked, at what, when."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from filmless.access import accounts, grants
from filmless.access.acting import Acting
from filmless.access.api.words import At
from filmless.access.gate import Gate
from filmless.access.model import Action, permit
from filmless.access.sign_in import check_password
from filmless.db.work import reading, writing
from filmless.department import exams, identity_check
from filmless.department.api.words import ShownWords
from filmless.department.identity_check import Shown, Stage
from filmless.department.model import Desk
from filmless.kit.errors import FilmlessError, Refused


def agreed(at: Gate, given: ShownWords | None, host: str) -> Shown | None:
    """What was shown, with whoever lets through in spite of it, whose password was right.

    Raises Refused (code "wrong-password", "not-permitted" and others).
    """
    if given is None:
        return None
    shown = given.shown()
    if given.supervisor is None or not shown.despite:
        return shown
    with reading(at.engine) as connection:
        account = accounts.find(connection, given.supervisor.account)
    if account is None:
        raise Refused("The second person's name or password is wrong.", code="wrong-password")
    check_password(
        at.signing_in, account, given.supervisor.password, host=host, code=given.supervisor.passcode
    )
    with reading(at.engine) as connection:
        who = permit(grants.principal_of(connection, account), Action.OVERRIDE_IDENTITY)
    return replace(shown, agreed=who)


#: codes of errors after which it is asked whether a check had failed; the last one: it takes a right to go on
_STOPPED = (*identity_check.FAILED, "not-permitted")


@contextmanager
def failures_kept(
    at: At, exam: int, stage: Stage, shown: Shown | None, acting: Acting, desk: Desk
) -> Iterator[None]:
    """Around the transaction of a command with a check: what failed in it is written after it was undone."""
    try:
        yield
    except FilmlessError as error:
        if shown is not None and error.code in _STOPPED:
            with writing(at.engine) as connection:
                identity_check.keep_failure(
                    connection, exams.get(connection, exam), stage, shown, acting, desk
                )
        raise


@contextmanager
def walk_in_failures_kept(
    at: At, person: int, shown: Shown | None, acting: Acting, desk: Desk
) -> Iterator[None]:
    """The same around an order that is registered at once: there is no exam to write it at."""
    try:
        yield
    except FilmlessError as error:
        if shown is not None and error.code in _STOPPED:
            with writing(at.engine) as connection:
                identity_check.keep_failure_of(connection, person, shown, acting, desk)
        raise
