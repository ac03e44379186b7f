"""Orthanc's DICOMweb plug-in as a client of a server as it runs, with accounts on: the token is its password."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests import made, peers, programs

from filmless.access.model import Action, Role

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
SEARCHED = {"Accept": "application/dicom+json"}


@dataclass
class Pair:
    server: peers.FilmlessServer
    orthanc: peers.Orthanc

    def post(self, verb: str, body: dict[str, Any], *, server: str = "filmless") -> Any:
        return self.orthanc.ask(f"/dicom-web/servers/{server}/{verb}", body)

    def search(self, uri: str, **keys: str) -> list[dict[str, Any]]:
        """What Orthanc tells of our answer, by tag."""
        found = self.post("qido", {"Uri": uri, "Arguments": keys, "HttpHeaders": SEARCHED})
        return list(found)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    peers.need("Orthanc")
    if not PLUGIN.exists():
        if os.environ.get("CI", "").lower() in ("true", "1"):
            pytest.fail("not installed: Debian package orthanc-dicomweb")
        pytest.skip("not installed: Debian package orthanc-dicomweb")
    folder = tmp_path_factory.mktemp("orthanc-web")
    with peers.FilmlessServer(folder / "home") as server:
        url = f"http://{peers.HOST}:{server.http_port}/dicom-web"
        known = {
            "filmless": {"Username": "orthanc", "Password": programs.token(server.home, "orthanc")},
            "reader": {
                "Username": "reader",
                "Password": programs.token(server.home, "reader", actions=(Action.SEARCH, Action.VIEW)),
            },
            "stranger": {"Username": "orthanc", "Password": "guessed"},
        }
        settings = {
            "Plugins": [str(PLUGIN)],
            "DicomWeb": {
                "Enable": True,
                "Servers": {
                    name: {"Url": url, "ChunkedTransfers": True, **more} for name, more in known.items()
                },
            },
        }
        with peers.Orthanc(folder / "orthanc", settings=settings) as orthanc:
            yield Pair(server, orthanc)


def test_it_stores_searches_and_takes_back(pair: Pair, tmp_path: Path) -> None:
    series = made.series(tmp_path / "files", 4, name="Li^Na=李^娜", patient_id="OWEB1")
    for file in series.files:
        pair.orthanc.ask("/instances", file.read_bytes())
    (study,) = pair.orthanc.ask("/studies")
    done = pair.post("stow", {"Resources": [study], "Synchronous": True})
    assert int(done["InstancesCount"]) == 4, done

    (found,) = pair.search("/studies", PatientID="OWEB1")
    assert found["0020000D"]["Value"] == series.study_uid
    # of a name in DICOM JSON Orthanc reads the alphabetic group
    assert found["00100010"]["Value"] == "Li^Na"
    (found,) = pair.search("/studies", PatientName="李*")
    assert found["00100020"]["Value"] == "OWEB1"
    assert pair.search("/studies", PatientID="NOBODY") == []
    (found,) = pair.search(f"/studies/{series.study_uid}/series", Modality="CT")
    assert found["0020000E"]["Value"] == series.series_uid
    instances = pair.search(f"/studies/{series.study_uid}/series/{series.series_uid}/instances")
    assert {one["00080018"]["Value"] for one in instances} == set(series.data_sets)

    # one series, then the whole study, each into an empty Orthanc
    for wanted in ({"Study": series.study_uid, "Series": series.series_uid}, {"Study": series.study_uid}):
        (kept,) = pair.orthanc.ask("/studies")
        pair.orthanc.ask(f"/studies/{kept}", method="DELETE")
        done = pair.post("retrieve", {"Resources": [wanted], "Synchronous": True})
        assert int(done["ReceivedInstancesCount"]) == 4, done
        for uid, data_set in series.data_sets.items():
            (again,) = pair.orthanc.ask("/tools/lookup", uid.encode())
            assert made.data_set(pair.orthanc.ask(f"/instances/{again['ID']}/file", raw=True)) == data_set


def test_what_a_token_may_not_is_refused(pair: Pair, tmp_path: Path) -> None:
    series = made.series(tmp_path / "files", 1, patient_id="OWEB2")
    made_at = pair.orthanc.ask("/instances", series.files[0].read_bytes())
    for server in ("reader", "stranger"):
        with pytest.raises(AssertionError, match="Orthanc /dicom-web/servers"):
            pair.post("stow", {"Resources": [made_at["ParentStudy"]], "Synchronous": True}, server=server)
    with pytest.raises(AssertionError, match="Orthanc /dicom-web/servers"):
        pair.post("qido", {"Uri": "/studies", "HttpHeaders": SEARCHED}, server="stranger")
    assert pair.search("/studies", PatientID="OWEB2") == []
    pair.orthanc.ask(f"/studies/{made_at['ParentStudy']}", method="DELETE")


def test_we_are_asked_as_whom_it_says(pair: Pair) -> None:
    base = f"http://{peers.HOST}:{pair.server.http_port}"
    secret = programs.token(pair.server.home, "auditor", roles=(Role.SEC,), actions=(Action.AUDIT,))
    with httpx.Client(base_url=base, headers={"Authorization": f"Bearer {secret}"}) as client:
        told = client.post("/api/audit/search", json={}).text
    assert "orthanc" in told
