"""`version`: versions of a service share their paths, and a header, a query parameter or a media type says which is meant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.features.hop import Hop, contract, operation, serve


def named(value: str, default: bool = False, **by: str) -> dict[str, Any]:
    """The extension of a document."""
    return {"x-sidegate": {"version": {**by, "value": value, **({"default": True} if default else {})}}}


LIMIT = {"in": "query", "name": "limit", "schema": {"type": "integer"}}
IDENTIFIER = {"in": "path", "name": "id", "required": True, "schema": {"type": "string"}}


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    """v1 is the default and lax; v2 needs a token; v3 has another path and lacks the first."""
    documents = {
        "v1": contract({
            "/things": {"get": operation(operationId="one", parameters=[LIMIT])},
            "/things/{id}": {"get": operation(operationId="oneThing", parameters=[IDENTIFIER])},
            "/old": {"get": operation(operationId="old")},
        }, **named("1", True, header="Api-Version")),
        "v2": contract({
            "/things": {
                "get": operation(operationId="two", security=[{"bearer": []}]),
                "post": operation(operationId="twoPost"),
            },
            "/things/{id}": {"get": operation(operationId="twoThing", parameters=[IDENTIFIER])},
            "/things/special": {"get": operation(operationId="special")},
        }, **named("2", header="api-version")),
        "v3": contract({"/new": {"get": operation(operationId="three")}}, **named("3-beta", header="api-version")),
    }  # fmt: skip
    with serve(tmp_path_factory.mktemp("versions"), documents) as running:
        yield running


@pytest.mark.parametrize(
    ("target", "version", "status", "name"),
    [
        ("/things?limit=3", None, 200, "one"),
        ("/things?limit=3", "1", 200, "one"),
        ("/things?limit=x", "1", 400, "one"),
        ("/things", "2", 401, "two"),
        ("/things/special", "2", 200, "special"),
        ("/things/special", "1", 200, "oneThing"),
        ("/things/special?x=1", None, 400, "oneThing"),
        ("/things/special?x=1", "2", 400, "special"),
        ("/old", None, 200, "old"),
        ("/old", "2", 404, None),
        ("/new", None, 404, None),
        ("/new", "3-beta", 200, "three"),
        ("/nowhere", "7", 404, None),
    ],
)
def test_a_request_is_judged_by_the_version_that_it_names(
    hop: Hop, target: str, version: str | None, status: int, name: str | None
) -> None:
    answer = hop.client.get(target, headers={"api-version": version} if version else {})
    assert answer.status_code == status, answer.text
    if status >= 400:
        assert answer.json()["operationId"] == name


@pytest.mark.parametrize("version", ["4", "", "V2", "2,2", "1, 2", "02", "3-BETA"])
def test_a_version_that_there_is_not_is_told(hop: Hop, version: str) -> None:
    answer = hop.client.get("/things/special", headers={"api-version": version})
    document = answer.json()
    assert (answer.status_code, document["code"]) == (400, "unknown-version"), answer.text
    assert document["versions"] == ["api-version: 3-beta", "api-version: 2", "api-version: 1"]


def test_a_version_that_comes_twice_is_none(hop: Hop) -> None:
    answer = hop.client.get("/things", headers=[("api-version", "1"), ("api-version", "2")])
    assert (answer.status_code, answer.json()["code"]) == (400, "unknown-version")


def test_other_methods_are_those_of_the_version(hop: Hop) -> None:
    first, second = (hop.client.put("/things", headers={"api-version": each}) for each in ("1", "2"))
    assert (first.status_code, first.headers["allow"]) == (405, "GET")
    assert (second.status_code, second.headers["allow"]) == (405, "GET, POST")


def test_answers_say_what_they_depend_on(hop: Hop) -> None:
    """Also refusals, which caches may keep as well (RFC 9110, section 15.1)."""
    asked = [("GET", "/things", "1"), ("GET", "/things", "2"), ("PUT", "/things", "1"), ("GET", "/old", "2")]
    for method, path, version in [*asked, ("GET", "/things", "9")]:
        answer = hop.client.request(method, path, headers={"api-version": version})
        assert answer.headers["vary"] == "api-version", (method, path, version, answer.text)
    assert "vary" not in hop.client.get("/nowhere").headers


@pytest.fixture(scope="module")
def by_query(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    """v1 lets undeclared parameters pass, v2 does not; neither declares the one that names the version."""
    first = named("1", True, query="api.v")
    first["x-sidegate"]["undeclared"] = "pass"
    documents = {
        "v1": contract({"/things": {"get": operation(operationId="one")}}, **first),
        "v2": contract({"/things": {"get": operation(operationId="two")}}, **named("2", query="api.v")),
    }
    with serve(tmp_path_factory.mktemp("by-query"), documents) as running:
        yield running


@pytest.mark.parametrize(
    ("query", "status", "version"),
    [
        ("", 200, "v1"),
        ("?api.v=1", 200, "v1"),
        ("?api.v=2", 200, "v2"),
        ("?a=b&api.v=1&c", 200, "v1"),
        ("?api.v=2&other=1", 400, "v2"),
        ("?apixv=2", 200, "v1"),
        # Services differ in what they make of these, so nobody guesses.
        ("?api.v=2&api.v=1", 400, None),
        ("?api.v=2&a=b&api.v", 400, None),
        ("?api.v=1&%61pi.v=2", 400, None),
        ("?%61pi.v=2", 400, None),
        ("?api%2Ev=2", 400, None),
        ("?api%2ev=2", 400, None),
        ("?api.v=%32", 400, None),
        ("?api.v=", 400, None),
        ("?api.v", 400, None),
        ("?api.v=3", 400, None),
    ],
)
def test_a_query_names_the_version_once_and_as_it_is_written(
    by_query: Hop, query: str, status: int, version: str | None
) -> None:
    answer = by_query.client.get(f"/things{query}")
    assert answer.status_code == status, answer.text
    assert "vary" not in answer.headers
    if status == 400:
        document = answer.json()
        assert (document["code"] == "unknown-version") == (version is None), document
