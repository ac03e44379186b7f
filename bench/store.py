"""C-STORE: how many images per second each side takes from dcmtk's storescu."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from tests.peers import ENVIRONMENT


def storescu(port: int, files: Sequence[Path], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as out:
        return subprocess.Popen(
            [
                *("storescu", "-v", "-aet", "BENCH", "-aec", "FILMLESS", "--max-send-pdu", "131072"),
                *("-R", "127.0.0.1", str(port)),
                *map(str, files),
            ],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=ENVIRONMENT,
        )


def send(port: int, studies: Sequence[Sequence[Path]], senders: int, logs: Path) -> float:
    """Sends all studies from `senders` parallel storescu; seconds from the first start to the last end.

    Raises AssertionError unless every image was answered with Success.
    """
    shares = [[file for study in studies[at::senders] for file in study] for at in range(senders)]
    shares = [share for share in shares if share]
    logs.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    running = [storescu(port, share, logs / f"sender{at}.log") for at, share in enumerate(shares)]
    try:
        for process in running:
            process.wait(600)
    finally:
        for process in running:
            if process.poll() is None:
                process.kill()
    seconds = time.perf_counter() - began
    images = sum(len(share) for share in shares)
    answered = 0
    for at in range(len(shares)):
        answered += (logs / f"sender{at}.log").read_bytes().count(b"Received Store Response (Success)")
    if answered != images:
        tail = (logs / "sender0.log").read_text("utf-8", "replace")[-500:]
        raise AssertionError(f"{answered} of {images} images were answered with Success\n{tail}")
    return seconds
