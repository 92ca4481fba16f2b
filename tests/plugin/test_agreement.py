"""The same requests to a real gateway and to the verdicts without one: status, code, violations, operation, `Allow` agree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_sidegate.verdicts import Verdicts
from sidecar.message import Request
from tests.features.hop import Hop, contract, operation, serve
from tests.plugin.asking import disagreements
from tests.validate.contracts import request

TABLES = sorted((Path(__file__).parents[1] / "requests").glob("*.yaml"))


@pytest.fixture(scope="module")
def tables() -> dict[str, dict[str, Any]]:
    return {path.stem: yaml.safe_load(path.read_text()) for path in TABLES}


@pytest.fixture(scope="module")
def hop(tables: dict[str, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    """Every table's contract as a version, under the table's name."""
    documents = {stem: _document(stem, table["contract"]) for stem, table in tables.items()}
    with serve(tmp_path_factory.mktemp("agreement"), documents) as running:
        yield running


@pytest.fixture(scope="module")
def verdicts(hop: Hop) -> Iterator[Verdicts]:
    with Verdicts.of(hop.folder) as made:
        yield made


def _document(stem: str, given: dict[str, Any]) -> dict[str, Any]:
    base = given.get("servers", [{"url": ""}])[0]["url"].rstrip("/")
    whole = {"openapi": "3.1.1", "info": {"title": stem, "version": "1"}, "security": [], **given}
    return {**whole, "servers": [{"url": f"/{stem}{base}"}]}


@pytest.mark.parametrize("stem", [path.stem for path in TABLES])
def test_request_tables(hop: Hop, verdicts: Verdicts, tables: dict[str, dict[str, Any]], stem: str) -> None:
    rows = [(_target(stem, row), request(row)) for row in tables[stem]["requests"]]
    sent = [(r.method, target, r.headers, r.body) for target, r in rows if _is_framed(r)]
    assert len(sent) > 30
    assert disagreements(hop, verdicts, sent) == []


def _target(stem: str, row: dict[str, Any]) -> str:
    return f"/{stem}{row['send'].partition(' ')[2]}"


def _is_framed(request: Request) -> bool:
    """Whether a request says of its body's length what it has: others cannot be sent."""
    names = {name for name, _ in request.headers}
    return request.header("content-length") in (None, str(len(request.body))) and "transfer-encoding" not in names


BYTES = [bytes([b]).decode("latin-1") for b in range(1, 256) if b not in b"\n\r ?"]
ESCAPES = (
    [f"%{b:02X}" for b in range(256)] + [f"%{b:02x}" for b in range(160, 256)] + ["%", "%4", "%zz", "%2", "%u0041"]
)
SHAPES = [
    *(
        "/p/a/../b",
        "/p/a/./b",
        "/p/a/..",
        "/p/a/.",
        "/p/a/%2e%2E/b",
        "/p//a",
        "/p/a//b",
        "//p/a",
        "/p/a\\b",
        "/p/a/..%2fb",
    ),
    *(
        "/../p/a",
        "/p/..;/a",
        "/p/a;b",
        "p/a",
        "*",
        "http://h/p/a",
        "http://h:80/p/a?x=1",
        "http://h",
        "/p/a?x=%2f..%2f/../b",
    ),
    *("/p/a/", "/p/", "/p/a/b/../..//c", "/p/.%2e/p/c", "/p/...", "/p/a/%2e", "/p/%252e%252e/c", "/p/a/../../../p/z"),
    *(
        "/p/a?b#c",
        "/p/a/...//b",
        "/a/b/c//../d",
        "/a/b//c/../d/e",
        "/p/a\\..\\b",
        "/p/%2e/a",
        "/p/a/.%2E",
        "/P/a",
        "/p/a?",
    ),
    *("/p/a??", "/p/a?x=1&x=2", "/p/a?=", "/p/a?%00", "/", "", "/p", "/p/%e2%82%ac", "/p/a%20b/c"),
]
HOSTS = [
    *(
        "h",
        "H.test",
        "h.",
        "a.b:80",
        "a:99999",
        "[::1]",
        "[::1]:80",
        "a_b",
        "a@b",
        "a,b",
        "x%41",
        "a:",
        "1.2.3.4:65535",
        "a..b",
    ),
    *("one.test", "ONE.test:8080", "a.wild.test", "b.a.wild.test", "wild.test", "deep.wild.test", "two.test"),
]
METHODS = [
    "GET",
    "get",
    "FOO",
    "PURGE",
    "TRACE",
    "M-SEARCH",
    "MSEARCH",
    "G@T",
    "HEAD",
    "OPTIONS",
    "QUERY",
    "PROPFIND",
    "PUT",
]
HEADERS = [
    *(
        [("x_y", "1")],
        [("x.y", "1")],
        [("x-a", "1"), ("x-a", "2")],
        [("x-b", "\x01")],
        [("x-b", "\xe9")],
        [("x y", "1")],
    ),
    *([("x-envoy-original-path", "/p/b")], [("x-sidegate-operation", "z")], [("x-forwarded-host", "two.test")]),
    *([("host", "h"), ("host", "other")], [(f"x-{n}", "1") for n in range(70)], [("x-long", "a" * 17_000)]),
    [(f"x-{n}", "1") for n in range(50)],
]


def _parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hop, Verdicts]]:
    """Paths of several lengths, on any host and on some by name."""
    paths = {
        f"/{letter}/" + "/".join(f"{{{name}}}" for name in names): {
            "get": operation(operationId=f"{letter}{names}", parameters=[_parameter(name) for name in names])
        }
        for letter, names in (("p", "x"), ("p", "xy"), ("a", "xyz"))
    }
    named = contract(
        {"/p/{x}": {"get": operation(operationId="named", parameters=[_parameter("x")])}}, servers=[{"url": "/n"}]
    )
    more = {
        "services": {"one": {"upstream": "http://127.0.0.1:9", "hosts": ["one.test", "*.wild.test", "deep.wild.test"]}}
    }
    policy = {"policies/one/authz.rego": "package one.authz\n\ndefault allow := false\n"}
    files = {"contracts/one/v1.yaml": yaml.safe_dump(named), **policy}
    with (
        serve(tmp_path_factory.mktemp("plain"), contract(paths), settings=more, files=files) as hop,
        Verdicts.of(hop.folder) as verdicts,
    ):
        yield hop, verdicts


def test_every_byte_of_a_path(plain: tuple[Hop, Verdicts]) -> None:
    targets = [f"/p/x{text}y" for text in (*BYTES, *ESCAPES)]
    assert disagreements(*plain, (("GET", target, (), b"") for target in targets)) == []


def test_shapes_of_paths(plain: tuple[Hop, Verdicts]) -> None:
    targets = [target for target in SHAPES if target]
    assert disagreements(*plain, (("GET", target, (), b"") for target in targets)) == []


def test_hosts(plain: tuple[Hop, Verdicts]) -> None:
    asked = [(host, path) for host in HOSTS for path in ("/p/a", "/n/p/a")]
    assert disagreements(*plain, (("GET", path, [("host", host)], b"") for host, path in asked)) == []


def test_methods(plain: tuple[Hop, Verdicts]) -> None:
    assert disagreements(*plain, ((method, "/p/a", (), b"") for method in METHODS)) == []


@pytest.mark.parametrize("headers", HEADERS, ids=lambda pairs: pairs[0][0])
def test_headers(plain: tuple[Hop, Verdicts], headers: list[tuple[str, str]]) -> None:
    assert disagreements(*plain, [("GET", "/p/a", headers, b"")]) == []
