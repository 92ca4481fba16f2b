"""`match`: two versions share a path, and a header or a query parameter says which of them a request is for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.features.hop import Hop, contract, operation, serve
from tests.projects import compiled_with, pets, tree
from xds.compile import Compiler

LIMIT = {"in": "query", "name": "limit", "schema": {"type": "integer"}}
FLAVOUR = {"in": "query", "name": "flavour", "schema": {"type": "string"}}

ID = {"in": "path", "name": "id", "required": True, "schema": {"type": "string"}}


def _body(limit: int) -> dict[str, Any]:
    text = {"schema": {"type": "string", "maxLength": limit}}
    return {"requestBody": {"content": {"text/plain": text}}, "x_sidegate": {"bodyLimit": f"{limit}B"}}


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    beta, sweet = {"headers": {"X-Beta": "1"}}, {"headers": {"x-beta": "1"}, "query": {"flavour": "sweet"}}
    new = {"x-sidegate": {"match": beta}}
    only = {"x_sidegate": {"match": {"query": {"flavour": "sweet"}}}, "parameters": [FLAVOUR]}
    native = {"mode": "off", "policy": "none", "reason": "only what the proxy checks"}
    free = {"x_sidegate": {"match": {"query": {"flavour": "sweet"}}, **native}, "parameters": [FLAVOUR]}
    documents = {
        "v1": contract({
            "/things": {
                "get": operation(operationId="old", parameters=[LIMIT]),
                "post": operation(operationId="oldPost", **_body(10)),
            },
            "/only": {"get": operation(operationId="only", **only)},
            "/free": {"get": operation(operationId="free", **free)},
            "/shelf/new": {"get": operation(operationId="newest", x_sidegate={"match": beta})},
            "/shelf/{id}": {"get": operation(operationId="byId", parameters=[ID])},
        }),
        "v2": contract({
            "/things": {
                "get": operation(operationId="new", security=[{"bearer": []}]),
                "post": operation(operationId="newPost", **_body(1000)),
            },
        }, **new),
        "v3": contract({
            "/things": {"get": operation(operationId="sweet", parameters=[FLAVOUR], x_sidegate={"match": sweet})},
        }),
    }  # fmt: skip
    with serve(tmp_path_factory.mktemp("matching"), documents) as running:
        yield running


@pytest.mark.parametrize(
    ("target", "beta", "status", "name"),
    [
        ("/things?limit=3", "", 200, "old"),
        ("/things?limit=3", "2", 200, "old"),
        ("/things?limit=x", "", 400, "old"),
        ("/things", "1", 401, "new"),
        ("/things?flavour=sweet", "1", 200, "sweet"),
        ("/things?flavour=sour", "1", 401, "new"),
        ("/things?flavour=sweet", "", 400, "old"),
        ("/only?flavour=sweet", "", 200, "only"),
        ("/only", "", 404, None),
        ("/only?flavour=sour", "", 404, None),
    ],
)
def test_a_request_is_judged_by_the_version_it_is_for(
    hop: Hop, target: str, beta: str, status: int, name: str | None
) -> None:
    answer = hop.client.get(target, headers={"x-beta": beta} if beta else {})
    assert answer.status_code == status, answer.text
    if status >= 400:
        assert answer.json()["operationId"] == name


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("flavour=sweet", 200),
        ("a=b&flavour=sweet&c", 200),
        ("flavour=sweet&flavour=sour", 404),
        ("flavour=sour&flavour=sweet", 404),
        ("flavour=sweet&flavour=sweet", 404),
        ("flavour=sweet&fl%61vour=sour", 404),
        ("%46lavour=x&%66lavour=sour&flavour=sweet", 404),
        ("flavour&flavour=sweet", 404),
        ("flavours=sour&flavour=sweet&xflavour=sour", 200),
    ],
)
def test_a_parameter_that_is_there_twice_has_no_value(hop: Hop, query: str, status: int) -> None:
    """Whoever reads it behind the gateway might take the other one."""
    since = len(hop.server.log)
    assert hop.client.get(f"/free?{query}").status_code == status
    assert len(hop.reached(since)) == (status == 200)


@pytest.mark.parametrize(("second", "name"), [("1", "new"), ("2", "old"), ("11", "old"), ("", "old")])
def test_a_header_that_is_there_twice_says_the_same(hop: Hop, second: str, name: str) -> None:
    for sent in (("1", second), (second, "1")):
        answer = hop.client.get("/things?limit=x", headers=[("x-beta", value) for value in sent])
        assert answer.json()["operationId"] == name


def test_what_matches_no_condition_does_not_become_a_template_s(hop: Hop) -> None:
    """Concrete paths go before templated ones (OpenAPI, Paths Object), whatever is asked for beside them."""
    assert hop.client.get("/shelf/new", headers={"x-beta": "1"}).status_code == 200
    answer = hop.client.get("/shelf/new")
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
    assert hop.client.get("/shelf/7").status_code == 200


def test_every_check_is_that_of_its_own_version(hop: Hop) -> None:
    """Also those that stand in routes of their own: the shorter limit of the one is not the other's."""
    text = {"content-type": "text/plain"}
    assert hop.client.post("/things", content="x" * 20, headers=text).status_code == 413
    assert hop.client.post("/things", content="x" * 20, headers={**text, "x-beta": "1"}).status_code == 200


def test_other_methods_are_told_once(hop: Hop) -> None:
    answer = hop.client.put("/things")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")


@pytest.mark.parametrize(
    ("written", "pointer", "says"),
    [
        ("match: {}", "", "which requests"),
        ("match: {headers: {x-sidegate-client: a}}", "/headers", "not a client's"),
        ("match: {query: {flavour: sweet}}", "/query/flavour", "no query parameter"),
        ("match: {headers: {x-beta: 'a,b'}}", "/headers/x-beta", "could come in two"),
        ("match: {header: {x-beta: '1'}}", "/header", "`headers`"),
        ("match: {headers: {x-beta: 1}}", "/headers/x-beta", "as a text"),
    ],
)
def test_bad_settings_have_a_place(written: str, pointer: str, says: str) -> None:
    (found,) = compiled_with(written)
    assert found.span
    assert found.span.pointer.endswith(f"/match{pointer}")
    assert says in f"{found.message} {found.help}"


@pytest.mark.parametrize(
    ("one", "other", "clear"),
    [
        (None, None, False),
        (None, {"headers": {"x-beta": "1"}}, True),
        ({"headers": {"x-beta": "2"}}, {"headers": {"x-beta": "1"}}, True),
        ({"headers": {"x-beta": "1"}}, {"headers": {"x-beta": "1"}}, False),
        ({"headers": {"x-beta": "1"}}, {"headers": {"x-new": "1"}}, False),
        ({"headers": {"x-beta": "1"}}, {"headers": {"x-beta": "1", "x-new": "1"}}, True),
    ],
)
def test_versions_that_share_a_path_must_be_told_apart(one: object, other: object, clear: bool) -> None:
    def document(match: object) -> str:
        own = {"x-sidegate": {"match": match}} if match else {}
        return yaml.safe_dump(contract({"/x": {"get": operation()}}, **own))

    files = pets(contract=document(one)) | {"contracts/pets/v2.yaml": document(other)}
    found = {d.code for d in Compiler().compile(tree(files)).diagnostics if d.is_error}
    assert found == (set() if clear else {"path-collision"})
