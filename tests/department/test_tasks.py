"""Tasks: one open task for one cause, closed once, by those whose matter it is."""

import pytest
from sqlalchemy import Engine
from tests.trails import trail_of

from filmless.access.acting import Acting
from filmless.access.model import SYSTEM, Grant, Role, account_principal
from filmless.db.work import reading, writing
from filmless.department import tasks
from filmless.kit.errors import Conflict, Refused

TECHNOLOGIST = account_principal("tec", 1, [Grant(Role.TEC)])
REGISTRAR = account_principal("reg", 2, [Grant(Role.REG)])


def test_one_open_task_for_one_cause(engine: Engine) -> None:
    with trail_of(engine) as trail:
        with writing(engine) as connection:
            first = tasks.raise_task(connection, "images-missing", "missing:1.2", study_uid="1.2")
            assert tasks.raise_task(connection, "images-missing", "missing:1.2", study_uid="1.2") == first
            tasks.raise_task(connection, "unscheduled", "unscheduled:1.3")
            tasks.renew(connection, first, {"missing": ["1.2.3"]})
        with writing(engine) as connection, pytest.raises(Refused, match="no right"):
            tasks.close(connection, first, Acting(REGISTRAR, trail), "looked at it")
        with writing(engine) as connection, pytest.raises(Refused, match="what came of it"):
            tasks.close(connection, first, Acting(TECHNOLOGIST, trail), " ")
        with writing(engine) as connection:
            closed = tasks.close(connection, first, Acting(TECHNOLOGIST, trail), "sent again")
        assert (closed.closed_by, closed.outcome, closed.body) == (
            "tec",
            "sent again",
            {"missing": ["1.2.3"]},
        )
        with writing(engine) as connection, pytest.raises(Conflict, match="closed already, by tec"):
            tasks.close(connection, first, Acting(TECHNOLOGIST, trail), "again")
    with writing(engine) as connection:
        again = tasks.raise_task(connection, "images-missing", "missing:1.2", study_uid="1.2")
        assert again != first
        assert tasks.close_cause(connection, "missing:1.2", SYSTEM, "all there")
        assert not tasks.close_cause(connection, "missing:1.2", SYSTEM, "all there")
    with reading(engine) as connection:
        assert [task.cause for task in tasks.open_tasks(connection)] == ["unscheduled:1.3"]
        assert tasks.count_open(connection, tasks.kinds_for(TECHNOLOGIST)) == {"unscheduled": 1}
        assert "unscheduled" not in tasks.kinds_for(REGISTRAR)
