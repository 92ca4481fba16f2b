"""What one exchange shows: never more than the contract has, and of each kind what OpenAPI says it is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_sidegate.coverage.points import Kind, key, points
from pytest_sidegate.coverage.seen import Exchange, seen
from sidecar.message import Judgement, Params, Request, Violation
from tests.coverage_of_contracts.shop import FILES
from tests.projects import jwks
from xds.compile import Compiler
from xds.contract.shown import shown
from xds.model import Location
from xds.source import Tree

CONTRACT = """\
openapi: 3.1.1
info: {title: Shop, version: "1"}
servers: [{url: /shop/v1}]
security: [{bearer: ["read"]}, {key: [], bearer: []}, {}]
paths:
  /things/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: string}}]
    put:
      operationId: put
      parameters:
        - {name: q, in: query, schema: {type: string}}
        - {name: X-Thing, in: header, schema: {type: string}}
        - {name: c, in: cookie, required: true, schema: {type: string}}
      requestBody: {content: {application/json: {}, text/*: {}, "*/*": {}}}
      responses:
        "200": {description: ok, content: {application/json: {}, application/*: {}}}
        2XX: {description: ok, content: {"*/*": {}}}
        5xx: {description: broken}
        default: {description: other, content: {application/problem+json: {}}}
    get:
      operationId: get
      security: []
      x-sidegate: {policy: none, reason: everybody may}
      responses: {"204": {description: nothing}}
components:
  securitySchemes:
    bearer: {type: oauth2, flows: {clientCredentials: {tokenUrl: "https://t", scopes: {read: r}}}}
    key: {type: apiKey, in: header, name: X-Key}
"""
FILE = "contracts/shop/v1.yaml"
TREE = {name: text.encode() for name, text in {**FILES, FILE: CONTRACT, "jwks.json": jwks()}.items()}
COMPILED = Compiler().compile(Tree(TREE))
VERSION = COMPILED.gateway.services[0].versions[0]
SHOWN = shown(TREE, FILE)
OPERATIONS = {operation.id: operation for operation in VERSION.operations}
POINTS = points(VERSION, SHOWN)
KEYS = {point.key for point in POINTS}

TEXTS = st.sampled_from(["application/json", "application/pdf", "text/html; charset=utf-8", "a/b", "no type", ""])
PARAMS = st.builds(
    Params,
    st.just({"id": "7"}),
    st.dictionaries(st.sampled_from(["q", "other"]), st.just("x")),
    st.dictionaries(st.sampled_from(["x-thing", "x-other"]), st.just("x")),
    st.dictionaries(st.sampled_from(["c", "d"]), st.just("x")),
)
VIOLATIONS = st.sampled_from([(), (Violation("query", "/q", "type", "must be something else"),)])


@st.composite
def exchanges(draw: Any) -> Exchange:
    operation = draw(st.sampled_from(VERSION.operations))
    request = Request(
        operation.method, "/x", None, (("content-type", draw(TEXTS)),), draw(st.sampled_from([b"", b"{}"]))
    )
    met = tuple(sorted(draw(st.sets(st.integers(0, 2))))) if operation.security else draw(st.sampled_from([(), None]))
    decision = None if operation.policy.exempt else draw(st.sampled_from([None, True, False]))
    judgement = draw(st.none() | st.builds(Judgement, PARAMS, st.none(), VIOLATIONS))
    status = draw(st.none() | st.integers(100, 599))
    return Exchange("shop/v1", operation, request, judgement, met, decision, status, draw(TEXTS))


def test_the_points_of_a_contract() -> None:
    assert len(KEYS) == len(POINTS)
    told = [f"{p.kind}: {p.what}" for p in POINTS if p.operation == "put"]
    assert told == [
        "operation: ",
        "status: 200",
        "status: 2XX",
        "status: 5xx",
        "status: default",
        "parameter: path id given",
        "parameter: query q given",
        "parameter: query q left out",
        "parameter: header x-thing given",
        "parameter: header x-thing left out",
        "parameter: cookie c given",
        "request body: application/json",
        "request body: text/*",
        "request body: */*",
        "request body: left out",
        "response body: 200 application/json",
        "response body: 200 application/*",
        "response body: 2XX */*",
        "response body: default application/problem+json",
        "security: bearer(read)",
        "security: bearer and key",
        "security: anonymous",
        "security: none met",
        "policy: allowed",
        "policy: denied",
    ]
    assert [f"{p.kind}: {p.what}" for p in POINTS if p.operation == "get"] == [
        "operation: ",
        "status: 204",
        "parameter: path id given",
    ]


@settings(max_examples=300, deadline=None)
@given(exchanges())
def test_nothing_is_seen_that_is_not_there(exchange: Exchange) -> None:
    assert seen(exchange, SHOWN[exchange.operation.place]) <= KEYS


@settings(max_examples=100, deadline=None)
@given(exchanges())
def test_a_refused_request_shows_no_parameter_and_no_body(exchange: Exchange) -> None:
    broken = exchange.judgement is None or bool(exchange.judgement.violations)
    kinds = {k.split(" ", 2)[2].split(":")[0] for k in seen(exchange, SHOWN[exchange.operation.place])}
    assert not (broken and kinds & {Kind.PARAMETER, Kind.REQUEST})


@pytest.mark.parametrize(
    ("status", "media", "told"),
    [
        (200, "application/json; charset=utf-8", {"status: 200", "response body: 200 application/json"}),
        (200, "application/pdf", {"status: 200", "response body: 200 application/*"}),
        (200, "text/plain", {"status: 200"}),
        (206, "text/plain", {"status: 2XX", "response body: 2XX */*"}),
        (503, None, {"status: 5xx"}),
        (404, "application/problem+json", {"status: default", "response body: default application/problem+json"}),
        (None, None, set()),
    ],
)
def test_answers(status: int | None, media: str | None, told: set[str]) -> None:
    """The most specific response, and the most specific of its media types, is what was seen."""
    operation = OPERATIONS["put"]
    keys = seen(Exchange("shop/v1", operation, status=status, media=media), SHOWN[operation.place])
    assert {each.removeprefix("shop/v1 put ") for each in keys} == {"operation: ", *told}


def test_locations_have_names_of_their_own() -> None:
    """`x-thing` of the query is not `x-thing` of the headers."""
    operation = OPERATIONS["put"]
    judgement = Judgement(Params({"id": "7"}, {"x-thing": "1"}, {}, {"c": "1"}), None)
    request = Request("PUT", "/shop/v1/things/7", "x-thing=1", ())
    told = seen(Exchange("shop/v1", operation, request, judgement), SHOWN[operation.place])
    assert key("shop/v1", "put", Kind.PARAMETER, f"{Location.HEADER} x-thing left out") in told
