"""A small hospital of made-up objects: written to an index as rows, and kept as plain dicts for the oracle."""

import random
from typing import Any

from sqlalchemy import Connection, insert

from filmless.archive import levels
from filmless.archive.tables import attribute_values, instances, series, studies, versions
from filmless.kit import clock
from filmless.patients import names, sounds
from filmless.patients.tables import patients

NAMES = [
    "WANG^XIAODONG=王^小东",
    "Wang^Xiao Dong=王^晓东",
    "WANG^DONGXIAO=王^东晓",
    "ZHANG^WEI=张^伟",
    "Zheng^Wei=郑^伟",
    "LI^NA=李^娜",
    "LÜ^BU=吕^布",
    "Ouyang^Feng=欧阳^锋",
    "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
    "Hong^Gildong=洪^吉洞=홍^길동",
    "王^小东",
    "Müller^Jörg",
    "MULLER^JORG^^Dr.",
    "Buc^Jérôme",
    "Smith^John",
    "SMITH^JOAN^Q",
    "Smyth^Jon",
    "O'Brien^Pat",
    "Łukasz^Øyvind",
    "Doe",
    "A[b]c^100%_real",
    "",
]
DOCTORS = ["House^Gregory", "LIN^YI=林^一", "Ming=明", ""]
DESCRIPTIONS = ["CT Thorax", "ct thorax nativ", "MRT Schädel", "头颅CT平扫", "", "X [1]*"]


def person(rng: random.Random, number: int) -> dict[int, Any]:
    return {
        0x00100010: NAMES[number % len(NAMES)],
        0x00100020: f"P{number:04d}" if number % 9 else f"p{number:04d}_x",
        0x00100021: rng.choice(["", "HOSP-A", "HOSP-B"]),
        0x00100030: rng.choice(["19500101", "19800229", "20011231", ""]),
        0x00100040: rng.choice(["M", "F", "O", ""]),
    }


def hospital(seed: int = 1) -> list[dict[int, Any]]:
    """One dict per object: tag -> text, or the items of a sequence as dicts. "rejected" is the code under tag 0."""
    rng = random.Random(seed)
    objects = []
    for p in range(46):
        patient = person(rng, p)
        for s in range(rng.choice([1, 1, 2, 3])):
            study_uid = f"1.2.3.{p}.{s}"
            codes = rng.sample(["CTTHOR", "MRHEAD", "USABD"], rng.choice([0, 1, 2]))
            study = {
                **patient,
                0x0020000D: study_uid,
                0x00080020: rng.choice(["20230105", "20240229", "20240301", "20240302", ""]),
                0x00080030: rng.choice(["0830", "083059.5", "120000.000000", "2359", ""]),
                0x00080050: rng.choice(["", f"ACC{p}{s}", f"acc{p}{s}"]),
                0x00200010: str(s),
                0x00081030: rng.choice(DESCRIPTIONS),
                0x00080090: rng.choice(DOCTORS),
                0x00081032: [{0x00080100: code, 0x00080102: rng.choice(["99LOCAL", "LN"])} for code in codes],
            }
            for e in range(rng.choice([1, 2, 3])):
                modality = rng.choice(["CT", "MR", "SR", "US", "PT", ""])
                steps = [
                    {0x00400009: f"SPS{rng.randrange(6)}", 0x00401001: f"RP{rng.randrange(3)}"}
                    for _ in range(rng.choice([0, 1, 2]))
                ]
                one_series = {
                    **study,
                    0x0020000E: f"{study_uid}.{e}",
                    0x00080060: modality,
                    0x00200011: rng.choice(["1", "2", "003", ""]),
                    0x0008103E: rng.choice(DESCRIPTIONS),
                    0x00180015: rng.choice(["HEAD", "CHEST", ""]),
                    0x00400244: rng.choice(["20240301", "20240302", ""]),
                    0x00400245: rng.choice(["0900", "1800", ""]),
                    0x00400275: steps,
                }
                objects += [
                    {
                        **one_series,
                        0: rng.choices(["", "113001", "113039"], [12, 2, 1])[0],
                        0x00080018: f"{study_uid}.{e}.{i}",
                        0x00080016: f"1.2.840.10008.5.1.4.1.1.{rng.choice([2, 4, 7])}",
                        0x00200013: str(i + 1),
                        0x00280010: rng.choice(["512", "256", ""]),
                    }
                    for i in range(rng.choice([1, 2, 4]))
                ]
    return objects


def _json(value: Any) -> dict[str, Any]:
    if isinstance(value, list):
        return {
            "vr": "SQ",
            "Value": [
                {f"{tag:08X}": {"vr": "SH", "Value": [text]} for tag, text in item.items()} for item in value
            ],
        }
    return {"vr": "LO", "Value": [value]} if value else {"vr": "LO"}


def _attributes(one: dict[int, Any], tags: tuple[int, ...]) -> dict[str, Any]:
    return {
        f"{tag:08X}": _json(one[tag]) for tag in tags if tag in one and tag not in (0x00100010, 0x00080090)
    }


def _time(text: str) -> str:
    return levels.time_value(text, 0, lambda _tag, _text: None)


def _number(text: str) -> int | None:
    return int(text) if text else None


def write(connection: Connection, objects: list[dict[int, Any]]) -> None:
    """Rows of all levels, with the counts that ingest and rejection keep."""
    now = clock.now()
    seen: dict[tuple[str, ...], int] = {}

    def inside(tag: int, value: str) -> list[dict[int, Any]]:
        return [one for one in objects if one[tag] == value and one[0] == ""]

    def values(level: str, owner: int, one: dict[int, Any]) -> None:
        for tag, (at, path, keywords) in levels.SEQUENCES.items():
            for number, item in enumerate(one.get(tag, ())):
                for inner, text in item.items():
                    if at == level:
                        connection.execute(
                            insert(attribute_values).values(
                                level=level,
                                owner=owner,
                                path=f"{path}.{keywords[inner]}",
                                item=str(number),
                                value=text,
                            )
                        )

    for one in objects:
        key = ("p", one[0x00100020])
        if key not in seen:
            groups = names.keys(one[0x00100010])
            seen[key] = connection.execute(
                insert(patients).values(
                    patient_id=one[0x00100020],
                    issuer=one[0x00100021],
                    name=one[0x00100010],
                    name_alphabetic=groups.alphabetic,
                    name_ideographic=groups.ideographic,
                    name_phonetic=groups.phonetic,
                    birth_date=one[0x00100030],
                    sex=one[0x00100040],
                    other_ids=[],
                    attributes=_attributes(one, levels.PATIENT),
                    created_at=now,
                )
            ).inserted_primary_key[0]
            sounds.write(connection, seen[key], one[0x00100010])
        patient = seen[key]
        key = ("s", one[0x0020000D])
        if key not in seen:
            shown = inside(0x0020000D, one[0x0020000D])
            seen[key] = connection.execute(
                insert(studies).values(
                    patient=patient,
                    study_uid=one[0x0020000D],
                    study_date=one[0x00080020],
                    study_time=_time(one[0x00080030]),
                    study_id=one[0x00200010],
                    accession_number=one[0x00080050],
                    study_description=one[0x00081030],
                    study_description_key=names.normal(one[0x00081030]),
                    referring_physician_name=one[0x00080090],
                    referring_physician_key="=".join(names.keys(one[0x00080090])).rstrip("="),
                    modalities="\\".join(sorted({o[0x00080060] for o in shown} - {""})),
                    sop_classes=sorted({o[0x00080016] for o in shown}),
                    series_count=len({o[0x0020000E] for o in shown}),
                    instance_count=len(shown),
                    attributes=_attributes(one, levels.STUDY),
                    created_at=now,
                    changed_at=now,
                )
            ).inserted_primary_key[0]
            values("study", seen[key], one)
        study = seen[key]
        key = ("e", one[0x0020000E])
        if key not in seen:
            seen[key] = connection.execute(
                insert(series).values(
                    study=study,
                    series_uid=one[0x0020000E],
                    modality=one[0x00080060],
                    series_number=one[0x00200011],
                    series_description=one[0x0008103E],
                    series_description_key=names.normal(one[0x0008103E]),
                    body_part_examined=one[0x00180015],
                    performed_date=one[0x00400244],
                    performed_time=_time(one[0x00400245]),
                    instance_count=len(inside(0x0020000E, one[0x0020000E])),
                    attributes=_attributes(one, levels.SERIES),
                    created_at=now,
                    last_arrival_at=now,
                )
            ).inserted_primary_key[0]
            values("series", seen[key], one)
        uid = one[0x00080018]
        version_ids = [
            connection.execute(
                insert(versions).values(
                    sop_instance_uid=uid,
                    key=f"{state}{uid}",
                    path=f"{state}/{uid}",
                    state=state,
                    transfer_syntax_uid="1.2.840.10008.1.2.1",
                    size=100,
                    sha256="0" * 64,
                    offset=300,
                    source="TEST",
                    received_at=now,
                )
            ).inserted_primary_key[0]
            for state in ("superseded", "current")
        ]
        connection.execute(
            insert(instances).values(
                series=seen[key],
                sop_instance_uid=uid,
                sop_class_uid=one[0x00080016],
                instance_number=one[0x00200013],
                rows=_number(one[0x00280010]),
                attributes=_attributes(one, levels.INSTANCE),
                version=version_ids[-1],
                rejected=one[0],
                created_at=now,
            )
        )
