"""64 senders at once, of which eight each bring one study: all is stored, once, under one patient each."""

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.peers import FilmlessServer
from tests.raw import CT, element
from tests.soak.objects import ROOT, connect, make, related

SENDERS = 64
PER_STUDY = 8


def send_all(port: int, sender: int, objects: int) -> int:
    """Series number = sender, so that senders meet in study and patient but not in UIDs."""
    study = sender // PER_STUDY
    source = random.Random(sender)
    stored = 0
    with connect(port, calling=f"SENDER{sender}", seconds=120) as association:
        for number in range(1, objects + 1):
            one = make(f"PARALLEL{study}", f"64.{study}", sender + 1, number, 2000, source)
            stored += association.store(CT, one.sop_instance, one.data).status == 0
        association.release()
    return stored


def parallel(tmp_path: Path, objects: int) -> None:
    with FilmlessServer(tmp_path / "home") as server:
        with ThreadPoolExecutor(SENDERS) as pool:
            work = [pool.submit(send_all, server.dicom_port, sender, objects) for sender in range(SENDERS)]
            stored = sum(one.result() for one in work)
        assert stored == SENDERS * objects
        with connect(server.dicom_port) as association:
            for study in range(SENDERS // PER_STUDY):
                assert related(association, f"{ROOT}.64.{study}") == PER_STUDY * objects
            studies = list(
                association.find(
                    element(0x00080052, "STUDY") + element(0x00100020, "PARALLEL*") + element(0x0020000D, "")
                )
            )
            assert len(studies) - 1 == SENDERS // PER_STUDY, "a study under two patients"
            association.release()
        check = server.cli("check")
        assert check.status == 0, check.output


def test_64_senders(tmp_path: Path) -> None:
    parallel(tmp_path, 10)


@pytest.mark.soak
def test_64_senders_of_100(tmp_path: Path) -> None:
    parallel(tmp_path, 100)
