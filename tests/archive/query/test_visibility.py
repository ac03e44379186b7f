"""Nobody finds, counts or fetches what is not open to him: every principal against brute force, on both databases."""

import itertools
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
from bench import synthetic
from sqlalchemy import Engine, event, insert, text
from tests import peers, postgres
from tests.archive.query import objects, oracle
from tests.archive.query.test_against_oracle import (
    CLASSES,
    HOSPITAL,
    ID,
    ISSUER,
    MODALITIES,
    SERIES,
    STUDY,
    asked,
    find,
)

from filmless.access.account_tables import accounts
from filmless.access.model import (
    ENGINEER,
    SYSTEM,
    Action,
    Grant,
    Principal,
    Role,
    Scope,
    account_principal,
    device_principal,
    permit,
    share_principal,
    used_by,
)
from filmless.access.tables import break_glass, patient_care, shared_studies, study_access
from filmless.archive.query import LEVELS, Options, count, instances_of, understand, visible, visible_at
from filmless.archive.query.keys import TABLES, Level
from filmless.archive.query.search import prepare
from filmless.db.engine import open_engine
from filmless.db.work import reading, writing
from filmless.kit import clock

IMAGE = 0x00080018
_numbers = itertools.count(1)
LI, WANG, NOBODY = 1, 2, 3


@dataclass
class Belongs:
    site: str
    department: str
    ward: str
    requested_by: int | None
    sensitive: bool


def _belongs() -> dict[str, Belongs]:
    """Two thirds of the studies have been assigned; what has not belongs to nobody."""
    rng = random.Random(7)
    made = {}
    for uid in sorted({one[STUDY] for one in HOSPITAL}):
        if rng.random() < 0.67:
            made[uid] = Belongs(
                rng.choice(["North", "South", ""]),
                rng.choice(["Radiology", "Cardiology", ""]),
                rng.choice(["W1", "W2", ""]),
                rng.choice([LI, WANG, None, None]),
                sensitive=rng.random() < 0.25,
            )
    return made


BELONGS = _belongs()
UNASSIGNED = Belongs("", "", "", None, sensitive=False)
PATIENTS = sorted({(one[ID], one[ISSUER]) for one in HOSPITAL})
STUDIES = sorted({one[STUDY] for one in HOSPITAL})
#: (patient, account, ward, hours from now until it ends)
CARE = [
    (PATIENTS[3], LI, "", None),
    (PATIENTS[4], LI, "", 5),
    (PATIENTS[5], LI, "", -1),
    (PATIENTS[6], 0, "W1", None),
    (PATIENTS[7], 0, "W2", None),
    (PATIENTS[8], WANG, "", None),
    # the ID is known, the issuer is another
    ((PATIENTS[9][0], "ELSEWHERE"), LI, "", None),
]
SENSITIVE = sorted(uid for uid, one in BELONGS.items() if one.sensitive)
#: (account, study, patient, hours)
GLASS = [
    (WANG, SENSITIVE[0], ("", ""), 1),
    (WANG, SENSITIVE[1], ("", ""), -1),
    (WANG, "", PATIENTS[12], 1),
    (NOBODY, "", PATIENTS[13], -1),
    (NOBODY, SENSITIVE[2], ("", ""), 1),
]
#: (account, study, hours, revoked)
SHARED = [
    (WANG, STUDIES[20], 5, False),
    (WANG, STUDIES[21], -5, False),
    (WANG, STUDIES[22], 5, True),
    (LI, SENSITIVE[3], 5, False),
]


def _write_access(engine: Engine) -> None:
    now = clock.now()
    with writing(engine) as connection:
        objects.write(connection, HOSPITAL)
        for number, name in ((LI, "li"), (WANG, "wang"), (NOBODY, "nobody")):
            connection.execute(insert(accounts).values(id=number, name=name, wards=[], created_at=now))
        for uid, one in BELONGS.items():
            connection.execute(insert(study_access).values(study_uid=uid, changed_at=now, **vars(one)))
        for (patient, issuer), account, ward, hours in CARE:
            until = None if hours is None else now + timedelta(hours=hours)
            connection.execute(
                insert(patient_care).values(
                    patient_id=patient,
                    issuer=issuer,
                    account_id=account,
                    ward=ward,
                    until=until,
                    changed_at=now,
                )
            )
        for account, uid, (patient, issuer), hours in GLASS:
            connection.execute(
                insert(break_glass).values(
                    account_id=account,
                    study_uid=uid,
                    patient_id=patient,
                    issuer=issuer,
                    reason="emergency",
                    at=now,
                    until=now + timedelta(hours=hours),
                )
            )
        for account, uid, hours, revoked in SHARED:
            connection.execute(
                insert(shared_studies).values(
                    study_uid=uid,
                    account_id=account,
                    at=now,
                    until=now + timedelta(hours=hours),
                    shared_by="chen",
                    revoked_at=now if revoked else None,
                )
            )


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def hospital(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The small hospital with all that says who may see what; for reading only."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("hospital") / "index.sqlite"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        engine = open_engine(f"sqlite:///{path}")
    else:
        template = request.getfixturevalue("postgres_template")
        server = request.getfixturevalue("postgres_server")
        engine = open_engine(postgres.make_database(server, f"hospital_{next(_numbers)}", template))
    _write_access(engine)
    yield engine
    engine.dispose()


def everywhere(role: Role, **scope: Any) -> Grant:
    lists = {name: frozenset(value) if isinstance(value, set) else value for name, value in scope.items()}
    return Grant(role, Scope(**lists))


def account(
    number: int, *grants: Grant, wards: tuple[str, ...] = (), only: set[Action] | None = None
) -> Principal:
    return account_principal(
        {LI: "li", WANG: "wang", NOBODY: "nobody"}[number], number, grants, wards=wards, only=only
    )


PRINCIPALS: dict[str, Principal] = {
    "system": SYSTEM,
    "engineer": ENGINEER,
    "device": device_principal("WS"),
    "quality-device": device_principal("QC", quality_control=True),
    "device-of-a-site": device_principal("WS", scope=Scope(sites=frozenset({"North"}))),
    "device-with-sensitive": device_principal("WS", scope=Scope(sensitive=True)),
    "device-of-a-modality": device_principal("WS", scope=Scope(modalities=frozenset({"CT", "US"}))),
    "no-grants": account(NOBODY),
    "administrator": account(NOBODY, Grant(Role.ADM)),
    "officer": account(LI, Grant(Role.SEC), wards=("W1",)),
    "registrar": account(NOBODY, Grant(Role.REG)),
    "reader": account(NOBODY, Grant(Role.RES)),
    "reader-with-care": account(LI, Grant(Role.ATT), wards=("W2",)),
    "reader-with-sensitive": account(WANG, everywhere(Role.ATT, sensitive=True)),
    "reader-of-a-site": account(LI, everywhere(Role.RES, sites={"North"})),
    "reader-of-sites-and-departments": account(
        WANG, everywhere(Role.RES, sites={"North", "South"}, departments={"Cardiology"})
    ),
    "reader-of-a-modality": account(LI, everywhere(Role.RES, modalities={"MR"})),
    "reader-of-all-kinds": account(
        LI, everywhere(Role.RES, sites={"South"}, departments={"Radiology"}, modalities={"CT", "PT"}), wards=("W1",)
    ),
    "own-at-a-site": account(LI, everywhere(Role.CLI, sites={"North"}, own_patients=True), wards=("W1", "W2")),
    "clinician": account(LI, Grant(Role.CLI)),
    "clinician-of-a-ward": account(NOBODY, Grant(Role.CLI), wards=("W1",)),
    "clinician-of-a-department": account(LI, everywhere(Role.CLI, departments={"Cardiology"})),
    "clinician-of-both": account(LI, everywhere(Role.CLI, departments={"Cardiology"}), Grant(Role.CLI), wards=("W2",)),
    "consultant": account(WANG, Grant(Role.RCO)),
    "consultant-with-nothing": account(NOBODY, replace(Grant(Role.RCO), scope=Scope(sites=frozenset({"North"})))),
    "expired": account(LI, Grant(Role.ATT, until=clock.now() - timedelta(seconds=1))),
    "delegated": account(NOBODY, Grant(Role.ATT, until=clock.now() + timedelta(hours=1))),
    "token-to-store": account(LI, Grant(Role.ATT), only={Action.STORE}),
    "token-to-see": account(LI, Grant(Role.ATT), only={Action.SEARCH, Action.VIEW}),
    "quality-officer-of-a-site": account(NOBODY, everywhere(Role.QC, sites={"South"})),
    "quality-officer": account(WANG, Grant(Role.QC)),
    "quality-officer-of-a-modality": account(NOBODY, everywhere(Role.QC, modalities={"CT"})),
    "reader-of-a-site-quality-of-another": account(
        NOBODY, everywhere(Role.RES, sites={"North"}), everywhere(Role.QC, sites={"South"})
    ),
    "reader-at-a-device": used_by(
        account(WANG, everywhere(Role.ATT, sensitive=True)), scope=Scope(), quality_control=False
    ),
    "reader-at-a-device-of-a-site": used_by(
        account(LI, Grant(Role.ATT), wards=("W1",)),
        scope=Scope(sites=frozenset({"North"}), sensitive=True),
        quality_control=False,
    ),
    "quality-officer-at-a-device": used_by(account(WANG, Grant(Role.QC)), scope=Scope(), quality_control=True),
    "clinician-at-a-device": used_by(account(WANG, Grant(Role.CLI)), scope=Scope(), quality_control=False),
    "clerk-who-exports": permit(account(WANG, everywhere(Role.FLM, sites={"South"})), Action.EXPORT),
    "share": share_principal("one", STUDIES[2], download=False),
    "share-of-a-sensitive": share_principal("two", SENSITIVE[0], download=True),
    "share-of-nothing": share_principal("three", "9.9.9", download=True),
}  # fmt: skip


def _random_principals() -> dict[str, Principal]:
    rng = random.Random(11)
    roles = [Role.RES, Role.ATT, Role.QC, Role.CLI, Role.FLM, Role.RCO, Role.ADM, Role.PAD, Role.TEC]

    def some(*values: str) -> frozenset[str] | None:
        return frozenset(rng.sample(values, rng.choice([1, 2]))) if rng.random() < 0.4 else None

    made = {}
    for number in range(6):
        grants = [
            Grant(
                rng.choice(roles),
                Scope(
                    some("North", "South", ""),
                    some("Radiology", "Cardiology", ""),
                    some("CT", "MR", "US", "SR", "PT"),
                    own_patients=rng.random() < 0.3,
                    shared_only=rng.random() < 0.1,
                    sensitive=rng.random() < 0.3,
                ),
            )
            for _ in range(rng.choice([1, 1, 2, 3]))
        ]
        wards = tuple(rng.sample(["W1", "W2"], rng.choice([0, 1, 2])))
        made[f"random-{number}"] = account(rng.choice([LI, WANG, NOBODY]), *grants, wards=wards)
    return made


EVERYBODY = PRINCIPALS | _random_principals()


def _is_open(principal: Principal, study: str, action: Action = Action.VIEW) -> bool:
    """Whether a study is open, by what department.md and the house's rules say; written apart from the code."""
    inside = [one for one in HOSPITAL if one[STUDY] == study]
    patient = (inside[0][ID], inside[0][ISSUER])
    of = BELONGS.get(study, UNASSIGNED)
    if principal.only is not None and action not in principal.only:
        return False
    device = principal.within
    if device is not None and (
        (of.sensitive and not device.sensitive)
        or (device.sites is not None and (study not in BELONGS or of.site not in device.sites))
    ):
        return False
    if principal.unlimited or principal.study == study:
        return True
    if principal.study:
        return False
    who = principal.account
    own = bool(who) and (of.requested_by == who or of.ward in principal.wards)
    for cared_for, by, ward, hours in CARE:
        in_time = hours is None or hours > 0
        own = own or (
            bool(who) and in_time and cared_for == patient and (by == who or ward in principal.wards)
        )
    opened = any(
        by == who and uid == study and hours > 0 and not revoked for by, uid, hours, revoked in SHARED
    )
    opened = opened or any(
        by == who and hours > 0 and (uid == study or of_patient == patient)
        for by, uid, of_patient, hours in GLASS
    )
    in_force = {one[0x00080060] for one in oracle.seen(inside, principal.quality_control)}
    seeing = {"RES", "ATT", "CHF", "TEC", "QC", "PAD", "FLM", "CLI", "RCO", "DEV"}
    if action is Action.SEARCH:
        seeing = seeing | {"REG"}
    grants = [
        one
        for one in principal.grants
        if one.role.value in seeing and (one.until is None or one.until > clock.now())
    ]
    for grant in grants:
        scope = grant.scope
        only_own = scope.own_patients or (grant.role is Role.CLI and not scope.departments)
        only_shared = scope.shared_only or grant.role is Role.RCO
        fits = (
            (scope.sites is None or of.site in scope.sites)
            and (scope.departments is None or of.department in scope.departments)
            and (scope.modalities is None or bool(in_force & scope.modalities))
            and (own or not only_own)
            and not only_shared
        )
        # what nobody has written is of no site, not even of the one without a name
        if study not in BELONGS and (scope.sites is not None or scope.departments is not None):
            fits = False
        if fits and (not of.sensitive or scope.sensitive or own):
            return True
    return bool(grants) and opened and principal.opened


@cache
def _open_objects(principal: Principal, action: Action = Action.VIEW) -> list[dict[int, Any]]:
    open_studies = {uid for uid in STUDIES if _is_open(principal, uid, action)}
    return [one for one in oracle.seen(HOSPITAL, principal.quality_control) if one[STUDY] in open_studies]


NAMED = pytest.mark.parametrize("principal", EVERYBODY.values(), ids=EVERYBODY.keys())


def test_the_small_hospital_tells_principals_apart() -> None:
    seen = {name: frozenset(one[IMAGE] for one in _open_objects(who)) for name, who in PRINCIPALS.items()}
    assert len(set(seen.values())) > 22
    empty = {name for name, found in seen.items() if not found}
    assert empty == {
        "no-grants", "administrator", "officer", "expired", "token-to-store", "share-of-nothing", "registrar",
    }  # fmt: skip
    assert seen["consultant"] < seen["reader-with-sensitive"]


@NAMED
def test_a_search_finds_what_is_open(hospital: Engine, principal: Principal) -> None:
    open_ones = _open_objects(principal, Action.SEARCH)
    for level in LEVELS:
        tag = oracle.UNIQUE[level]
        found = [row[tag] for row in find(hospital, principal, level, {})]
        assert sorted(found) == sorted({one[tag] for one in open_ones})
        query = understand(level, LEVELS, asked({}), Options(relational=True)).query
        with reading(hospital) as connection:
            assert count(connection, principal, query) == len(found)


#: keys of other levels than the one asked for: what they lead to is asked again
KEYS: list[tuple[Level, dict[int, Any]]] = [
    ("PATIENT", {0x00080060: "CT"}),
    ("PATIENT", {MODALITIES: "MR"}),
    ("PATIENT", {0x00280010: "512"}),
    ("STUDY", {CLASSES: "1.2.840.10008.5.1.4.1.1.2"}),
    ("STUDY", {0x00100020: "P*"}),
    ("STUDY", {0x00400275: {0x00400009: "SPS1"}}),
    ("SERIES", {0x00080020: "20240229-", 0x00280010: "512"}),
    ("IMAGE", {MODALITIES: "CT"}),
]


@NAMED
def test_keys_of_other_levels_lead_to_nothing_that_is_closed(hospital: Engine, principal: Principal) -> None:
    for (level, keys), expected in zip(KEYS, _answers(principal), strict=True):
        found = {row[oracle.UNIQUE[level]] for row in find(hospital, principal, level, keys)}
        assert found == expected, (level, keys)


@cache
def _answers(principal: Principal) -> list[set[str]]:
    """What brute force finds for each of KEYS."""
    open_ones = _open_objects(principal, Action.SEARCH)
    return [oracle.answer(open_ones, level, keys, quality_control=True) for level, keys in KEYS]


@NAMED
def test_counts_are_of_what_is_open(hospital: Engine, principal: Principal) -> None:
    open_ones = _open_objects(principal, Action.SEARCH)

    def inside(tag: int, value: str) -> tuple[int, int, int]:
        of = [one for one in open_ones if one[tag] == value]
        return len({one[STUDY] for one in of}), len({one[SERIES] for one in of}), len(of)

    for row in find(hospital, principal, "PATIENT", {}, returned=(0x00201200, 0x00201202, 0x00201204, ID)):
        got = (row[0x00201200], row[0x00201202], row[0x00201204])
        assert tuple(map(int, got)) == inside(ID, row[ID])
    returned = (0x00201206, 0x00201208, MODALITIES, CLASSES, STUDY, 0x00201200, ID)
    for row in find(hospital, principal, "STUDY", {}, returned=returned):
        assert (int(row[0x00201206]), int(row[0x00201208])) == inside(STUDY, row[STUDY])[1:]
        of = [one for one in open_ones if one[STUDY] == row[STUDY]]
        assert row[MODALITIES] == "\\".join(sorted({one[0x00080060] for one in of} - {""}))
        assert set(row[CLASSES].split("\\")) == {one[0x00080016] for one in of}
        # of the patient, seen from the study
        assert int(row[0x00201200]) == inside(ID, row[ID])[0]
    for row in find(hospital, principal, "SERIES", {}, returned=(0x00201209,)):
        assert int(row[0x00201209]) == inside(SERIES, row[SERIES])[2]


@NAMED
def test_objects_are_fetched_only_where_they_are_open(hospital: Engine, principal: Principal) -> None:
    open_ones = _open_objects(principal)
    with reading(hospital) as connection:

        def fetched(**given: Any) -> list[str]:
            return sorted(one.sop_instance for one in instances_of(connection, principal, **given))

        everything = sorted(one[IMAGE] for one in open_ones)
        assert fetched(level="STUDY", study_uids=STUDIES) == everything
        assert fetched(level="SERIES", series_uids=sorted({one[SERIES] for one in HOSPITAL})) == everything
        assert fetched(level="IMAGE", sop_uids=[one[IMAGE] for one in HOSPITAL]) == everything
        # priors: all of a patient
        of_patients = [uid for patient, _ in PATIENTS for uid in fetched(level="PATIENT", patient_id=patient)]
        assert sorted(of_patients) == everything


@NAMED
def test_conditions_stand_by_themselves(hospital: Engine, principal: Principal) -> None:
    """Who uses `visible` and `visible_at` in a statement of his own gets the whole of it."""
    open_ones = _open_objects(principal)
    names = {
        "PATIENT": "patient_id",
        "STUDY": "study_uid",
        "SERIES": "series_uid",
        "IMAGE": "sop_instance_uid",
    }
    with reading(hospital) as connection:
        for level in LEVELS:
            for table in (TABLES[level], TABLES[level].alias()):
                statement = table.select().where(visible_at(level, principal, table))
                found = [getattr(row, names[level]) for row in connection.execute(statement)]
                assert sorted(found) == sorted({one[oracle.UNIQUE[level]] for one in open_ones})
        table = TABLES["IMAGE"]
        found = [row.sop_instance_uid for row in connection.execute(table.select().where(visible(principal)))]
        assert sorted(found) == sorted(one[IMAGE] for one in open_ones)


def test_what_is_opened_for_a_time_closes_by_itself(engine: Engine) -> None:
    _write_access(engine)
    reader = account(NOBODY, Grant(Role.RES))
    uid = SENSITIVE[4]

    def found() -> bool:
        return bool(find(engine, reader, "STUDY", {STUDY: uid}))

    assert not found()
    with writing(engine) as connection:
        until = clock.now() + timedelta(seconds=1.5)
        values = {"study_uid": uid, "reason": "emergency", "at": clock.now(), "until": until}
        connection.execute(insert(break_glass).values(account_id=NOBODY, **values))
    assert found()
    peers.eventually(lambda: not found(), "it closed")
    assert clock.now() > until


#: principals whose searches have more to ask, and what they search for
_ASKING = [
    "device-of-a-site",
    "reader-with-care",
    "reader-of-all-kinds",
    "clinician",
    "clinician-of-both",
    "consultant",
]
_PLANS: list[tuple[Level, dict[int, str]]] = [
    ("STUDY", {ID: "00000007"}),
    ("STUDY", {0x00100010: "WANG^X*"}),
    ("STUDY", {0x00080020: "20200101-20200102"}),
    ("STUDY", {STUDY: f"{synthetic.ROOT}.1"}),
    ("PATIENT", {ID: "00000007"}),
    ("SERIES", {STUDY: f"{synthetic.ROOT}.1"}),
    ("IMAGE", {SERIES: f"{synthetic.ROOT}.1.1"}),
]
_BIG = {
    "studies",
    "series",
    "instances",
    "patients",
    "study_access",
    "own_study",
    "own_patient",
    "seen_modality",
}


def test_what_is_asked_besides_uses_indexes(engine: Engine) -> None:
    synthetic.fill(engine, 2_000)
    sqlite = engine.dialect.name == "sqlite"
    with writing(engine) as connection:
        rows = [
            {"study_uid": synthetic.study_uid(number), "site": "North", "changed_at": clock.now()}
            for number in range(1, 2_001)
        ]
        connection.execute(insert(study_access), rows)
        connection.execute(text("ANALYZE"))
    with reading(engine) as connection:
        if not sqlite:
            # a table of a few pages is read as a whole however it is asked for
            connection.execute(text("SET LOCAL enable_seqscan = off"))

        @event.listens_for(connection, "before_cursor_execute", retval=True)
        def explain(_connection, _cursor, statement, parameters, _context, _many):  # type: ignore[no-untyped-def]
            return ("EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN ") + statement, parameters

        for name, (level, keys) in itertools.product(_ASKING, _PLANS):
            query = understand(level, LEVELS, asked(dict(keys)), Options(relational=True)).query
            statement, _ = prepare(engine.dialect.name, PRINCIPALS[name], query)
            plan = [str(row[-1]) for row in connection.execute(statement).cursor.fetchall()]  # type: ignore[attr-defined]
            read_whole = [
                line
                for line in plan
                if (line.startswith("SCAN ") and line.split()[1] in _BIG) or "Seq Scan on" in line
            ]
            assert read_whole == [], f"{name} {level} {keys}: {plan}"
