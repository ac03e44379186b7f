"""A traced C-STORE: file, directory entry and index are on disk before the answer leaves (strace).

Only fsync and fdatasync that have returned count, and only those before the first byte of the response is
handed to the kernel.
"""

import itertools
import random
import re
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from tests.peers import FilmlessServer, need
from tests.raw import CT
from tests.soak.objects import connect, make

CALLS = "fsync,fdatasync,openat,write,writev,pwrite64,pwritev,sendto,sendmsg,rename,renameat2,link,linkat"
#: "12  1700000000.0 fsync(9</home/store/a>) = 0", also cut in two by other threads
LINE = re.compile(r"^(?P<pid>\d+) +(?P<rest>.*)$")
RESUMED = re.compile(r"^<\.\.\. (?P<call>\w+) resumed>")
OPENED = re.compile(
    r"openat.*O_CREAT.*= \d+<(?P<path>[^>]*\.dcm)>|openat resumed>.*= \d+<(?P<later>[^>]*\.dcm)>"
)
CALL = re.compile(r"^(?P<call>\w+)\((?:AT_FDCWD, )?(?P<fd>\d+)<(?P<target>(?:->|[^>])*)>")


@dataclass(frozen=True)
class Event:
    """`began` and `ended` are line numbers: a call is done at the line where it returned."""

    call: str
    target: str
    began: int
    ended: int


def read_trace(path: Path) -> list[Event]:
    events: list[Event] = []
    open_calls: dict[tuple[str, str], tuple[str, int]] = {}
    for number, line in enumerate(path.read_text("utf-8", "replace").splitlines()):
        match = LINE.match(line)
        if match is None:
            continue
        pid, rest = match["pid"], match["rest"]
        if resumed := RESUMED.match(rest):
            target, began = open_calls.pop((pid, resumed["call"]), ("", number))
            if target and "= -1" not in rest:
                events.append(Event(resumed["call"], target, began, number))
        elif call := CALL.match(rest):
            if "<unfinished ...>" in rest:
                open_calls[pid, call["call"]] = call["target"], number
            elif "= -1" not in rest:
                events.append(Event(call["call"], call["target"], number, number))
    return events


def read_opened(path: Path) -> dict[str, int]:
    """Files of the store -> the line where their making returned."""
    found = enumerate(map(OPENED.search, path.read_text("utf-8", "replace").splitlines()))
    return {match["path"] or match["later"]: number for number, match in found if match is not None}


@pytest.mark.interop
def test_everything_is_on_disk_before_the_answer(tmp_path: Path) -> None:
    need("strace")
    trace = tmp_path / "trace"
    tracer = ("strace", "-f", "-yy", "-s", "16", "-e", f"trace={CALLS}", "-o", trace)
    server = FilmlessServer(tmp_path / "home", tracer=tracer)
    server.start(90)
    try:
        source = random.Random(3)
        with connect(server.dicom_port) as association:
            for number in (1, 2, 3):
                one = make("TRACED", "31", 1, number, 300_000, source)
                assert association.store(CT, one.sop_instance, one.data).status == 0
            association.release()
        # strace itself waits for the traced to end
        [traced] = psutil.Process(server.running.pid).children()
        traced.terminate()
        psutil.wait_procs([psutil.Process(server.running.pid)], timeout=30)
    finally:
        server.kill()
    events, opened = read_trace(trace), read_opened(trace)
    port = f":{server.dicom_port}->"
    answers = [event for event in events if event.call in ("write", "writev", "sendto", "sendmsg")]
    answers = [event for event in answers if event.target.startswith("TCP") and port in event.target]
    # A-ASSOCIATE-AC, three C-STORE responses in one write each, A-RELEASE-RP
    assert len(answers) == 5, [event.target for event in answers]
    store, index = str(server.home / "store"), str(server.home / "index.sqlite")
    for before, answer in itertools.pairwise(answers[:4]):
        done = [
            event
            for event in events
            if event.call in ("fsync", "fdatasync")
            and before.began < event.began
            and event.ended < answer.began
        ]
        blobs = [
            event for event in done if event.target.startswith(store + "/") and event.target.endswith(".dcm")
        ]
        # only a sync that began when the file was made has its entry
        folders = [
            event
            for event in done
            if blobs
            and event.target == str(Path(blobs[0].target).parent)
            and event.began > opened[blobs[0].target]
        ]
        commits = [event for event in done if event.target.startswith(index)]
        assert blobs, f"no file was synced before the answer: {done}"
        assert folders, f"no folder was synced before the answer: {done}"
        assert commits, f"no commit was synced before the answer: {done}"
        assert commits[-1].began > max(blobs[0].ended, folders[0].ended), (
            "the index knew of it before the disk did"
        )
