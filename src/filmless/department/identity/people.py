"""Which persons a principal knows of: the condition on rows of `persons` that goes into every query of them."""

from sqlalchemy import ColumnElement, Connection, false, or_, select, true

from filmless.access.model import Action, Principal
from filmless.department import visibility
from filmless.department.tables import exams
from filmless.kit.errors import Refused
from filmless.patients.tables import persons


def seen(principal: Principal, action: Action = Action.PERSONS) -> ColumnElement[bool]:
    """Whoever registers or looks after the data finds everybody, so that nobody is made known twice; whoever has own
    patients only, those of exams that he sees. VIPs are found by scopes that include the sensitive, and by those who
    see one of their exams."""
    if principal.unlimited:
        return true()
    if principal.only is not None and action not in principal.only:
        return false()
    scopes = [grant.effective_scope for grant in principal.granting(action)]
    theirs = persons.c.id.in_(select(exams.c.person).where(visibility.seen(principal, action)))
    wide = [scope for scope in scopes if not scope.own_patients and not scope.shared_only]
    if not wide:
        return theirs if scopes else false()
    if any(scope.sensitive for scope in wide):
        return true()
    return or_(~persons.c.vip, theirs)


def check(connection: Connection, principal: Principal, person: int, action: Action = Action.PERSONS) -> None:
    """Raises Refused (code "not-found") where there is no such person for this principal."""
    query = select(persons.c.id).where(persons.c.id == person, seen(principal, action))
    if connection.execute(query).first() is None:
        raise Refused("There is no such person.", code="not-found")
