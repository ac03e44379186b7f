"""What an address names for whom; a right that is taken away is gone at the next request."""

from datetime import timedelta

from sqlalchemy import delete, insert, update
from tests import made
from tests.archive.web.conftest import Web

from filmless.access.account_tables import accounts
from filmless.access.model import Grant, Role, Scope, account_principal, share_principal
from filmless.access.tables import shared_studies, study_access
from filmless.db.work import writing
from filmless.kit import clock

PATHS = ("/frames/1", "", "/metadata", "/bulkdata/7FE00010")


def put(web: Web, study: str = "1.2.3") -> str:
    return web.put(made.part10(made.image(1, name="A^B", patient_id="P", study=study, series=f"{study}.1")))[
        0
    ]


async def statuses(web: Web, principal: object, address: str) -> set[int]:
    async with web.client(principal) as client:  # type: ignore[arg-type]
        return {(await client.get(address + path)).status_code for path in PATHS}


async def test_a_sensitive_study_is_closed_at_once(web: Web) -> None:
    address = put(web)
    reader = account_principal("reader", 2, [Grant(Role.RES)])
    async with web.client(reader) as client:
        for _ in range(2):
            assert (await client.get(address + "/frames/1")).status_code == 200
        with writing(web.context.engine) as connection:
            connection.execute(
                insert(study_access).values(study_uid="1.2.3", sensitive=True, changed_at=clock.now())
            )
        for path in PATHS:
            assert (await client.get(address + path)).status_code == 404, path
        with writing(web.context.engine) as connection:
            connection.execute(delete(study_access))
        assert (await client.get(address + "/frames/1")).status_code == 200


async def test_modalities_and_shares(web: Web) -> None:
    address, other = put(web), put(web, "1.2.4")
    for modality, status in (("MR", 404), ("CT", 200)):
        scope = Scope(modalities=frozenset({modality}))
        assert await statuses(web, account_principal("a", 2, [Grant(Role.RES, scope)]), address) == {status}
    assert await statuses(web, share_principal("link", "1.2.3", download=True), address) == {200}
    assert await statuses(web, share_principal("link", "1.2.3", download=True), other) == {404}
    # the object itself is not for looking
    assert await statuses(web, share_principal("link", "1.2.3", download=False), address) == {200, 403}
    assert await statuses(web, share_principal("link", "1.2.3", download=False), other) == {404, 403}


async def test_what_is_opened_for_a_time_closes_by_itself(web: Web) -> None:
    address = put(web)
    consultant = account_principal("far", 7, [Grant(Role.RCO)])
    assert await statuses(web, consultant, address) == {404}
    until = clock.now() + timedelta(minutes=5)
    with writing(web.context.engine) as connection:
        connection.execute(insert(accounts).values(id=7, name="far", wards=[], created_at=clock.now()))
        connection.execute(
            insert(shared_studies).values(
                study_uid="1.2.3", account_id=7, at=clock.now(), until=until, shared_by="li"
            )
        )
    async with web.client(consultant) as client:
        assert (await client.get(address + "/frames/1")).status_code == 200
        with writing(web.context.engine) as connection:
            connection.execute(update(shared_studies).values(until=clock.now() - timedelta(seconds=1)))
        assert (await client.get(address + "/frames/1")).status_code == 404
