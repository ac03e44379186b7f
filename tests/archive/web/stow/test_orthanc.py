"""Orthanc's DICOMweb plug-in as a client: it stores here, searches, and takes back what it stored."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests import made, peers
from tests.archive.web.place import Place
from tests.archive.web.stow.test_socket import served

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
pytestmark = [
    pytest.mark.interop,
    pytest.mark.parametrize("backend", ["sqlite"], indirect=True),
]


async def test_orthanc_stores_searches_and_retrieves(place: Place, tmp_path: Path) -> None:
    peers.need("Orthanc")
    if not PLUGIN.exists():
        pytest.skip("not installed: Debian package orthanc-dicomweb")
    series = made.series(tmp_path / "files", 5, name="Web^Wanda")
    async with served(place) as port:
        settings = {
            "Plugins": [str(PLUGIN)],
            "DicomWeb": {
                "Enable": True,
                "Servers": {
                    "chunked": {"Url": f"http://127.0.0.1:{port}/dicom-web", "ChunkedTransfers": True},
                    "plain": {"Url": f"http://127.0.0.1:{port}/dicom-web", "ChunkedTransfers": False},
                },
            },
        }
        await asyncio.to_thread(_exchange, peers.Orthanc(tmp_path / "orthanc", settings=settings), series)
    assert place.stored() == set(series.data_sets)
    assert place.files() == 5


def _exchange(orthanc: peers.Orthanc, series: made.Made) -> None:
    with orthanc:
        for file in series.files:
            orthanc.ask("/instances", file.read_bytes())
        (study,) = orthanc.ask("/studies")
        for server in ("chunked", "plain"):
            done = orthanc.ask(
                f"/dicom-web/servers/{server}/stow", {"Resources": [study], "Synchronous": True}
            )
            assert str(done.get("InstancesCount", done)) == "5", done
        answer: Any = orthanc.ask(
            "/dicom-web/servers/plain/qido",
            {
                "Uri": "/studies",
                "Arguments": {"00100010": "WEB*"},
                "HttpHeaders": {"Accept": "application/dicom+json"},
            },
        )
        assert series.study_uid in str(answer)
        orthanc.ask(f"/studies/{study}", method="DELETE")
        assert orthanc.ask("/studies") == []
        orthanc.ask(
            "/dicom-web/servers/plain/retrieve",
            {"Resources": [{"Study": series.study_uid}], "Synchronous": True},
        )
        (again,) = orthanc.ask("/studies")
        assert len(orthanc.ask(f"/studies/{again}/instances")) == 5
        for uid, data_set in series.data_sets.items():
            (found,) = orthanc.ask("/tools/lookup", uid.encode())
            assert made.data_set(orthanc.ask(f"/instances/{found['ID']}/file", raw=True)) == data_set
