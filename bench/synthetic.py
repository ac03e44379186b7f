"""Fills an empty index with made-up studies, to search in: rows only, there are no files behind them.

    python -m bench.synthetic sqlite:////tmp/big/index.sqlite --studies 100000

Names are Chinese with pinyin, and western; about 40 patients to 100 studies; one to five series with one object each;
dates over ten years. The same seed makes the same index. The database is brought to the newest schema first.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, Table

from filmless.archive import store_id
from filmless.archive.tables import instances, series, studies, versions
from filmless.db import migrate
from filmless.db.engine import open_engine
from filmless.db.work import writing
from filmless.patients import names
from filmless.patients.tables import patient_sounds, patients

_FAMILY = (
    "WANG 王,LI 李,ZHANG 张,LIU 刘,CHEN 陈,YANG 杨,HUANG 黄,ZHAO 赵,WU 吴,ZHOU 周,XU 徐,SUN 孙,MA 马,ZHU 朱,"
    "HU 胡,GUO 郭,HE 何,LIN 林,GAO 高,LUO 罗,ZHENG 郑,LIANG 梁,XIE 谢,SONG 宋,TANG 唐,OUYANG 欧阳,LYU 吕"
)
_GIVEN = (
    "WEI 伟,FANG 芳,NA 娜,MIN 敏,JING 静,LI 丽,QIANG 强,LEI 磊,JUN 军,YANG 洋,YONG 勇,YAN 艳,JIE 杰,TAO 涛,"
    "MING 明,CHAO 超,XIU 秀,XIA 霞,PING 平,GANG 刚,GUI 桂,YING 英,HUA 华,DONG 东,XIAO 小,CHUN 春,HAI 海,XUE 雪"
)
_WESTERN_FAMILY = (
    "Smith Jones Müller Schmidt García Martínez Rossi Bianchi Dubois Lefèvre Novák Kowalski Johansson Hansen Virtanen"
    " Papadopoulos Ivanov Petrov O'Brien Murphy Silva Santos Nguyen Patel Singh Yılmaz Horváth Popescu"
)
_WESTERN_GIVEN = (
    "John Mary James Anna Hans Jörg María José Luca Giulia Pierre Zoë Jan Katarzyna Lars Ingrid Mikko Eleni Sergei"
    " Olga Patrick Siobhán João Ana Minh Priya Arjun Ayşe István Elena"
)
#: (pinyin, character)
FAMILY = [pair.split() for pair in _FAMILY.split(",")]
GIVEN = [pair.split() for pair in _GIVEN.split(",")]
WESTERN_FAMILY, WESTERN_GIVEN = _WESTERN_FAMILY.split(), _WESTERN_GIVEN.split()
#: modality, its storage class, descriptions
KINDS = [
    ("CT", "1.2.840.10008.5.1.4.1.1.2", ("CT Thorax", "CT Abdomen nativ", "头颅CT平扫", "胸部CT增强")),
    ("MR", "1.2.840.10008.5.1.4.1.1.4", ("MRI Brain", "MR Knee right", "颅脑MRI", "腰椎MRI")),
    ("DX", "1.2.840.10008.5.1.4.1.1.1.1", ("Chest PA", "Hand left", "胸部正位", "腰椎正侧位")),
    ("US", "1.2.840.10008.5.1.4.1.1.6.1", ("Abdomen", "Carotid duplex", "腹部超声", "甲状腺超声")),
    ("MG", "1.2.840.10008.5.1.4.1.1.1.2", ("Mammography", "乳腺钼靶")),
]
STRUCTURED_REPORT = ("SR", "1.2.840.10008.5.1.4.1.1.88.33")
DOCTORS = ("House^Gregory", "LIN^YI=林^一", "Meier^Sabine", "CHEN^JING=陈^静", "")
ROOT = "1.2.826.0.1.3680043.10.1407.9"
FIRST_DAY = date(2015, 1, 1)
DAYS = 3652


@dataclass(frozen=True)
class Made:
    """What there is to ask for."""

    patients: int
    studies: int
    series: int
    seconds: float


def patient_id(number: int) -> str:
    """The patient ID of patient `number`, counted from 1."""
    return f"{number:08d}"


def patient_name(number: int, seed: int = 1) -> str:
    """The name of patient `number`: two of three are Chinese."""
    rng = random.Random(seed * 1_000_003 + number)
    if rng.random() < 1 / 3:
        return f"{rng.choice(WESTERN_FAMILY)}^{rng.choice(WESTERN_GIVEN)}"
    family, family_sign = rng.choice(FAMILY)
    given = [rng.choice(GIVEN) for _ in range(rng.choice((1, 2, 2)))]
    pinyin = "".join(sound for sound, _ in given)
    return f"{family}^{pinyin}={family_sign}^{''.join(sign for _, sign in given)}"


def study_uid(number: int) -> str:
    """The UID of study `number`, counted from 1."""
    return f"{ROOT}.{number}"


def day(number: int) -> str:
    """The date of study `number`."""
    return (FIRST_DAY + timedelta(days=number * 7919 % DAYS)).strftime("%Y%m%d")


def patient_of(number: int) -> int:
    """The patient of study `number`: five studies to two patients, none without a study."""
    return number * 2 // 5 + 1


#: a table's rows, column by column in the order of `columns`
Rows = dict[str, list[tuple[Any, ...]]]

COLUMNS: dict[str, tuple[Table, tuple[str, ...]]] = {
    "patients": (
        patients,
        ("id", "patient_id", "issuer", "variant", "anonymous_key", "name", "name_alphabetic", "name_ideographic",
         "name_phonetic", "birth_date", "birth_time", "sex", "other_ids", "attributes", "created_at"),
    ),
    "patient_sounds": (patient_sounds, ("patient", "sound")),
    "studies": (
        studies,
        ("id", "patient", "study_uid", "study_date", "study_time", "study_id", "accession_number",
         "accession_issuer", "study_description", "study_description_key", "referring_physician_name",
         "referring_physician_key", "modalities", "sop_classes", "series_count", "instance_count", "attributes",
         "created_at", "changed_at"),
    ),
    "series": (
        series,
        ("id", "study", "series_uid", "modality", "series_number", "series_description", "series_description_key",
         "body_part_examined", "laterality", "protocol_name", "station_name", "institution_name",
         "performed_date", "performed_time", "instance_count", "attributes", "source", "created_at", "generation",
         "last_arrival_at", "settled_generation", "metadata_path"),
    ),
    "versions": (
        versions,
        ("id", "sop_instance_uid", "key", "path", "state", "transfer_syntax_uid", "size", "sha256", "offset",
         "source", "character_set", "default_issuer", "received_at"),
    ),
    "instances": (
        instances,
        ("id", "series", "sop_instance_uid", "sop_class_uid", "instance_number", "content_date", "content_time",
         "attributes", "version", "rejected", "created_at"),
    ),
}  # fmt: skip


def _element(vr: str, value: str) -> dict[str, Any]:
    return {"vr": vr, "Value": [value]}


def _dumped(elements: dict[str, Any]) -> str:
    return json.dumps(elements, ensure_ascii=False, separators=(",", ":"))


def rows(count: int, seed: int = 1, batch: int = 5_000) -> Iterator[Rows]:
    """The rows of `count` studies, `batch` studies at a time; parents never come after their children."""
    rng = random.Random(seed)
    moment = datetime(2026, 1, 1, tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    made_people = one = 0
    for start in range(1, count + 1, batch):
        out: Rows = {name: [] for name in COLUMNS}
        stop = min(start + batch, count + 1)
        while made_people < patient_of(stop - 1):
            made_people += 1
            _person(out, made_people, seed, rng, moment)
        for number in range(start, stop):
            date_of, patient = day(number), patient_of(number)
            clock = f"{rng.randrange(7, 20):02d}{rng.randrange(60):02d}{rng.randrange(60):02d}"
            modality, sop_class, words = rng.choice(KINDS)
            description, doctor = rng.choice(words), rng.choice(DOCTORS)
            parts = [(modality, sop_class)] * rng.choice((1, 1, 2, 3, 4))
            if rng.random() < 0.3:
                parts.append(STRUCTURED_REPORT)
            uid = study_uid(number)
            attributes = _dumped(
                {"00080020": _element("DA", date_of), "00080030": _element("TM", clock),
                 "00080050": _element("SH", f"A{number:09d}"), "00200010": _element("SH", str(number)),
                 "00101010": _element("AS", f"{rng.randrange(1, 99):03d}Y")}
            )  # fmt: skip
            out["studies"].append(
                (number, patient, uid, date_of, f"{clock}.000000", str(number), f"A{number:09d}", "", description,
                 names.normal(description), doctor, "=".join(names.keys(doctor)).rstrip("="),
                 "\\".join(sorted({kind for kind, _ in parts})),
                 json.dumps(sorted({one_class for _, one_class in parts})), len(parts), len(parts), attributes,
                 moment, moment)
            )  # fmt: skip
            for place, (kind, one_class) in enumerate(parts, 1):
                one += 1
                series_uid, sop_uid = f"{uid}.{place}", f"{uid}.{place}.1"
                out["series"].append(
                    (one, number, series_uid, kind, str(place), description, names.normal(description), "HEAD", "",
                     "", f"{kind}{number % 7}", "Filmless General", date_of, f"{clock}.000000", 1, "{}", f"{kind}AE",
                     moment, 1, moment, 1, "")
                )  # fmt: skip
                out["versions"].append(
                    (one, sop_uid, f"{one:032x}", f"none/{one}", "current", "1.2.840.10008.1.2.1", 1, "0" * 64, 0,
                     f"{kind}AE", "", "", moment)
                )  # fmt: skip
                out["instances"].append(
                    (one, one, sop_uid, one_class, "1", date_of, "", "{}", one, "", moment)
                )
        yield out


def _person(out: Rows, number: int, seed: int, rng: random.Random, moment: str) -> None:
    name = patient_name(number, seed)
    keys = names.keys(name)
    born = (date(1930, 1, 1) + timedelta(days=rng.randrange(32_000))).strftime("%Y%m%d")
    sex = rng.choice("MF")
    attributes = _dumped({"00100030": _element("DA", born), "00100040": _element("CS", sex)})
    out["patients"].append(
        (number, patient_id(number), "", 0, "", name, *keys, born, "", sex, "[]", attributes, moment)
    )
    out["patient_sounds"] += [(number, sound) for sound in names.sounds(name)]


def fill(engine: Engine, count: int = 100_000, seed: int = 1, home: Path | None = None) -> Made:
    """Bring the database to the newest schema and fill it; it must hold no patients yet.

    It is served on `home`, whose store stays empty; that of SQLite is the folder of the database.
    """
    if home is None and engine.dialect.name == "sqlite" and engine.url.database:
        home = Path(engine.url.database).parent
    migrate.upgrade(engine)
    began = time.perf_counter()
    totals = dict.fromkeys(COLUMNS, 0)
    with writing(engine) as connection:
        driver: Any = connection.connection.driver_connection
        if connection.exec_driver_sql("SELECT count(*) FROM patients").scalar_one():
            raise SystemExit("the index is not empty: give an empty one")
        if home is not None:
            # without files by which it could be known
            store_id.renew(connection, home / "store")
        for some in rows(count, seed):
            for name, (table, columns) in COLUMNS.items():
                totals[name] += len(some[name])
                quoted = ", ".join(f'"{column}"' for column in columns)
                if connection.dialect.name == "sqlite":
                    marks = ", ".join("?" * len(columns))
                    driver.executemany(f"INSERT INTO {table.name} ({quoted}) VALUES ({marks})", some[name])
                    continue
                with driver.cursor().copy(f"COPY {table.name} ({quoted}) FROM STDIN") as copy:
                    for row in some[name]:
                        copy.write_row(row)
        if connection.dialect.name == "postgresql":
            for table, columns in COLUMNS.values():
                if columns[0] == "id":
                    connection.exec_driver_sql(
                        f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), max(id)) FROM {table.name}"
                    )
        connection.exec_driver_sql("ANALYZE")
    seconds = time.perf_counter() - began
    return Made(totals["patients"], totals["studies"], totals["series"], seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("url", help="sqlite:////path/index.sqlite or postgresql+psycopg://...")
    parser.add_argument("--studies", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--home", type=Path, help="on which a PostgreSQL database is to be served")
    given = parser.parse_args()
    engine = open_engine(given.url)
    made = fill(engine, given.studies, given.seed, given.home)
    engine.dispose()
    print(
        f"{made.studies:,} studies of {made.patients:,} patients with {made.series:,} series in {made.seconds:.0f} s"
    )


if __name__ == "__main__":
    main()
