"""Every sample file with its expected outcome, sent as it is and taken back byte for byte.

expected.csv was made by looking at the files with dcmdump and pydicom and by the rules for what is stored, the
same object again, quarantined or refused; not by running the product. Files that clash in their UIDs have
separate homes; home "clash" shows clashes on purpose. Files of home "" have no UIDs to send them under.
"""

import csv
import hashlib
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.made import data_set
from tests.peers import FilmlessServer, samples
from tests.raw import IMPLICIT, STUDY_ROOT_FIND, STUDY_ROOT_GET, RawAssociation, element

TABLE = Path(__file__).parent / "expected.csv"


class Row(NamedTuple):
    home: str
    path: str
    sha256: str
    sop_class: str
    sop_instance: str
    study: str
    series: str
    transfer_syntax: str
    outcome: str
    status: str
    note: str

    @property
    def command_uid(self) -> str:
        """The UID of the C-STORE command: the data set's, or an invented one where it has none."""
        return self.sop_instance or f"2.25.{int(self.sha256[:24], 16)}"


def read_table() -> list[Row]:
    with TABLE.open(encoding="utf-8", newline="") as lines:
        return [Row(*line) for line in list(csv.reader(lines))[1:]]


ROWS = read_table()
HOMES = [home for home in dict.fromkeys(row.home for row in ROWS) if home]


def image_keys(row: Row) -> bytes:
    return (
        element(0x00080018, row.sop_instance)
        + element(0x00080052, "IMAGE")
        + element(0x0020000D, row.study)
        + element(0x0020000E, row.series)
    )


def test_table_covers_the_sample_files() -> None:
    root = samples()
    listed = {row.path: row.sha256 for row in ROWS}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.suffix in (".dcm", ".wl", ".query") or path.name in ("IM0", "IM631"):
            assert listed.get(name) == hashlib.sha256(path.read_bytes()).hexdigest(), name


@pytest.mark.parametrize("home", HOMES)
def test_outcomes(home: str, tmp_path: Path) -> None:
    root = samples()
    rows = [row for row in ROWS if row.home == home]
    pairs = sorted({(row.sop_class, row.transfer_syntax) for row in rows})
    contexts = [(STUDY_ROOT_FIND, [IMPLICIT]), (STUDY_ROOT_GET, [IMPLICIT])]
    contexts += [(sop_class, [syntax]) for sop_class, syntax in pairs]
    number = {pair: 2 * index + 5 for index, pair in enumerate(pairs)}
    classes = sorted({sop_class for sop_class, _ in pairs})
    wrong: list[str] = []
    with (
        FilmlessServer(tmp_path / "home") as server,
        RawAssociation(server.dicom_port, contexts, roles=classes, seconds=60) as association,
    ):
        refused = [pair for pair in pairs if not association.contexts[number[pair]]]
        assert not refused, f"not accepted: {refused}"
        for row in rows:
            answer = association.store(
                row.sop_class,
                row.command_uid,
                data_set((root / row.path).read_bytes()),
                number[row.sop_class, row.transfer_syntax],
            )
            if f"{answer.status:04X}" != row.status:
                wrong.append(f"{row.path}: {answer.status:04X} instead of {row.status} ({row.outcome})")
        assert not wrong, "\n".join(wrong)

        kept = defaultdict(set)
        for row in rows:
            kept[row.sop_instance].add(row.outcome)
        for row in rows:
            if row.outcome == "stored":
                sent = data_set((root / row.path).read_bytes())
                received, final = association.get(image_keys(row))
                if final.status != 0 or len(received) != 1:
                    wrong.append(f"{row.path}: C-GET {final.status:04X}, {len(received)} objects")
                    continue
                uid, context, data = received[0]
                if uid != row.sop_instance or context != number[row.sop_class, row.transfer_syntax]:
                    wrong.append(f"{row.path}: {uid} came back over context {context}")
                elif data != sent:
                    wrong.append(f"{row.path}: other bytes came back ({len(data)} for {len(sent)})")
            elif "stored" not in kept[row.sop_instance]:
                *answers, _ = association.find(image_keys(row))
                if answers:
                    wrong.append(f"{row.path}: {row.outcome}, and yet found")
        assert not wrong, "\n".join(wrong)
        quarantined = sum(row.outcome in ("quarantined", "refused") for row in rows)
        assert waiting_in_quarantine(server) == quarantined
        association.release()
        check = server.cli("check")
        assert check.status == 0, check.output


def waiting_in_quarantine(server: FilmlessServer) -> int:
    """What is quarantined, and refused objects of which the bytes are kept as well."""
    import sqlite3

    with sqlite3.connect(server.home / "index.sqlite") as index:
        return int(index.execute("SELECT count(*) FROM quarantine WHERE state = 'waiting'").fetchone()[0])
