"""What the disk alone allows: the steps that make an object durable, without network, DICOM or index.

Each of n threads, as each of n senders does, waits for its own object: a file of an object's bytes is created, written
and synced, its folder is synced, and a row is committed to SQLite with synchronous=FULL - those that wait together in
one transaction. Nobody who promises the same before answering can be faster on this machine, in whatever language.
"""

from __future__ import annotations

import os
import queue
import sqlite3
import threading
import time
from pathlib import Path

from bench.sides import put_away

NAME = "disk alone"
DURABILITY = "file, directory and a row on disk; no network, no DICOM: the most that anybody could reach"

_ROW = "x" * 500
#: as the archive writes (archive/reception.py says why)
_PIECE = 64 << 10


def rate(folder: Path, data: bytes, images: int, senders: int) -> float:
    """Objects of `data` made durable per second by `senders` threads; the folder is taken away afterwards."""
    folder.mkdir(parents=True)
    try:
        with _Index(folder / "index.sqlite") as index:
            each = images // senders
            threads = [
                threading.Thread(target=_send, args=(folder / f"sender{at}", data, each, index))
                for at in range(senders)
            ]
            for at in range(senders):
                (folder / f"sender{at}").mkdir()
            began = time.perf_counter()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            seconds = time.perf_counter() - began
        if index.rows != each * senders:
            raise AssertionError(f"{index.rows} of {each * senders} objects were made durable")
        return index.rows / seconds
    finally:
        put_away(folder)


def _send(folder: Path, data: bytes, images: int, index: _Index) -> None:
    entries, whole = os.open(folder, os.O_RDONLY | os.O_DIRECTORY), memoryview(data)
    for number in range(images):
        file = os.open(folder / f"{number}.dcm", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        for at in range(0, len(data), _PIECE):
            os.write(file, whole[at : at + _PIECE])
        os.fsync(file)
        os.fsync(entries)
        os.close(file)
        index.commit()
    os.close(entries)


class _Index:
    """One writer; rows that wait at the same time are committed together."""

    def __init__(self, path: Path) -> None:
        self.rows = 0
        self._path = path
        self._asked: queue.SimpleQueue[threading.Event | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write)

    def commit(self) -> None:
        """Returns when a row is on disk."""
        done = threading.Event()
        self._asked.put(done)
        done.wait()

    def _write(self) -> None:
        connection = sqlite3.connect(self._path, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE object (row)")
        going = True
        while going:
            asked = [self._asked.get()]
            while not self._asked.empty():
                asked.append(self._asked.get())
            waiting = [one for one in asked if one is not None]
            going = len(waiting) == len(asked)
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO object VALUES (?)", [(_ROW,)] * len(waiting))
            connection.execute("COMMIT")
            self.rows += len(waiting)
            for one in waiting:
                one.set()
        connection.close()

    def __enter__(self) -> _Index:
        self._writer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._asked.put(None)
        self._writer.join()
