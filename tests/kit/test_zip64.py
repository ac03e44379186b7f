"""ZIP archives as other programs read them, small and beyond 4 GB and 65,535 files."""

import io
import shutil
import subprocess
import zipfile
import zlib
from pathlib import Path

import pytest

from filmless.kit.zip64 import Zip


def archive_of(files: dict[str, bytes]) -> bytes:
    archive, out = Zip(), bytearray()
    for name, content in files.items():
        out += archive.begin(name, len(content), zlib.crc32(content))
        out += content
    return bytes(out + archive.end())


def test_is_read_by_others(tmp_path: Path) -> None:
    files = {"DICOM/PA000001/IM000001": b"one", "EMPTY": b"", "DICOMDIR": bytes(100_000)}
    data = archive_of(files)
    read = zipfile.ZipFile(io.BytesIO(data))
    assert read.testzip() is None
    assert {name: read.read(name) for name in read.namelist()} == files
    assert all(info.flag_bits == 0 and info.compress_type == 0 for info in read.infolist())
    if shutil.which("bsdtar"):
        # reads it as a stream, from the beginning
        listed = subprocess.run(["bsdtar", "-tf", "-"], input=data, capture_output=True, check=True)
        assert listed.stdout.decode().split() == list(files)


def test_more_files_than_sixteen_bits() -> None:
    files = {f"F{number}": b"" for number in range(66_000)}
    assert len(zipfile.ZipFile(io.BytesIO(archive_of(files))).namelist()) == 66_000


class Holes(io.RawIOBase):
    """A file of pieces at places, zeros between them: archives of many gigabytes without them."""

    def __init__(self) -> None:
        self.pieces: list[tuple[int, bytes]] = []
        self.size = self.at = 0

    def add(self, data: bytes) -> None:
        self.pieces.append((self.size, data))
        self.size += len(data)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self.at = offset + (0, self.at, self.size)[whence]
        return self.at

    def tell(self) -> int:
        return self.at

    def read(self, size: int | None = -1) -> bytes:
        end = self.size if size is None or size < 0 else min(self.at + size, self.size)
        out = bytearray(end - self.at)
        for start, data in self.pieces:
            first, last = max(start, self.at), min(start + len(data), end)
            if first < last:
                out[first - self.at : last - self.at] = data[first - start : last - start]
        self.at = end
        return bytes(out)


@pytest.mark.parametrize("large", [(1 << 32) - 2, (1 << 32) - 1, 5 << 32])
def test_large_files_and_what_follows_them(large: int) -> None:
    archive, file = Zip(), Holes()
    file.add(archive.begin("LARGE", large, 0x1234))
    file.size += large
    file.add(archive.begin("AFTER", 5, zlib.crc32(b"after")) + b"after")
    file.add(archive.end())
    read = zipfile.ZipFile(file)  # type: ignore[arg-type]
    assert [(info.filename, info.file_size, info.CRC) for info in read.infolist()] == [
        ("LARGE", large, 0x1234),
        ("AFTER", 5, zlib.crc32(b"after")),
    ]
    assert read.read("AFTER") == b"after"
    with read.open("LARGE") as stream:
        assert stream.read(10) == bytes(10)
