"""Versions that share paths, conditions and sunsets: the gateway and the verdicts choose the same operation, or none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pytest_sidegate.verdicts import Verdicts
from tests.features.hop import Hop, contract, operation, serve
from tests.plugin.asking import disagreements

LIMIT = {"in": "query", "name": "limit", "schema": {"type": "integer"}}
IDENTIFIER = {"in": "path", "name": "id", "required": True, "schema": {"type": "string"}}
SELECTORS = {
    "header": {"header": "Api-Version"},
    "query": {"query": "v"},
    "media": {"mediaType": "application/vnd.shop.{version}+json"},
}


def _documents(base: str, selector: dict[str, str]) -> dict[str, dict[str, Any]]:
    """v1 is the default; v2 needs a token and has more; v3 has another path and lacks the first."""

    def named(value: str, **more: Any) -> dict[str, Any]:
        return {"servers": [{"url": f"/{base}"}], "x-sidegate": {"version": {**selector, "value": value, **more}}}

    thing = {"/things/{id}": {"get": operation(operationId="thing", parameters=[IDENTIFIER])}}
    first = {"/things": {"get": operation(operationId="one", parameters=[LIMIT])}, **thing}
    second = {
        "/things": {
            "get": operation(operationId="two", security=[{"bearer": []}]),
            "post": operation(operationId="put"),
        },
        "/things/special": {"get": operation(operationId="special")},
    }
    third = {"/new": {"get": operation(operationId="three")}}
    return {
        "v1": contract(first, **named("1", default=True)),
        "v2": contract(second, **named("2")),
        "v3": contract(third, **named("3-beta")),
    }


def _matched() -> dict[str, Any]:
    """Operations for some requests of a path, and some that are gone or will be."""
    beta = {"match": {"headers": {"x-beta": "1"}}}
    old, soon = {"sunset": "2020-01-01", "successor": "https://example.com/new"}, {"sunset": "2999-01-01"}
    return contract({
        "/only": {"get": operation(operationId="only", x_sidegate=beta)},
        "/gone": {"get": operation(operationId="gone", x_sidegate=old)},
        "/soon": {"get": operation(operationId="soon", x_sidegate=soon)},
        "/worded": {"get": operation(operationId="worded", x_sidegate={**old, "errors": {"gone": {"detail": "Ask for v2."}}})},
        "/own": {"get": operation(operationId="own", x_sidegate={**old, "errors": {"410": {
            "body": {"over": "${sunset}", "go": "to ${successor}", "trace": "${traceId}"}, "mediaType": "application/json",
        }}})},
    }, servers=[{"url": "/matched"}])  # fmt: skip


@pytest.fixture(
    scope="module",
    params=["header", pytest.param("query", marks=pytest.mark.slow), pytest.param("media", marks=pytest.mark.slow)],
)
def asked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hop, Verdicts]]:
    documents = _documents("shop", SELECTORS[request.param])
    if request.param == "header":
        documents["matched"] = _matched()
    with serve(tmp_path_factory.mktemp("versions"), documents) as hop, Verdicts.of(hop.folder) as verdicts:
        yield hop, verdicts


VALUES = ("1", "2", "3-beta", "4", "", "02", "2,1", "3-BETA")


def test_the_same_version_is_meant(asked: tuple[Hop, Verdicts]) -> None:
    media = [f"application/vnd.shop.{value}+json" for value in VALUES]
    accepts = [
        *media,
        f"{media[0]};q=0.5, {media[1]}",
        f"{media[1]};q=0, {media[0]}",
        "*/*",
        "text/html",
        f"{media[0]}, {media[1]}",
    ]
    requests = [
        (method, f"/shop{path}{query}", headers, b"")
        for path in ("/things", "/things/special", "/things/a", "/new", "/nowhere")
        for method in ("GET", "PUT")
        for query, headers in (
            ("", ()),
            *((f"?v={value}", ()) for value in VALUES),
            *(("", [("api-version", value)]) for value in VALUES),
            *(("", [("accept", accept)]) for accept in accepts),
            ("?limit=x", ()),
            ("?v=1&v=2", ()),
            ("?%76=1", ()),
        )
    ]
    assert disagreements(*asked, requests) == []


@pytest.mark.parametrize("asked", ["header"], indirect=True)
def test_conditions_and_sunsets(asked: tuple[Hop, Verdicts]) -> None:
    paths = [f"/matched/{name}" for name in ("only", "gone", "soon", "worded", "own")]
    requests = [
        (m, path, h, b"") for path in paths for m in ("GET", "PUT") for h in ((), [("x-beta", "1")], [("x-beta", "2")])
    ]
    assert disagreements(*asked, requests) == []
