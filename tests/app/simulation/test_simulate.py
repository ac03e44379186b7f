"""Simulated devices against a real server: what is sent, what is lost and comes later, what is discontinued."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests import peers
from tests.department import hospital as made
from tests.department.hospital import DESK, Hospital, outpatient

from filmless.app.index import open_index
from filmless.app.settings import load
from filmless.app.simulation.modality import Modality, Way
from filmless.app.trail import open_trail
from filmless.db.work import reading, writing
from filmless.department import exams, registration, tasks
from filmless.department.identity_check import Shown
from filmless.department.orders import Wanted
from filmless.department.registration import Arrival


def test_lost_images_are_told_and_found(tmp_path: Path) -> None:
    """Scenario 4 of the department's day: three images are lost, there is an alarm, they are sent again."""
    server = peers.FilmlessServer(tmp_path / "home", settings="[department]\ntransfer_seconds = 1\n")
    settings = load(server.home, environment={})
    with open_index(settings, create=True) as engine, open_trail(settings, engine, "test") as trail:
        try:
            at_desk = Hospital(trail)
            with writing(engine) as connection:
                made.found(connection)
                person = at_desk.person(connection, "王𠮷㐂")
                arrival = Arrival(station="CT1", identity=Shown("two-identifiers"))
                _, (head, chest) = registration.walk_in(
                    connection,
                    outpatient(person),
                    (Wanted("CT-HEAD"), Wanted("CT-CHEST")),
                    at_desk.acting("REG"),
                    DESK,
                    arrival,
                )
            server.start()

            def state(exam_id: int) -> tuple[str, str]:
                with reading(engine) as connection:
                    exam = exams.get(connection, exam_id)
                    return exam.state.value, exam.images

            device = Modality("127.0.0.1", server.dicom_port, "CT1", way=Way(images=6, lost=3))
            (first,) = asyncio.run(device.work(1, only=[head.number]))
            assert (first.images, first.sent, first.committed) == (6, 3, 3)
            peers.eventually(lambda: state(head.id) == ("E50", "mismatch"), "the alarm", 30)
            with reading(engine) as connection:
                (task,) = tasks.open_tasks(connection, exam=head.id)
            assert task.kind == "images-missing"
            assert set(task.body["missing"]) == {str(one.SOPInstanceUID) for one in first.unsent}
            asyncio.run(device.send(first.unsent, first))
            peers.eventually(lambda: state(head.id) == ("E60", "complete"), "verified", 30)

            stopping = Modality(
                "127.0.0.1", server.dicom_port, "CT1", way=Way(images=2, discontinue="110514", commit=False)
            )
            (second,) = asyncio.run(stopping.work(5))
            assert second.number == chest.number
            assert state(chest.id)[0] == "X30"
            with reading(engine) as connection:
                kinds = [one.kind for one in tasks.open_tasks(connection)]
            assert kinds == ["wrong-worklist-entry"]
            assert asyncio.run(stopping.worklist()) == []
        finally:
            server.stop()
