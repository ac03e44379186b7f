"""C-STORE from senders that cost next to nothing, as scanners do that are machines of their own.

dcmtk's storescu takes 0.8 ms of processor time for an image of 527 kB, on the same two cores as the server. These
take a tenth of it: the files lie in memory, and each message is one call of sendmsg over views of them. As before,
a sender has one image under way at a time and waits for its answer.

    python -m bench.bare PORT CALLED < a JSON list, for each sender the paths of its files
"""

from __future__ import annotations

import gc
import json
import mmap
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.raw import CT, DATA, EXPLICIT, RawAssociation, command_set, pdata

from filmless.dicom import part10


@dataclass(frozen=True)
class Image:
    sop_instance_uid: str
    data_set: memoryview


def load(path: Path) -> Image:
    """A file in memory, its pages read."""
    with path.open("rb") as file:
        meta = part10.read_meta(file)
        if (meta.sop_class_uid, meta.transfer_syntax_uid) != (CT, EXPLICIT):
            raise ValueError(f"{path.name} is no CT image in explicit VR little endian")
        data = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ, flags=mmap.MAP_SHARED | mmap.MAP_POPULATE)
    return Image(meta.sop_instance_uid, memoryview(data)[meta.data_set_offset :])


def message(context: int, number: int, image: Image, maximum: int) -> list[bytes | memoryview]:
    """A C-STORE request (PS3.7 9.1.1, PS3.8 9.3.5) as pieces to be sent one after the other."""
    command = command_set(
        {0x0002: CT, 0x0100: 1, 0x0110: number, 0x0700: 0, 0x0800: 1, 0x1000: image.sop_instance_uid}
    )
    pieces: list[bytes | memoryview] = [pdata(context, command, command=True)]
    room, data = maximum - 6, image.data_set
    for at in range(0, len(data), room):
        piece = data[at : at + room]
        last = 2 if at + room >= len(data) else 0
        pieces += [struct.pack(">BxIIBB", DATA, len(piece) + 6, len(piece) + 2, context, last), piece]
    return pieces


def send_all(to: socket.socket, pieces: Sequence[bytes | memoryview]) -> None:
    """sendmsg until everything is sent."""
    wanted = sum(map(len, pieces))
    sent = to.sendmsg(pieces)
    if sent < wanted:
        to.sendall(memoryview(b"".join(pieces))[sent:])


class Sender:
    """One association and its images."""

    def __init__(self, port: int, called: str, paths: Sequence[Path]) -> None:
        self.images = [load(path) for path in paths]
        self.association = RawAssociation(
            port, [(CT, [EXPLICIT])], calling="BENCH", called=called, seconds=120
        )
        #: no larger than storescu is told to send
        self.maximum = min(self.association.maximum or 131072, 131072)
        self.refused = 0

    def run(self) -> None:
        association = self.association
        context = association.context(CT)
        for number, image in enumerate(self.images, 1):
            send_all(association.socket, message(context, number % 65535, image, self.maximum))
            self.refused += association.read_message().status != 0


def main() -> int:
    port, called = int(sys.argv[1]), sys.argv[2]
    shares: list[list[str]] = json.loads(sys.stdin.readline())
    senders = [Sender(port, called, [Path(path) for path in share]) for share in shares]
    threads = [threading.Thread(target=sender.run) for sender in senders]
    gc.freeze()
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    for sender in senders:
        sender.association.release()
    print(json.dumps({"seconds": seconds, "refused": sum(sender.refused for sender in senders)}))
    return 0


def send(port: int, called: str, studies: Sequence[Sequence[Path]], senders: int) -> float:
    """Sends all studies from `senders` associations; seconds from the first command to the last answer.

    Raises AssertionError unless every image was answered with Success.
    """
    shares = [[str(file) for study in studies[at::senders] for file in study] for at in range(senders)]
    done = subprocess.run(
        [sys.executable, "-m", "bench.bare", str(port), called],
        input=json.dumps([share for share in shares if share]) + "\n",
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    if done.returncode:
        raise AssertionError(f"the senders failed: {done.stderr[-500:]}")
    answer = json.loads(done.stdout)
    if answer["refused"]:
        raise AssertionError(f"{answer['refused']} images were not answered with Success")
    return float(answer["seconds"])


if __name__ == "__main__":
    sys.exit(main())
