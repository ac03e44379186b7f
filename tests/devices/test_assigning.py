"""New studies belong to the site of the device that sends them first."""

from sqlalchemy import Engine
from tests.trails import trail_of

from filmless.access.acting import Acting
from filmless.access.belonging import assign, belonging_of
from filmless.access.model import SYSTEM
from filmless.db import events
from filmless.db.work import reading, writing
from filmless.devices import service
from filmless.devices.assigning import READER, Assigner
from filmless.devices.model import Device


def _stored(engine: Engine, *arrived: tuple[str, str]) -> None:
    with writing(engine) as connection:
        events.record(
            connection,
            [
                ("instances-stored", {"study_uid": uid, "source": source, "instances": []})
                for uid, source in arrived
            ],
        )


def _places(engine: Engine, *uids: str) -> list[tuple[str, str]]:
    with reading(engine) as connection:
        return [(one.site, one.department) for one in (belonging_of(connection, uid) for uid in uids)]


def test_new_studies_belong_to_their_first_sender(engine: Engine) -> None:
    assigner = Assigner(engine)
    _stored(engine, ("1.1", "CT1"))
    assert assigner.run_once() == 0
    assert _places(engine, "1.1") == [("", "")]
    with writing(engine) as connection:
        service.add(connection, Device("CT1", site="North", department="Radiology"), by="test")
        service.add(connection, Device("US1", site="South"), by="test")
        service.add(connection, Device("MR1"), by="test")
        with trail_of(engine) as trail:
            assign(connection, "1.4", Acting(SYSTEM, trail, reason="a test"), site="West")
    _stored(engine, ("1.2", "CT1"), ("1.2", "US1"), ("1.3", "US1"), ("1.4", "US1"), ("1.5", "MR1"))
    assigner.run_once()
    assert _places(engine, "1.2", "1.3", "1.4", "1.5") == [
        ("North", "Radiology"),
        ("South", ""),
        # what was written before stands
        ("West", ""),
        ("", ""),
    ]
    # what comes to a study later does not move it
    _stored(engine, ("1.2", "US1"))
    assigner.run_once()
    assert _places(engine, "1.2") == [("North", "Radiology")]


def test_more_events_than_are_read_at_once(engine: Engine) -> None:
    with writing(engine) as connection:
        service.add(connection, Device("CT1", site="North"), by="test")
    _stored(engine, *((f"1.{number}", "CT1") for number in range(1_203)))
    # in whatever process the next call is
    while Assigner(engine).run_once():
        pass
    assert set(_places(engine, *(f"1.{number}" for number in range(1_203)))) == {("North", "")}
    with reading(engine) as connection:
        behind = events.position(connection, READER)
    assert Assigner(engine).run_once() == 0
    with reading(engine) as connection:
        assert events.position(connection, READER) == behind
