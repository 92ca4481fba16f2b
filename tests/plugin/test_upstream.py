"""The stubbed service: it answers what its contract shows, or something made by it, and every lie is found out."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from werkzeug import Response

from pytest_sidegate.made import Unmade, made
from pytest_sidegate.project import Staged
from pytest_sidegate.responses import Answered, Judge
from pytest_sidegate.upstream import Lied, Upstream, stub
from tests.plugin.service import BROKEN, ITEM, answers, contract, write
from tests.waiting import PATIENCE_S
from xds.model import Place


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upstream]:
    upstream = Upstream()
    upstream.server.start()
    upstream.stands_for(Staged.of(write(tmp_path_factory.mktemp("upstream")), upstream=upstream.url))
    try:
        yield upstream
    finally:
        upstream.stop()


@pytest.fixture
def upstream(served: Upstream) -> Upstream:
    served.reset()
    return served


def _ask(upstream: Upstream, method: str, path: str) -> tuple[int, bytes]:
    body = b'{"name": "Lamp"}' if method == "POST" else None
    request = urllib.request.Request(upstream.url + path, body, {"content-type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@pytest.mark.parametrize("at", answers())
def test_it_answers_what_the_contract_shows(upstream: Upstream, at: tuple[str, str]) -> None:
    status, body = _ask(upstream, *at)
    assert status == answers()[at].status_code
    if body:
        assert json.loads(body) in (ITEM, [ITEM])
    upstream.check()


@pytest.mark.parametrize(
    "place", [place for place in BROKEN if place != "another status"]
)  # the contract has that one too
def test_a_lie_is_found_out(upstream: Upstream, place: str) -> None:
    (method, path), response, words = BROKEN[place]
    upstream.server.expect_oneshot_request(path, method=method).respond_with_response(
        Response(response.get_data(), response.status_code, dict(response.headers))
    )
    _ask(upstream, method, path)
    with pytest.raises(Lied, match=words):
        upstream.check()


def test_what_a_test_says_ends_with_it(upstream: Upstream) -> None:
    upstream.answer("remove", 204)
    upstream.answer("shop/v1 get", 404, json={}, media="application/problem+json")
    assert _ask(upstream, "GET", f"/shop/v1/items/{ITEM['id']}")[0] == 404
    upstream.check()
    upstream.reset()
    assert _ask(upstream, "GET", f"/shop/v1/items/{ITEM['id']}")[0] == 200


def test_what_no_contract_has_is_no_answer_of_ours(upstream: Upstream) -> None:
    assert _ask(upstream, "GET", "/elsewhere")[0] == 501


SCHEMAS = {
    "bare object": {
        "type": "object",
        "required": ["a"],
        "properties": {"a": {"type": "string"}, "b": {"type": "integer"}},
    },
    "formats": {
        "type": "object",
        "required": ["u", "d", "m"],
        "properties": {
            f[0]: {"type": "string", "format": f} for f in ("uuid", "date", "mail", "email", "ipv4", "hostname")
        },
    },
    "numbers": {"type": "array", "minItems": 3, "items": {"type": "number", "exclusiveMinimum": 3, "multipleOf": 0.5}},
    "bounds": {"type": "integer", "minimum": 7, "maximum": 9},
    "below": {"type": "number", "maximum": -3},
    "enum": {"enum": ["x", "y"]},
    "nullable": {"type": ["string", "null"]},
    "lengths": {"type": "string", "minLength": 9, "maxLength": 9},
    "short": {"type": "string", "maxLength": 2},
    "pattern": {"type": "string", "pattern": "^[0-9]+$"},
    "all of": {
        "allOf": [
            {"type": "object", "required": ["a"], "properties": {"a": {"type": "boolean"}}},
            {"type": "object", "required": ["b"], "properties": {"b": {"const": 3}}},
        ]
    },
    "one of": {"oneOf": [{"type": "integer"}, {"type": "string"}]},
    "itself": {"$ref": "#/components/schemas/Node"},
}
NODE = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string"}, "next": {"$ref": "#/components/schemas/Node"}},
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_what_is_made_keeps_the_contract(tmp_path: Path, name: str) -> None:
    document = contract()
    document["components"]["schemas"] = {"Node": NODE}
    media = document["paths"]["/items/{id}"]["get"]["responses"]["200"]["content"]
    media["application/json"] = {"schema": SCHEMAS[name]}
    staged = Staged.of(write(tmp_path, v1=document))
    version = staged.version("shop", "v1")
    operation = next(o for o in version.operations if o.id == "get")
    shown = staged.shown(version)
    content = shown[operation.place].responses[0].contents[0]
    value = made(staged.files, content.place, "schema", version.place.file)
    case = next(c for c in _cases(staged) if c.operation.id == "get")
    answer = Answered(200, (("content-type", "application/json"),), json.dumps(value).encode())
    assert Judge(version, staged.files, shown).answer(operation, case.request, answer) == ()


_LISTED = {"type": "array", "items": {"type": "integer"}}
_PAIR = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "boolean"}}}
HEADERS = {
    "shown": ({"schema": _LISTED, "example": [1, 2]}, "1,2"),
    "made": ({"schema": {**_LISTED, "minItems": 3}}, "1,1,1"),
    "pairs": ({"schema": _PAIR, "example": {"a": 1, "b": True}}, "a,1,b,true"),
    "exploded": ({"schema": _PAIR, "explode": True, "example": {"a": 1, "b": True}}, "a=1,b=true"),
    "of a media type": ({"content": {"application/json": {"schema": _LISTED, "example": [1, 2]}}}, "[1, 2]"),
    "referred to": ({"$ref": "#/components/headers/Sizes"}, "3,4"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_headers_are_written_as_headers_are(tmp_path: Path, name: str) -> None:
    header, written = HEADERS[name]
    document = contract()
    document["components"]["headers"] = {"Sizes": {"schema": _LISTED, "example": [3, 4]}}
    document["paths"]["/items/{id}"]["get"]["responses"]["200"]["headers"] = {"X-Sizes": header}
    staged = Staged.of(write(tmp_path, v1=document))
    version = staged.version("shop", "v1")
    operation = next(o for o in version.operations if o.id == "get")
    made_up = stub(staged, version, operation)
    assert made_up.headers["x-sizes"] == written
    answer = Answered(200, tuple((k.lower(), v) for k, v in made_up.headers), made_up.get_data())
    case = next(c for c in _cases(staged) if c.operation.id == "get")
    assert Judge(version, staged.files, staged.shown(version)).answer(operation, case.request, answer) == ()


def _cases(staged: Staged):  # type: ignore[no-untyped-def]
    from pytest_sidegate.cases import cases

    version = staged.version("shop", "v1")
    return cases(version, staged.shown(version))


def test_what_cannot_be_made_says_where_an_example_would_do() -> None:
    document = {"x": {"schema": {"type": "string", "pattern": "^(ab){7}c$"}}}
    with pytest.raises(Unmade, match=r"f\.yaml#/x: no text is made for a pattern: write an example there"):
        made({"f.yaml": yaml.safe_dump(document).encode()}, Place("f.yaml", "/x"), "schema", "f.yaml")
