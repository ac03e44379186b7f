"""C-MOVE to a dcmtk storescp and C-GET by dcmtk's getscu, both of which throw the images away."""

from __future__ import annotations

import time
from pathlib import Path

from tests.peers import HOST, Final, Running, final_response, free_port, movescu, run

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
    )
    seconds = time.perf_counter() - began
    final = final_response(done)
    if final != Final(0, images, 0, 0):
        raise AssertionError(f"{images} images were asked for: {final}")
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
