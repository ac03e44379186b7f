"""Processes forked from a young one: what they get, what they do not, and how they end. Each test forks from a program
of its own: this one has threads."""

import subprocess
import sys
from pathlib import Path

BEGIN = """
import os, socket, sys, threading
from filmless.kit import allocator, forks
from filmless.kit.errors import Conflict
allocator.frugal()
"""


def python(code: str, *arguments: Path) -> str:
    """What a program says. Fails where it fails or takes a minute."""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_begins_with_pipes_and_sockets_and_ends_with_its_input(tmp_path: Path) -> None:
    said = python(
        """
secret = open(sys.argv[1], "w")
def run(arguments):
    [number] = arguments
    files = [f"/proc/self/fd/{one}" for one in os.listdir("/proc/self/fd")]
    held = {os.readlink(one) for one in files if os.path.lexists(one)}
    name = open("/proc/self/comm").read().strip()
    with socket.socket(fileno=int(number)) as mine:
        mine.sendall(f"{name} {sys.argv[1] in held}".encode())
    for line in sys.stdin.buffer:
        os.write(1, line.upper())
    return 7
print("said once")
parked = forks.park("a-name", run)
ours, theirs = socket.socketpair()
child = parked.begin(answers=True, files=[theirs])
theirs.close()
print(ours.recv(100).decode(), parked.waits)
child.stdin.write(b"word\\n"); child.stdin.flush()
print(child.stdout.readline().decode().strip(), child.poll())
child.stdin.close()
print(child.wait(20), child.returncode)
try:
    parked.begin()
except BrokenPipeError:
    print("begun already")
""",
        tmp_path / "open",
    )
    assert said.splitlines() == [
        "said once", "a-name False False", "WORD None", "7 7", "begun already"
    ]  # fmt: skip


def test_it_ends_where_it_is_never_told_to_begin_and_can_be_killed() -> None:
    said = python(
        """
import subprocess, time
def run(_arguments):
    raise RuntimeError
never = forks.park("never", run)
print(never.waits)
never.close()
print(never.waits)
failing = forks.park("failing", run).begin()
print(failing.wait(20))
waiting = forks.park("waiting", lambda _: time.sleep(60)).begin()
try:
    waiting.wait(0.01)
except subprocess.TimeoutExpired:
    print("runs")
waiting.terminate()
print(waiting.wait(20))
waiting.kill()
"""
    )
    assert said.split() == ["True", "False", "1", "runs", "-15"]


def test_a_process_with_threads_is_not_forked() -> None:
    said = python(
        """
print(forks.aside(os.getpid) == os.getpid())
wait = threading.Event()
thread = threading.Thread(target=wait.wait); thread.start()
print(forks.park("one", print), forks.aside(os.getpid) == os.getpid())
wait.set()
"""
    )
    assert said.split() == ["False", "None", "True"]


def test_what_happens_aside_comes_back() -> None:
    said = python(
        """
def refuse():
    raise Conflict("Not so.", code="word")
class Odd(Exception):
    def __init__(self, one, two): super().__init__(one)
def odd():
    raise Odd("a", "b")
def die():
    os._exit(1)
print(forks.aside(lambda: {"found": 3}))
for one in (refuse, odd, die):
    try:
        forks.aside(one)
    except Exception as why:
        print(type(why).__name__, why, getattr(why, "code", ""))
"""
    )
    assert said.splitlines() == [
        "{'found': 3}",
        "Conflict Not so. word",
        "Defect Odd: a ",
        "Defect a part of the program ended without a word died",
    ]


def test_what_happens_aside_ends_with_who_wanted_it() -> None:
    said = python(
        """
import signal, time
reads, writes = os.pipe()
middle = os.fork()
if not middle:
    def work():
        os.write(writes, str(os.getpid()).encode())
        time.sleep(60)
    forks.aside(work)
assert int(os.read(reads, 20)) != middle
os.kill(middle, signal.SIGKILL)
os.waitpid(middle, 0)
os.close(writes)
# the last who could write to it is gone
assert os.read(reads, 1) == b""
print("gone")
"""
    )
    assert said == "gone\n"
