"""pynetdicom's receiver for the comparison: writes each data set as it came, keeps no index.

Usage: python pynetdicom_scp.py PORT FOLDER
"""

import sys
from pathlib import Path

from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.events import Event


def keep(event: Event, folder: Path) -> int:
    with (folder / event.request.AffectedSOPInstanceUID).open("wb") as out:
        out.write(event.encoded_dataset())
    return 0


def main(port: str, folder: str) -> None:
    ae = AE("PYNETDICOM")
    ae.maximum_pdu_size = 131072
    ae.maximum_associations = 64
    ae.supported_contexts = AllStoragePresentationContexts
    ae.start_server(
        ("127.0.0.1", int(port)), block=True, evt_handlers=[(evt.EVT_C_STORE, keep, [Path(folder)])]
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
