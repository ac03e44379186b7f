"""kill -9 at random points during ingest: after each restart index and files agree, and nothing that was
acknowledged is missing or other than it was sent."""

import contextlib
import random
import threading
import time
from pathlib import Path

import pytest
from tests.peers import FilmlessServer
from tests.raw import CT, Closed
from tests.soak.objects import Sent, connect, make, related, study_given_back

SENDERS = 3
#: small headers and objects of several PDUs, so that the kill meets every stage
SIZES = (0, 2_000, 300_000, 600_000)


class Sender(threading.Thread):
    """Stores one study without end and keeps what was answered with Success."""

    def __init__(self, port: int, study: str, seed: int) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.study = study
        self.random = random.Random(seed)
        self.acknowledged: list[Sent] = []
        self.under_way: Sent | None = None
        self.refused: list[int] = []

    def run(self) -> None:
        with contextlib.suppress(OSError, Closed), connect(self.port) as association:
            for number in range(1, 100_000):
                size = self.random.choice(SIZES)
                one = make(f"KILL{self.study}", self.study, 1 + number % 2, number, size, self.random)
                self.under_way = one
                answer = association.store(CT, one.sop_instance, one.data)
                if answer.status:
                    self.refused.append(answer.status)
                    return
                self.acknowledged.append(one)
                self.under_way = None


def series_of_kills(tmp_path: Path, kills: int, seed: int) -> None:
    source = random.Random(seed)
    everything: dict[str, int] = {}
    server = FilmlessServer(tmp_path / "home")
    server.start()
    try:
        for turn in range(kills):
            senders = [
                Sender(server.dicom_port, f"{turn}.{at}", seed + turn * 10 + at) for at in range(SENDERS)
            ]
            for sender in senders:
                sender.start()
            deadline = time.monotonic() + 20
            while not any(sender.acknowledged for sender in senders):
                assert time.monotonic() < deadline, "nothing was acknowledged"
                time.sleep(0.005)
            # the random point; not a wait for anything
            time.sleep(source.uniform(0, 0.7))
            server.kill()
            for sender in senders:
                sender.join(30)
                assert not sender.is_alive()
                assert not sender.refused, f"refused with {sender.refused}"
            server.start()
            where = f"kill {turn} of seed {seed}"
            check = server.cli("check")
            assert check.status == 0, f"{where}: {check.output}"
            with connect(server.dicom_port) as association:
                for sender in senders:
                    verify(association, sender, where)
                    for one in sender.acknowledged[:1]:
                        everything[one.study] = related(association, one.study)
                association.release()
        with connect(server.dicom_port) as association:
            assert {study: related(association, study) for study in everything} == everything
            association.release()
        assert sum(everything.values()) >= kills
        assert server.stop() == 0
    finally:
        server.kill()


def verify(association: object, sender: Sender, where: str) -> None:
    """Every acknowledged object is there as it was sent; one more may be, whose answer was under way."""
    if not sender.acknowledged:
        return
    kept = study_given_back(association, sender.acknowledged[0].study)  # type: ignore[arg-type]
    for one in sender.acknowledged:
        assert kept.pop(one.sop_instance, None) == one.data, f"{where}: {one.sop_instance} is not as sent"
    if kept:
        assert sender.under_way is not None, f"{where}: {len(kept)} objects that were never sent"
        assert kept == {sender.under_way.sop_instance: sender.under_way.data}, where


def test_kill_during_ingest(tmp_path: Path) -> None:
    series_of_kills(tmp_path, 4, seed=random.randrange(1 << 30))


@pytest.mark.soak
def test_hundred_kills_during_ingest(tmp_path: Path) -> None:
    series_of_kills(tmp_path, 100, seed=random.randrange(1 << 30))
