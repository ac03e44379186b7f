"""Who may do what, by real calls on a running server: every HTTP route and DICOM service has a row that names its
action, and every role is allowed what tests/access/matrix.csv says and nothing else."""

import csv
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import (
    CTImageStorage,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from filmless.access import accounts, belonging, grants, sessions, tokens
from filmless.access.acting import Acting
from filmless.access.model import SYSTEM, Action, Role, Scope
from filmless.access.scopes import scope_from_words
from filmless.app import site
from filmless.app.index import open_index
from filmless.app.services import table
from filmless.app.settings import Settings, load
from filmless.app.trail import open_trail
from filmless.archive.model import ArchiveSettings
from filmless.db.work import writing
from filmless.devices import service as devices
from filmless.devices.model import Device
from tests import made, peers
from tests.app.web_routes import routes_of

ACCESS = Path(__file__).parent.parent / "access"
NOTHING = "9.9.9"
DICOM_WEB, PAGES = "/dicom-web", "/s/v/{name}/dicom-web"
#: roles that see only what is theirs: what others find is not there for them
SEE_LITTLE = {"CLI", "RCO"}


def _rows(name: str) -> list[dict[str, str]]:
    with (ACCESS / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


ROUTES = _rows("routes.csv")
MATRIX = {row["action"]: row for row in _rows("matrix.csv")}


def allowed(role: str, actions: str) -> bool:
    """By the matrix; an action may be several, of which one is enough."""
    if actions in ("public", "signed-in"):
        return True
    return any(MATRIX[action][role] == "yes" for action in actions.split())


@dataclass
class Person:
    """An account, and a client that is signed in as it."""

    role: str
    client: httpx.Client


@dataclass
class Hospital:
    server: peers.FilmlessServer
    settings: Settings
    #: seen by everybody who sees anything
    plain: made.Made
    #: marked as sensitive, and of the site South
    sensitive: made.Made
    people: dict[str, Person] = field(default_factory=dict)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server.http_port}"

    def person(self, name: str, role: Role, scope: Scope | None = None) -> Person:
        """Made when first asked for; with a session, devices' accounts with a token."""
        if name not in self.people:
            with open_index(self.settings) as engine, open_trail(self.settings, engine, "test") as trail:
                acting = Acting(SYSTEM, trail, reason="a test")
                with writing(engine) as connection:
                    account = accounts.create(connection, name, acting, must_change_password=False)
                    grants.grant(connection, name, role, acting, scope=scope or Scope())
                    if role is Role.DEV:
                        secret, _ = tokens.add(
                            connection,
                            account,
                            self.settings.access,
                            acting,
                            label="all",
                            scopes=frozenset(Action) - {Action.OWN_ACCOUNT},
                        )
                        headers = {"Authorization": f"Bearer {secret}"}
                    else:
                        secret = sessions.open_session(
                            connection, account.id, self.settings.access, method="password", host="127.0.0.1"
                        )
                        headers = {
                            "Cookie": f"filmless_session={secret}",
                            "X-Filmless-CSRF": sessions.csrf_of(secret),
                        }
            self.people[name] = Person(role, httpx.Client(base_url=self.base, headers=headers, timeout=30))
        return self.people[name]

    def of_role(self, role: str) -> Person:
        return self.person(f"the-{role.lower()}", Role(role))


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    folder = tmp_path_factory.mktemp("matrix")
    plain = made.series(folder / "plain", 2, name="Open^Otto", patient_id="OPEN1")
    sensitive = made.series(folder / "sensitive", 2, name="Very^Important", patient_id="VIP1")
    with peers.FilmlessServer(folder / "home") as server:
        server.cli("import", folder / "plain", folder / "sensitive")
        settings = load(server.home, environment={})
        with open_index(settings) as engine, open_trail(settings, engine, "test") as trail:
            acting = Acting(SYSTEM, trail, reason="a test")
            with writing(engine) as connection:
                belonging.assign(connection, sensitive.study_uid, acting, sensitive=True, site="South")
        found = Hospital(server, settings, plain, sensitive)
        yield found
        for person in found.people.values():
            person.client.close()
        assert server.running.alive, server.running.output()[-4000:]


async def test_every_route_has_a_row(tmp_path: Path) -> None:
    async with site.open_site(load(tmp_path / "home", environment={})) as opened:
        found = set(routes_of(opened.app))
    # DICOMweb on behalf of a share link is the same application: it has the rows of DICOMweb
    shared = {(method, path.replace(PAGES, DICOM_WEB)) for method, path in found if path.startswith(PAGES)}
    assert shared == {(method, path) for method, path in found if path.startswith(DICOM_WEB)}
    found = {(method, path) for method, path in found if not path.startswith(PAGES)}
    rows = [(row["method"], row["path"]) for row in ROUTES]
    assert len(rows) == len(set(rows))
    missing = sorted(found - set(rows))
    assert not missing, f"name the action of these routes in tests/access/routes.csv: {missing}"
    assert sorted(set(rows) - found) == [], "rows of routes that are no more"
    known = {*MATRIX, "public", "signed-in", "not-called"}
    assert {action for row in ROUTES for action in row["action"].split()} <= known


def test_every_service_has_a_row() -> None:
    rows = {row["service"]: row["action"] for row in _rows("services.csv")}
    assert set(rows) == {service.word for service in table(ArchiveSettings())}
    # devices do what the matrix says, in the services of the list of devices
    assert all(action == "public" or allowed("DEV", action) for action in rows.values())


def _call(
    hospital: Hospital, client: httpx.Client, row: dict[str, str], study: made.Made, prefix: str = ""
) -> httpx.Response:
    """The request of a row, about `study`."""
    none = row["query"].startswith("!")
    values = {
        "study": NOTHING if none else study.study_uid,
        "study_uid": study.study_uid,
        "series": NOTHING if none else study.series_uid,
        "instance": NOTHING if none else next(iter(study.data_sets)),
        "frames": "1",
        "path": "7FE00010",
        "code": "113001",
        "note": NOTHING,
        "note_uid": NOTHING,
        "sop_instance_uid": NOTHING,
        "number": "999999999",
        "delivery": "999999999",
        "template": "999999999",
        "critical": "999999999",
        "person": "999999999",
        "kind": "none",
        "account": "nobody-at-all",
        "station": "NONE",
        "report": "999999999",
        "exam": "999999999",
        "ae_title": "NOBODY",
        "job": "none",
        "id": "none",
        "key": "0" * 32,
        "secret": "A" * 43,
        "token": "1-1-" + "0" * 24,
        "order": "999999999",
        "name": {"!link": "0" * 32, "!account": "the-sec", "!nobody": "nobody-at-all"}.get(row["query"], "x"),
    }
    path = (prefix or row["path"]).format(**values)
    query = row["query"].format(**values) if not none else "?reason=a+test" if "dicom-web" in path else ""
    headers, content = {}, b""
    match row["body"]:
        case "":
            pass
        case "dicom":
            file = study.files[0].read_bytes()
            content = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + file + b"\r\n--b--\r\n"
            headers["Content-Type"] = 'multipart/related; type="application/dicom"; boundary=b'
        case "correction":
            changes = [{"attribute": "StudyDescription", "value": "X"}]
            wish = {"level": "STUDY", "uid": NOTHING, "changes": changes}
            content = json.dumps(wish if "preview" in path else {**wish, "reason": "a test"}).encode()
        case text:
            content = text.encode()
    if content and "Content-Type" not in headers:
        headers["Content-Type"] = "application/json"
    method = "GET" if row["method"] == "*" else row["method"]
    return client.request(method, path + query, content=content, headers=headers)


@pytest.mark.parametrize("role", [role.value for role in Role])
def test_every_route_for_every_role(hospital: Hospital, role: str) -> None:
    client = hospital.of_role(role).client
    hospital.of_role("SEC")
    wrong = []
    for row in ROUTES:
        if row["action"] == "not-called":
            continue
        answer = _call(hospital, client, row, hospital.plain)
        if not allowed(role, row["action"]):
            expected = {403}
        else:
            expected = {int(status) for status in row["ok"].split()}
            if (
                role in SEE_LITTLE
                and row["action"] in ("view", "search")
                and "{" in row["path"] + row["query"]
            ):
                expected = {404}
                if row["action"] == "search" and answer.text in ("", "[]"):
                    expected |= {200, 204}
        # whoever has no interactive sign-in is refused what is of people
        if role == "DEV" and row["path"].startswith("/api/session") and row["action"] != "public":
            expected = expected | {403}
        if answer.status_code not in expected:
            wrong.append((row["method"], row["path"], answer.status_code, answer.text[:200], expected))
    assert wrong == []


def test_nobody_is_let_in_without_signing_in(hospital: Hospital) -> None:
    wrong = []
    with httpx.Client(base_url=hospital.base) as client:
        for row in ROUTES:
            if row["action"] in ("public", "not-called"):
                continue
            answer = _call(hospital, client, row, hospital.plain)
            if answer.status_code != 401:
                wrong.append((row["method"], row["path"], answer.status_code))
    assert wrong == []


#: by which routes a study, or something of it, could be seen
SEEING = [
    row
    for row in ROUTES
    if "{study" in row["path"] + row["query"] and row["action"] in ("view", "search", "original")
]


@pytest.mark.parametrize("role", [role for role in Role if role not in (Role.ADM, Role.SEC, Role.REG)])
def test_a_sensitive_study_is_not_there(hospital: Hospital, role: Role) -> None:
    client = hospital.of_role(role.value).client
    for row in SEEING:
        answer = _call(hospital, client, row, hospital.sensitive)
        expected = {404} if allowed(role.value, row["action"]) else {403}
        if expected == {404} and row["action"] == "search" and answer.text in ("", "[]"):
            expected |= {200, 204}
        assert answer.status_code in expected, (row, answer.text[:200])
        assert b"VIP1" not in answer.content
    if allowed(role.value, "search"):
        for path in ("/dicom-web/studies", "/dicom-web/series", "/dicom-web/instances"):
            answer = client.get(path)
            assert hospital.sensitive.study_uid not in answer.text
            assert (hospital.plain.study_uid in answer.text) is (role.value not in SEE_LITTLE)
        found = client.post("/api/studies/search", json={}).text
        assert hospital.sensitive.study_uid not in found
        assert client.get("/api/studies/changes").text.count(hospital.sensitive.study_uid) == 0


def test_the_right_to_see_sensitive_studies(hospital: Hospital) -> None:
    reader = hospital.person("reads-sensitive", Role.ATT, Scope(sensitive=True)).client
    for row in SEEING:
        if row["action"] != "original":
            answer = _call(hospital, reader, row, hospital.sensitive)
            assert answer.status_code in {int(status) for status in row["ok"].split()}, (row, answer.text)
    southerner = hospital.person(
        "southerner", Role.RES, Scope(sites=frozenset({"South"}), sensitive=True)
    ).client
    listed = southerner.get("/dicom-web/studies").json()
    assert [one["0020000D"]["Value"] for one in listed] == [[hospital.sensitive.study_uid]]


def test_nobody_makes_a_patient_his_own(hospital: Hospital) -> None:
    head = hospital.of_role("CHF").client
    clinician = hospital.person("accomplice", Role.CLI).client
    for body in (
        {"patient_id": "VIP1", "account": "accomplice"},
        {"patient_id": "VIP1", "ward": "W1"},
        {"patient_id": "NEW1", "account": "the-chf"},
        {"patient_id": "NEW1", "account": " The-CHF"},
    ):
        answer = head.post("/api/cares", json={**body, "reason": "curious"})
        assert answer.status_code == (404 if body["patient_id"] == "VIP1" else 403), body
    assert head.post("/api/cares/search", json={"patient_id": "VIP1"}).status_code == 404
    assert clinician.get(f"/dicom-web/studies/{hospital.sensitive.study_uid}/metadata").status_code == 404
    open_one = {"patient_id": "OPEN1", "account": "accomplice"}
    assert head.post("/api/cares", json=open_one).status_code == 204
    assert clinician.get(f"/dicom-web/studies/{hospital.plain.study_uid}/metadata").status_code == 200
    # one who sees sensitive studies may, and only such a one ends it
    trusted = hospital.person("trusted-head", Role.CHF, Scope(sensitive=True)).client
    assert trusted.post("/api/cares", json={"patient_id": "VIP1", "account": "accomplice"}).status_code == 204
    uid = hospital.sensitive.study_uid
    assert clinician.get(f"/dicom-web/studies/{uid}/metadata").status_code == 200
    (care,) = trusted.post("/api/cares/search", json={"patient_id": "VIP1"}).json()["cares"]
    assert head.delete(f"/api/cares/{care['id']}").status_code == 404
    assert trusted.delete(f"/api/cares/{care['id']}").status_code == 204
    assert clinician.get(f"/dicom-web/studies/{uid}/metadata").status_code == 404


def _zip(client: httpx.Client, study: str, prefix: str = DICOM_WEB) -> httpx.Response:
    return client.get(f"{prefix}/studies/{study}", headers={"Accept": "application/zip"})


@pytest.mark.parametrize("role", [role.value for role in Role])
def test_archives_to_take_along_are_exports(hospital: Hospital, role: str) -> None:
    client = hospital.of_role(role).client
    for study, found in (
        (hospital.plain.study_uid, 200),
        (hospital.sensitive.study_uid, 404),
        (NOTHING, 404),
    ):
        assert _zip(client, study).status_code == (found if allowed(role, "export") else 403)


def test_breaking_the_glass_opens_and_is_reviewed(hospital: Hospital) -> None:
    doctor, officer = hospital.person("doctor", Role.CLI).client, hospital.of_role("SEC").client
    uid = hospital.sensitive.study_uid
    assert doctor.get(f"/dicom-web/studies/{uid}/metadata").status_code == 404
    assert doctor.post("/api/emergencies", json={"study_uid": uid, "reason": ""}).status_code == 422
    made_at = doctor.post("/api/emergencies", json={"patient_id": "VIP1", "reason": "unconscious in the ER"})
    assert made_at.status_code == 201
    case = made_at.json()["id"]
    again = doctor.post("/api/emergencies", json={"patient_id": "VIP1", "reason": "unconscious in the ER"})
    assert again.json()["id"] == case
    assert doctor.get(f"/dicom-web/studies/{uid}/metadata").status_code == 200
    assert [one["0020000D"]["Value"][0] for one in doctor.get("/dicom-web/studies").json()] == [uid]
    # for nobody else
    assert hospital.of_role("CLI").client.get(f"/dicom-web/studies/{uid}/metadata").status_code == 404
    listed = officer.get("/api/emergencies").json()
    assert [one["reason"] for one in listed["emergencies"] if one["id"] == case] == ["unconscious in the ER"]
    review = {"finding": "justified", "note": "was unconscious indeed"}
    assert doctor.post(f"/api/emergencies/{case}/review", json=review).status_code == 403
    assert officer.post(f"/api/emergencies/{case}/review", json=review).json()["finding"] == "justified"
    assert officer.post(f"/api/emergencies/{case}/review", json=review).status_code == 409
    assert case not in [one["id"] for one in officer.get("/api/emergencies").json()["emergencies"]]
    assert doctor.post(f"/api/emergencies/{case}/end").status_code == 200
    assert doctor.get(f"/dicom-web/studies/{uid}/metadata").status_code == 404


def _opened(
    hospital: Hospital, *, study: str, download: bool, password: str = ""
) -> tuple[httpx.Client, str, str]:
    """A browser that opened a new link; where it led to; the link's name."""
    sharer = hospital.person("sharer", Role.PAD, Scope(sensitive=True)).client
    body = {"days": 2, "download": download, "password": password}
    answer = sharer.post(f"/api/studies/{study}/links", json=body)
    assert answer.status_code == 201, answer.text
    browser = httpx.Client(base_url=hospital.base, follow_redirects=False)
    path = httpx.URL(answer.json()["address"]).path
    entered = browser.post(path, data={"password": password}) if password else browser.get(path)
    assert entered.status_code == 303, entered.text
    return browser, entered.headers["location"], answer.json()["link"]["name"]


def test_a_list_of_links_names_no_patient_whom_one_may_not_see_any_more(hospital: Hospital) -> None:
    once = hospital.person("once", Role.ATT, Scope(sensitive=True))
    made_at = once.client.post(f"/api/studies/{hospital.sensitive.study_uid}/links", json={"days": 2})
    (named,) = made_at.json()["link"]["studies"]
    assert (named["patient"]["id"], named["patient"]["name"]) == ("VIP1", "Very^Important")
    (mine,) = once.client.get("/api/links").json()["links"]
    assert mine["studies"] == [named]
    with open_index(hospital.settings) as engine, open_trail(hospital.settings, engine, "test") as trail:
        acting = Acting(SYSTEM, trail, reason="a test")
        with writing(engine) as connection:
            (given,) = grants.list_grants(connection, accounts.get(connection, "once"))
            grants.revoke(connection, "once", given.id, acting)
            grants.grant(connection, "once", Role.ATT, acting, scope=Scope())
    # what another process changed is believed after a moment
    peers.eventually(
        lambda: once.client.get("/api/links").json()["links"][0]["studies"] == [], "the right is gone"
    )
    listed = once.client.get("/api/links")
    (mine,) = listed.json()["links"]
    assert (mine["study_uid"], mine["studies"]) == (hospital.sensitive.study_uid, [])
    assert "VIP1" not in listed.text and "Important" not in listed.text


#: gives objects themselves, which a link for looking does not
_STUDY = f"{DICOM_WEB}/studies/{{study}}"
WHOLE = (_STUDY, f"{_STUDY}/series/{{series}}", f"{_STUDY}/series/{{series}}/instances/{{instance}}")


@pytest.mark.parametrize("download", [False, True])
@pytest.mark.parametrize("sensitive", [False, True])
def test_every_route_for_a_share_link(hospital: Hospital, *, download: bool, sensitive: bool) -> None:
    shared, other = hospital.plain, hospital.sensitive
    if sensitive:
        shared, other = other, shared
    browser, page, name = _opened(hospital, study=shared.study_uid, download=download)
    with closing(browser):
        assert page == f"/s/v/{name}/"
        for row in ROUTES:
            if not row["path"].startswith(DICOM_WEB):
                continue
            below = row["path"].replace(DICOM_WEB, page + "dicom-web")
            answer = _call(hospital, browser, row, shared, below)
            if row["method"] != "GET":
                assert answer.status_code == 405, row
            elif row["path"] in WHOLE and not download:
                assert answer.status_code == 403, row
                continue
            elif row["action"] in ("view", "search", "signed-in"):
                assert answer.status_code == 200, (row, answer.text[:300])
            else:
                assert answer.status_code == 403, row
            if "{study" in row["path"] + row["query"] and row["action"] in ("view", "search"):
                closed = _call(hospital, browser, row, other, below)
                assert closed.status_code == 404 or closed.text in ("", "[]"), row
            assert other.study_uid not in answer.text
            # not in the house's own place, and not under another link's name
            assert _call(hospital, browser, row, shared).status_code == 401
        assert _zip(browser, shared.study_uid, page + "dicom-web").status_code == (200 if download else 403)
        assert _zip(browser, other.study_uid, page + "dicom-web").status_code == (404 if download else 403)
        for path in ("/api/session", "/api/me/sessions", "/api/users", "/api/studies/changes"):
            assert browser.get(path).status_code == 401


def _device(hospital: Hospital, title: str, *sees: str, port: int = 0, **fields: Any) -> None:
    address: dict[str, Any] = {"host": "127.0.0.1", "port": port} if port else {}
    device = Device(title, scope=scope_from_words(sees), **address, **fields)
    with open_index(hospital.settings) as engine, writing(engine) as connection:
        devices.add(connection, device, by="test")


def _found(hospital: Hospital, title: str) -> set[str]:
    """The studies that a device finds by C-FIND."""
    ae = AE(title)
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelFind)
    association = ae.associate("127.0.0.1", hospital.server.dicom_port, ae_title="FILMLESS")
    assert association.is_established
    keys = Dataset()
    keys.QueryRetrieveLevel, keys.StudyInstanceUID, keys.PatientID = "STUDY", "", ""
    answers = [
        answer.StudyInstanceUID
        for status, answer in association.send_c_find(keys, StudyRootQueryRetrieveInformationModelFind)
        if status.Status in (0xFF00, 0xFF01)
    ]
    association.release()
    return set(answers)


def _got(hospital: Hospital, title: str, study: str) -> tuple[int, int]:
    """(final status, objects that came) of a C-GET of a study."""
    came: list[str] = []

    def keep(event: evt.Event) -> int:
        came.append(event.dataset.SOPInstanceUID)
        return 0x0000

    ae = AE(title)
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelGet)
    ae.add_requested_context(CTImageStorage)
    association = ae.associate(
        "127.0.0.1",
        hospital.server.dicom_port,
        ae_title="FILMLESS",
        ext_neg=[build_role(CTImageStorage, scp_role=True)],
        evt_handlers=[(evt.EVT_C_STORE, keep)],
    )
    assert association.is_established
    keys = Dataset()
    keys.QueryRetrieveLevel, keys.StudyInstanceUID = "STUDY", study
    statuses = [
        one.Status for one, _ in association.send_c_get(keys, StudyRootQueryRetrieveInformationModelGet)
    ]
    association.release()
    return statuses[-1], len(came)


def _moved(hospital: Hospital, title: str, destination: str, study: str) -> int:
    """How many objects a C-MOVE of a study brought to `destination`."""
    ae = AE(title)
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelMove)
    association = ae.associate("127.0.0.1", hospital.server.dicom_port, ae_title="FILMLESS")
    assert association.is_established
    keys = Dataset()
    keys.QueryRetrieveLevel, keys.StudyInstanceUID = "STUDY", study
    last = [
        one
        for one, _ in association.send_c_move(keys, destination, StudyRootQueryRetrieveInformationModelMove)
    ][-1]
    association.release()
    return int(last.get("NumberOfCompletedSuboperations", 0) or 0)


def test_devices_see_what_their_row_says(hospital: Hospital) -> None:
    plain, sensitive = hospital.plain.study_uid, hospital.sensitive.study_uid
    ae = AE("SINK")
    ae.add_supported_context(CTImageStorage)
    sink = ae.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, lambda _event: 0x0000)]
    )
    try:
        _device(hospital, "SINK", port=sink.socket.getsockname()[1])
        for title, options, sees in (
            ("PLAIN", (), {plain}),
            ("TRUSTED", ("sensitive",), {plain, sensitive}),
            ("SOUTH", ("site=South", "sensitive"), {sensitive}),
            ("NORTH", ("site=North", "sensitive"), set()),
            ("ULTRA", ("modality=US",), set()),
            ("TOMO", ("modality=CT",), {plain}),
        ):
            _device(hospital, title, *options)
            assert _found(hospital, title) == sees
            for study in (plain, sensitive):
                expected = 2 if study in sees else 0
                assert _got(hospital, title, study) == (0x0000, expected)
                assert _moved(hospital, title, "SINK", study) == expected
        # a stranger on this machine sees no more than a device without a right of its own
        assert _found(hospital, "STRANGER") == {plain}
    finally:
        sink.shutdown()


def test_devices_do_what_their_services_allow(hospital: Hospital) -> None:
    for word in ("find", "get", "move", "store"):
        title = f"ONLY{word.upper()}"
        _device(hospital, title, services=frozenset({word}))
        ae = AE(title)
        offered = {
            "find": StudyRootQueryRetrieveInformationModelFind,
            "get": StudyRootQueryRetrieveInformationModelGet,
            "move": StudyRootQueryRetrieveInformationModelMove,
        }
        for context in offered.values():
            ae.add_requested_context(context)
        association = ae.associate("127.0.0.1", hospital.server.dicom_port, ae_title="FILMLESS")
        accepted = {one.abstract_syntax for one in association.accepted_contexts}
        assert accepted == ({offered[word]} if word in offered else set())
        if association.is_established:
            association.release()
