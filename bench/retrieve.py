"""C-MOVE to a dcmtk storescp and C-GET by dcmtk's getscu, both of which throw the images away."""

from __future__ import annotations

import time
from pathlib import Path

from tests.peers import HOST, Running, free_port, movescu, run

from bench.sides import DESTINATION


def destination(log: Path) -> Running:
    """The receiver of C-MOVE: takes what comes and keeps nothing."""
    port = free_port()
    return Running(
        *("storescp", "-aet", DESTINATION, "--ignore", "--fork", "-pdu", "131072", "+xa", str(port)),
        log=log,
        port=port,
    )


def move(port: int, study_uids: list[str], images: int) -> float:
    """Images per second over C-MOVE of whole studies in one request (list of UIDs)."""
    began = time.perf_counter()
    done = movescu(
        *(port, DESTINATION, "QueryRetrieveLevel=STUDY", "StudyInstanceUID=" + "\\".join(study_uids)),
        aet="BENCH",
        options=["-d"],
    )
    seconds = time.perf_counter() - began
    if done.status != 0 or "Received Final Move Response" not in done.output:
        raise AssertionError(f"movescu ended with {done.status}\n{done.output[-1500:]}")
    lines = done.output.splitlines()
    completed = [line.split(":")[-1] for line in lines if "Completed Suboperations" in line]
    if not completed or int(completed[-1]) != images:
        raise AssertionError(f"completed sub-operations: {completed[-1:]} instead of {images}")
    return images / seconds


def get(port: int, study_uids: list[str], images: int) -> float:
    """Images per second over C-GET."""
    began = time.perf_counter()
    done = run(
        *("getscu", "-v", "-S", "--ignore", "-aet", "BENCH", "-aec", "FILMLESS", "-pdu", "131072"),
        *("-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID=" + "\\".join(study_uids)),
        *(HOST, str(port)),
        seconds=600,
        check=False,
    )
    seconds = time.perf_counter() - began
    received = done.output.count("Received C-STORE Request")
    if done.status != 0 or received != images:
        raise AssertionError(f"getscu: {done.status}, {received} of {images}\n{done.output[-1500:]}")
    return images / seconds
