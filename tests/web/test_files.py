"""Every sample file opens in the viewer, and is on the canvas as the server renders it.

tiles.csv lists the files of which there is only a labelled tile, each with the reason. The list may only shrink: a file
that is not in it has to be shown, and one that is shown has to leave it.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pydicom
from pydicom.uid import generate_uid

from tests.peers import samples
from tests.samples.test_expected import read_table
from tests.web import looking

from .conftest import Site

if TYPE_CHECKING:
    from playwright.sync_api import Page

Opened = Callable[..., "Page"]

TILES = Path(__file__).parent / "tiles.csv"
#: grey levels between canvas and server's picture: rounding; of codecs that lose, two decoders' own ways
TOLERANCE = 1
LOSSY = {"1.2.840.10008.1.2.4.50": 4, "1.2.840.10008.1.2.4.91": 2, "1.2.840.10008.1.2.4.203": 2}
#: of long stacks every so many
STEP = 64


class File(NamedTuple):
    """A sample as it is in the archive of the test: UIDs that other samples have too are replaced."""

    path: str
    study: str
    sop: str
    syntax: str


def _patched(data: bytes, old: str, number: int) -> tuple[bytes, str] | None:
    """The same bytes with another SOP Instance UID of the same length."""
    new = f"2.25.{number}"
    new += "7" * (len(old) - len(new))
    if len(new) != len(old) or data.count(old.encode()) > 4:
        return None
    return data.replace(old.encode(), new.encode()), new


def _prepared(root: Path, out: Path) -> Iterator[File]:
    """The samples of tests/samples as files that can be in one archive together: each an object of its own, each study
    of one patient."""
    seen: set[str] = set()
    uids: set[str] = set()
    owners: dict[str, tuple[str, str]] = {}
    for number, row in enumerate(sorted(read_table(), key=lambda row: "Deeply-Nested" not in row.path)):
        if row.path.startswith("worklists/") or row.sha256 in seen or not row.sop_class:
            continue
        seen.add(row.sha256)
        data, sop, study = (root / row.path).read_bytes(), row.sop_instance, row.study
        try:
            head = pydicom.dcmread(
                root / row.path, force=True, specific_tags=["PatientID", "IssuerOfPatientID"]
            )
        except RecursionError:  # the first one, which stays as it is
            head = pydicom.FileDataset("", {})
        patient = (str(head.get("PatientID", "")), str(head.get("IssuerOfPatientID", "")))
        others = bool(study) and owners.setdefault(study, patient) != patient
        patched = _patched(data, sop, 1000 + number) if sop in uids else (data, sop)
        if patched is None or others or not (sop and study and row.series):
            whole = pydicom.dcmread(root / row.path, force=True)
            for keyword in ("StudyInstanceUID", "SeriesInstanceUID"):
                if others or not whole.get(keyword):
                    known = [str(whole.get(keyword) or number), *patient]
                    setattr(whole, keyword, generate_uid(entropy_srcs=known))
            if not row.sop_instance or row.sop_instance in uids:
                whole.SOPInstanceUID = whole.file_meta.MediaStorageSOPInstanceUID = generate_uid()
            sop, study = str(whole.SOPInstanceUID), str(whole.StudyInstanceUID)
            whole.save_as(out / f"{number}.dcm")
        else:
            data, sop = patched
            (out / f"{number}.dcm").write_bytes(data)
        uids.add(sop)
        yield File(row.path, study, sop, row.transfer_syntax)


def _listed() -> dict[str, str]:
    with TILES.open(encoding="utf-8", newline="") as lines:
        return {row["path"]: row["reason"] for row in csv.DictReader(lines)}


def _kept(site: Site) -> set[str]:
    import sqlite3

    with sqlite3.connect(site.server.home / "index.sqlite") as index:
        return {str(row[0]) for row in index.execute("SELECT sop_instance_uid FROM instances")}


def test_every_file_opens(site: Site, opened: Opened, tmp_path: Path) -> None:
    root = samples()
    files = list(_prepared(root, tmp_path))
    site.server.cli("import", tmp_path, check=False)
    kept = _kept(site)
    by_sop = {file.sop: file for file in files}
    page = opened("/studies", size=(700, 480))
    looking.begin(page)
    shown: dict[str, str] = {}
    wrong: list[str] = []
    for study in dict.fromkeys(file.study for file in files if file.sop in kept):
        for stack in looking.call(page, "walk", study, STEP):
            first = by_sop.get(stack["stack"].rpartition("/")[2])
            if "error" in stack:
                wrong.append(f"{first.path if first else stack['stack']}: {stack['error']}")
            if first and stack["what"] in ("image", "document"):
                shown[first.path] = stack["what"]
            for image in stack["images"]:
                wrong += _off(image, by_sop, shown)
    missing = {file.path for file in files} - set(shown)
    # one image of many in a stack stands for those between it and the next
    missing -= {file.path for file in files if file.path.startswith("mri-brain/")} if shown else set()
    assert not wrong, "\n".join(wrong)
    assert missing == set(_listed()), (sorted(missing - set(_listed())), sorted(set(_listed()) - missing))


def _off(image: dict[str, Any], by_sop: dict[str, File], shown: dict[str, str]) -> list[str]:
    """What is wrong with an image that was compared."""
    sop = image["frame"].partition("/instances/")[2].partition("/")[0]
    file = by_sop.get(sop)
    if file is None:
        return [f"{image['frame']} is of no file"]
    if image.get("failed"):
        shown.pop(file.path, None)
        return []
    shown[file.path] = "image"
    if image.get("drawn"):
        return []
    allowed = LOSSY.get(file.syntax, TOLERANCE)
    if image["most"] > allowed or not image["count"]:
        return [f"{file.path}: {image['most']} grey levels off in {image['off']:.1%} of {image['count']}"]
    return []
