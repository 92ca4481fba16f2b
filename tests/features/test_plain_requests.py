"""Requests that keep their contract by their form ask no companion, and every other one gets the companion's verdict.

One contract is served twice in one gateway: below `/v1` with `policy: none`, so that plain requests are judged by their
routes, and below `/v2` with a policy that allows everything, so that the companion judges all of them.
"""

from __future__ import annotations

import json
import random
import signal
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.blackbox.http2 import Connection, Stream, request
from tests.features.hop import Hop, contract, operation, serve
from tests.projects import CONTRACT, compiled, pets
from tests.waiting import PATIENCE_S
from xds.passes.form import plain_of

UUID = "0b5c1f0e-3d0c-4f2a-9a57-000000000001"


def _in(where: str, name: str, required: bool = False, **schema: Any) -> dict[str, Any]:
    return {"in": where, "name": name, "required": required or where == "path", "schema": schema}


BODY = {"content": {"application/json": {"schema": {"type": "object", "required": ["a"]}}}}
SHAPES: dict[str, dict[str, Any]] = {
    "/list": {"get": {}, "delete": {}, "head": {}, "post": {}},
    "/open": {"get": {"x-sidegate": {"undeclared": "pass"}}},
    "/report": {"get": {"x-sidegate": {"mode": "report"}}},
    "/page": {"get": {"parameters": [_in("query", "limit", type="integer", minimum=1)]}},
    "/head": {"get": {"parameters": [_in("header", "X-Few", type="integer"), _in("cookie", "c", type="boolean")]}},
    "/body": {"post": {"requestBody": BODY}},
    "/any/{v}": {"get": {"parameters": [_in("path", "v", type="string")]}},
    "/uuid/{v}": {"get": {"parameters": [_in("path", "v", type="string", format="uuid")]}},
    "/enum/{v}": {"get": {"parameters": [_in("path", "v", type="string", enum=["a.b", "c", "d/e"])]}},
    "/some/{v}": {"get": {"parameters": [_in("path", "v", type="string", minLength=2, maxLength=4)]}},
    "/int/{v}": {"get": {"parameters": [_in("path", "v", type="integer", format="int32", minimum=1)]}},
    "/flag/{v}": {"get": {"parameters": [_in("path", "v", type="boolean")]}},
    "/both/{v}/x/{w}": {"get": {"parameters": [_in("path", "v", type="string"), _in("path", "w", type="integer")]}},
    "/must": {"get": {"parameters": [_in("query", "q", True, type="string")]}},
    "/two": {
        "get": {"parameters": [_in("query", "q", type="string", maxLength=3), _in("query", "a.b", type="boolean")]}
    },
    "/pattern/{v}": {"get": {"parameters": [_in("path", "v", type="string", pattern="^[a-c]+$")]}},
    "/many": {
        "get": {
            "parameters": [
                _in("query", "sort", type="string", pattern="^-?[a-z]{1,7}$", maxLength=8),
                _in("query", "limit", type="integer", minimum=1, maximum=100),
                _in("query", "after", type="string", format="date"),
                _in("query", "price", type="number", minimum=0, maximum=10),
                _in("query", "kind", True, type="string", enum=["a", "b"]),
                _in("query", "tags", type="array", items={"type": "string"}),
            ]
        }
    },
    # what no rule covers
    "/told": {"post": {"requestBody": {**BODY, "required": True}}},
    "/mixed/{v}.json": {"get": {"parameters": [_in("path", "v", type="string")]}},
}


def _paths(policy: dict[str, str], prefix: str) -> dict[str, Any]:
    return {
        prefix + path: {
            method: operation(
                operationId=f"{prefix[1:]}{method}{path}".translate(str.maketrans("/{}.", "____")),
                **{**own, "x-sidegate": {**policy, **own.get("x-sidegate", {})}},
            )
            for method, own in methods.items()
        }
        for path, methods in SHAPES.items()
    }


NONE = {"policy": "none", "reason": "for the test"}


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    document = contract({**_paths(NONE, "/v1"), **_paths({}, "/v2")})
    with serve(tmp_path_factory.mktemp("plain"), document) as running:
        yield running


def _raw(hop: Hop, text: bytes) -> tuple[int, bytes]:
    """One request as it is written, to its end."""
    port = httpx.URL(hop.gateway.url).port
    with socket.create_connection(("127.0.0.1", int(port or 0)), timeout=PATIENCE_S) as s:
        s.sendall(text)
        got = b""
        while chunk := s.recv(65536):
            got += chunk
    head, _, body = got.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


Verdict = tuple[int, dict[str, Any]]


def _verdict(hop: Hop, prefix: str, method: str, path: str, headers: str = "", body: str = "") -> Verdict:
    """Status and problem document, without what differs by prefix and by request."""
    head = f"{method} {prefix}{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n"
    status, text = _raw(hop, (head + body).encode("latin-1"))
    problem = json.loads(text) if status != 200 and text else {}
    return status, {k: v for k, v in problem.items() if k not in ("traceId", "operationId")}


JSON = "content-type: application/json\r\n"
CHUNKED = "transfer-encoding: chunked\r\n"
PLAIN = [
    ("GET", "/list", ""),
    ("HEAD", "/list", ""),
    ("DELETE", "/list", ""),
    ("POST", "/list", ""),
    ("POST", "/list", "content-length: 0\r\n"),
    ("GET", "/open", ""),
    ("GET", "/report", ""),
    ("GET", "/page", ""),
    ("GET", "/head", ""),
    ("POST", "/body", ""),
    ("GET", "/any/a-b.c@d:e", ""),
    ("GET", f"/uuid/{UUID}", ""),
    ("GET", "/enum/a.b", ""),
    ("GET", "/some/abcd", ""),
    ("GET", "/int/42", ""),
    ("GET", "/flag/true", ""),
    ("GET", "/both/a/x/0", ""),
    ("GET", "/page?limit=3", ""),
    ("GET", "/must?q=a", ""),
    ("GET", "/two", ""),
    ("GET", "/two?a.b=true&q=x+y", ""),
    ("GET", "/two?q=a=b", ""),
    ("GET", "/pattern/abc", ""),
    ("GET", "/many?kind=a", ""),
    ("GET", "/many?limit=100&kind=b&sort=-name", ""),
    ("GET", "/many?after=2026-01-28&price=9.99&kind=a&limit=1&sort=z", ""),
]
OTHERS: list[tuple[int, str, str, str, str]] = [
    (400, "GET", "/list?a=1", "", ""),
    (200, "GET", "/list?", "", ""),
    (200, "GET", "/list?&&", "", ""),
    (400, "GET", "/list", "content-length: 1\r\n", "x"),
    (200, "GET", "/list", "content-length: 0\r\n", ""),
    (400, "POST", "/list", CHUNKED, "1\r\nx\r\n0\r\n\r\n"),
    (200, "DELETE", "/list", CHUNKED, "0\r\n\r\n"),
    (200, "GET", "/open?x=1", "", ""),
    (400, "GET", "/open?x%FF=1", "", ""),
    (400, "GET", "/open", "content-length: 1\r\n", "x"),
    (200, "GET", "/report?a=1", "", ""),
    (400, "GET", "/page?limit=3&limit=3", "", ""),
    (400, "GET", "/page?limit=3#", "", ""),
    (400, "GET", "/page?limit", "", ""),
    (200, "GET", "/page?limit=3&", "", ""),
    (200, "GET", "/page?l%69mit=3", "", ""),
    (400, "GET", "/two?aXb=true", "", ""),
    (400, "GET", "/two?q=abcd", "", ""),
    (400, "GET", "/two?q=a&q=b", "", ""),
    (400, "GET", "/two?a.b=maybe&q=a", "", ""),
    (200, "GET", "/two?q=%61", "", ""),
    (400, "GET", "/page?limit=0", "", ""),
    (400, "GET", "/page?limit=1&limit=2&o=1", "", ""),
    (200, "GET", "/head", "x-few: 3\r\n", ""),
    (400, "GET", "/head", "X-FEW: x\r\n", ""),
    (400, "GET", "/head", "cookie: c=maybe\r\n", ""),
    (200, "GET", "/head", "cookie: other=1\r\n", ""),
    (400, "POST", "/body", JSON + "content-length: 2\r\n", "{}"),
    (200, "POST", "/body", JSON + "content-length: 7\r\n", '{"a":1}'),
    (415, "POST", "/body", "content-length: 7\r\n", '{"a":1}'),
    (200, "GET", "/any/%C3%BC", "", ""),
    (400, "GET", "/any/%FF", "", ""),
    (400, "GET", "/uuid/x", "", ""),
    (200, "GET", "/enum/c", "x-sidegate-protocol: HTTP/2\r\n", ""),
    (400, "GET", "/enum/C", "", ""),
    (400, "GET", "/enum/axb", "", ""),
    (400, "GET", "/some/a", "", ""),
    (400, "GET", "/some/abcde", "", ""),
    (200, "GET", "/some/%61b", "", ""),
    (400, "GET", "/int/0", "", ""),
    (400, "GET", "/int/007", "", ""),
    (400, "GET", "/int/2147483648", "", ""),
    (200, "GET", "/int/2147483647", "", ""),
    (400, "GET", "/flag/True", "", ""),
    (400, "GET", "/both/a/x/b?c", "", ""),
    (400, "GET", "/must", "", ""),
    (400, "POST", "/told", "", ""),
    (400, "GET", "/pattern/d", "", ""),
    (400, "GET", "/many", "", ""),
    (400, "GET", "/many?limit=1", "", ""),
    (400, "GET", "/many?kind=a&kind=a", "", ""),
    (400, "GET", "/many?kind=a&limit=1&limit=1", "", ""),
    (400, "GET", "/many?kind=a&limit=101", "", ""),
    (400, "GET", "/many?kind=a&price=10.1", "", ""),
    (200, "GET", "/many?kind=a&price=10.0", "", ""),
    (400, "GET", "/many?kind=a&sort=-Name", "", ""),
    (400, "GET", "/many?kind=a&sort=abcdefghi", "", ""),
    (400, "GET", "/many?kind=a&after=2026-02-30", "", ""),
    (200, "GET", "/many?kind=a&after=2024-02-29", "", ""),
    (200, "GET", "/many?kind=a&tags=x&tags=y", "", ""),
    (400, "GET", "/many?kind=a&other=1", "", ""),
    (400, "GET", "/many?sort=kind=a", "", ""),
    (200, "GET", "/mixed/a.json", "", ""),
    (404, "GET", "/any/", "", ""),
    (405, "PUT", "/list", "", ""),
]


@pytest.mark.parametrize(
    ("expected", "method", "path", "headers", "body"),
    [*((200, *row, "") for row in PLAIN), *OTHERS],
)
def test_both_placements_say_the_same(hop: Hop, expected: int, method: str, path: str, headers: str, body: str) -> None:
    here, there = (_verdict(hop, prefix, method, path, headers, body) for prefix in ("/v1", "/v2"))
    assert here == there
    assert here[0] == expected


def test_generated_requests(hop: Hop) -> None:
    """Paths, queries, headers and bodies in any combination, from pieces that lie on both sides of each rule."""
    made = random.Random(4)
    texts = ["a", "ab", "a.b", "true", "1", "0", "-1", "01", "123456789", "1234567890", UUID, UUID.upper(), "%61", "%ff",
             "a,b", "a%2Cb", "(", "~", "a=b", "1.0", "1e0", "null", "%00", "c", "d"]  # fmt: skip
    queries = [
        "",
        "",
        "",
        "?",
        "?&",
        "?limit=1",
        "?limit=x",
        "?limit=1&q=a",
        "?q=a&a.b=true",
        "?q=",
        "?q=a&q=a",
        "?%",
        "?a=%ff",
        "?q=1",
        "?kind=a&sort=ab&limit=5",
        "?kind=a&kind=b",
        "?price=0.5&kind=b&after=2026-13-01",
        "?kind=b&sort=",
    ]
    lines = [
        "",
        "",
        "",
        "x-few: 1\r\n",
        "x-few: x\r\n",
        "cookie: c=true\r\n",
        "cookie: c=1\r\n",
        "accept: */*\r\n",
        JSON,
    ]
    bodies = [("", ""), ("", ""), ("content-length: 0\r\n", ""), ("content-length: 2\r\n", "{}"),
              (CHUNKED, "2\r\n{}\r\n0\r\n\r\n"), ("content-length: 7\r\n", '{"a":1}')]  # fmt: skip
    seen = set()
    for _ in range(400):
        path, methods = made.choice(list(SHAPES.items()))
        method = made.choice(list(methods)).upper()
        for name in ("{v}", "{w}"):
            path = path.replace(name, made.choice(texts))
        length, body = made.choice(bodies)
        request = (method, path + made.choice(queries), made.choice(lines) + length, body)
        here, there = (_verdict(hop, prefix, *request) for prefix in ("/v1", "/v2"))
        assert here == there, request
        seen.add(here[0])
    assert {200, 400} <= seen


def test_plain_requests_ask_nobody(hop: Hop) -> None:
    """With the companion stopped they pass, and whatever would have to be judged is refused."""
    hop.gateway.kill("companion", signal.SIGSTOP)
    try:
        for method, path, headers in PLAIN:
            assert _verdict(hop, "/v1", method, path, headers)[0] == 200, path
        for path in (
            "/list?a=1",
            "/open?x=1",
            "/page?limit=%33",
            "/any/%C3%BC",
            "/pattern/d",
            "/many?kind=a&tags=x",
            "/mixed/a.json",
        ):
            assert _verdict(hop, "/v1", "GET", path)[0] == 503, path
        assert _verdict(hop, "/v1", "POST", "/list", "content-length: 1\r\n", "x")[0] == 503
        assert _verdict(hop, "/v2", "GET", "/list")[0] == 503
    finally:
        hop.gateway.kill("companion", signal.SIGCONT)


def _http2(hop: Hop, method: str, path: str, *data: bytes, **more: str) -> Stream:
    """A request of HTTP/2: one frame with its headers, which ends the stream if no data come, and a frame for each of these."""
    fields = request(path, None, method, *((name.replace("_", "-"), value) for name, value in more.items()))
    with Connection(hop.gateway.port, timeout=PATIENCE_S) as connection:
        connection.headers(1, fields, end=not data)
        for number, each in enumerate(data, 1):
            connection.data(1, each, end=number == len(data))
        return connection.answer(1)


def test_plain_requests_of_http_2_ask_nobody(hop: Hop) -> None:
    """Their headers do not tell whether a body comes; that the stream ends with them does."""
    hop.gateway.kill("companion", signal.SIGSTOP)
    try:
        for method, path, headers in PLAIN:
            length = {"content_length": "0"} if headers else {}
            assert _http2(hop, method, f"/v1{path}", **length).status == 200, path
        for path in ("/v1/list?a=1", "/v1/pattern/d", "/v2/list"):
            assert _http2(hop, "GET", path).status == 503, path
        assert _http2(hop, "GET", "/v1/list", b"").status == 503
        assert _http2(hop, "GET", "/v1/list", b"x").status == 503
    finally:
        hop.gateway.kill("companion", signal.SIGCONT)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_body_of_http_2_is_refused_announced_or_not(hop: Hop, method: str) -> None:
    since = len(hop.server.log)
    for data in ([b"x"], [b"", b"x"], [b"x" * 16_000] * 4):
        size = sum(map(len, data))
        for more in ({}, {"content_length": str(size)}):
            refused = _http2(hop, method, "/v1/list", *data, **more)
            assert (refused.status, json.loads(refused.body)["code"]) == (400, "unexpected-body")
    assert _http2(hop, method, "/v1/list", b"x", content_length="0").reset is not None
    assert hop.reached(since) == []


def test_a_stream_that_ends_late_is_asked_about(hop: Hop) -> None:
    """Without a body, but nothing says so in time."""
    assert _http2(hop, "DELETE", "/v1/list", b"").status == 200
    assert "script log" not in (hop.folder / ".sidegate/envoy.log").read_text()


def test_generated_requests_of_http_2(hop: Hop) -> None:
    made = random.Random(2)
    queries, bodies = ["", "", "?a=1", "?limit=1", "?q=a&a.b=true", "?"], [(), (), (b"",), (b"x",)]
    for _ in range(60):
        path, methods = made.choice(list(SHAPES.items()))
        method = made.choice(list(methods)).upper()
        for name in ("{v}", "{w}"):
            path = path.replace(name, made.choice(["a", "1", "true", UUID, "%61", "a.b"]))
        path, data = path + made.choice(queries), made.choice(bodies)
        here, there = (_http2(hop, method, prefix + path, *data) for prefix in ("/v1", "/v2"))
        assert _told(here) == _told(there), (method, path, data)


def _told(stream: Stream) -> Verdict:
    problem = json.loads(bytes(stream.body)) if stream.status >= 400 and stream.body else {}
    return stream.status, {k: v for k, v in problem.items() if k not in ("traceId", "operationId")}


def test_the_upstream_sees_nothing_of_it(hop: Hop) -> None:
    since = len(hop.server.log)
    assert hop.client.get("/v1/list").status_code == 200
    (request,) = hop.reached(since)
    assert [name for name in dict(request.headers) if name.lower().startswith("x-sidegate")] == []


def test_which_operations_have_a_form() -> None:
    document = CONTRACT.replace("/open:\n    get:", "/open:\n    get:\n      parameters: [{in: query, name: q}]")
    for text, whole in ((CONTRACT, True), (document.replace("name: q", "name: q, schema: {type: string}"), False)):
        (version,) = compiled(pets(contract=text)).gateway.services[0].versions
        forms = {o.id: plain_of(o, version.schemas) for o in version.operations}
        assert (forms["listPets"], forms["addPet"]) == (None, None)
        assert forms["open"] is not None
        assert forms["open"].whole is whole
        (own,) = (o for o in version.operations if o.id == "open")
        placed = {c.kind: c.placement.value for c in own.checks}
        assert placed["parameters"] == ("native" if whole else "companion")
