"""What the server says of itself over DICOMweb is what it does."""

from typing import Any
from xml.etree import ElementTree

import pytest
from tests.archive.web.place import Place

from filmless.archive.web.capabilities import TABLE, offered
from filmless.archive.web.routes import routes

WADL = "{http://wadl.dev.java.net/2009/02}"
pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


def in_xml(element: ElementTree.Element, path: str = "") -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for resource in element.findall(f"{WADL}resource"):
        here = f"{path}/{resource.get('path')}"
        found |= {(str(method.get("name")), here) for method in resource.findall(f"{WADL}method")}
        found |= in_xml(resource, here)
    return found


def in_json(resources: list[dict[str, Any]], path: str = "") -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for resource in resources:
        here = f"{path}/{resource['path']}"
        found |= {(method["name"], here) for method in resource["method"]}
        found |= in_json(resource["resource"], here)
    return found


async def test_every_route_has_a_row_and_every_row_a_route(place: Place) -> None:
    assert set(offered(routes(place.context))) == set(TABLE)


async def test_the_tree_names_all_resources_in_xml_and_json(place: Place) -> None:
    wanted = {row for row in TABLE if row[1] not in ("/", "/{path:path}")}
    async with place.client() as client:
        for method, path in (("OPTIONS", "/"), ("GET", "/")):
            answer = await client.request(method, path)
            assert (answer.status_code, answer.headers["content-type"]) == (
                200,
                "application/vnd.sun.wadl+xml",
            )
            document = ElementTree.fromstring(answer.content)
            (resources,) = document
            assert resources.get("base") == "https://images.example/dicom-web"
            assert in_xml(resources) == wanted
            names = [each.get("id") for each in document.iter(f"{WADL}method")]
            assert len(names) == len(set(names))
        for accepted, given in (
            ("application/vnd.sun.wadl+json", "application/vnd.sun.wadl+json"),
            ("application/json", "application/json"),
        ):
            answer = await client.request("OPTIONS", "/", headers={"accept": accepted})
            assert answer.headers["content-type"] == given
            assert in_json(answer.json()["application"]["resources"]["resource"]) == wanted
        assert (await client.request("OPTIONS", "/", headers={"accept": "text/html"})).status_code == 406


async def test_options_of_a_resource_tell_of_it_and_what_is_below(place: Place) -> None:
    async with place.client() as client:
        answer = await client.request("OPTIONS", "/studies/1.2.3/series/1.2.4/instances")
        assert answer.headers["allow"] == "GET, OPTIONS"
        prefix = "/studies/{study}/series/{series}/instances"
        (resources,) = ElementTree.fromstring(answer.content)
        assert in_xml(resources) == {row for row in TABLE if row[1].startswith(prefix)}
        assert (await client.request("OPTIONS", "/nothing/here")).status_code == 404
    async with place.client(None) as client:
        assert (await client.request("OPTIONS", "/")).status_code == 401
