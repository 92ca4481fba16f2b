"""The edge of a real Envoy: what is refused before anybody is asked, what is taken off, what is answered."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.envoy.models import gateway, operation, version
from tests.envoy.proxy import Answer, Proxy, Seen, Server, proxy
from tests.waiting import until
from xds.envoy import Collector, Limits
from xds.model import Gateway, Mode

OPERATIONS = (
    operation("GET /v1/items"), operation("POST /v1/items", body="application/json"), operation("GET /v1/items/{id}"),
    operation("PUT /v1/large", body="application/json", limit=3 << 20), operation("GET /v1/off", mode=Mode.OFF),
    operation("POST /v1/upload", body="application/octet-stream"), operation("GET /v1/public/{slug}"),
    operation("GET /v1/matrix/{at}", matrix="at"),
)  # fmt: skip
TRACE = re.compile("[0-9a-f]{32}")


def _companion(seen: Seen) -> Answer:
    if "deny" in seen.path:
        headers = [
            ("content-type", "application/problem+json"),
            ("x-sidegate-code", "policy-denied"),
            ("x-why", "because"),
        ]
        return Answer(403, headers, b'{"code":"policy-denied"}')
    if "moved" in seen.path:
        return Answer(302, [("content-type", "text/html"), ("location", "/elsewhere")], b"<p>")
    if "boom" in seen.path:
        return Answer(500, [("x-sidegate-code", "internal")], b"Traceback")
    if "late" in seen.path:
        return Answer(delay=1.5)
    allowed = [
        ("x-user", "alice"), ("deprecation", "true"), ("x-sidegate-down-note", "1"), ("x-sidegate-code", "unknown-parameter"),
        ("x-envoy-auth-headers-to-remove", "x-secret"),
    ]  # fmt: skip
    return Answer(200, allowed)


def _upstream(seen: Seen) -> Answer:
    return Answer(delay=2) if "slow" in seen.path else Answer(body=b"ok")


def _gateway(port: int) -> Gateway:
    return gateway(version("ref/v1", OPERATIONS, f"http://127.0.0.1:{port}"))


@pytest.fixture(scope="module")
def envoy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("envoy")
    with proxy(_gateway, folder, companion=_companion, upstream=_upstream, limits=Limits(upstream_s=1)) as running:
        yield running


def _status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


def _raw(envoy: Proxy, target: bytes, *headers: bytes) -> bytes:
    lines = [b"GET " + target + b" HTTP/1.1", *(headers or (b"host: good",)), b"connection: close"]
    return envoy.raw(b"\r\n".join(lines) + b"\r\n\r\n")


PATHS = {
    b"/v1/items/../internal": 404, b"//v1/internal": 404, b"/v1//items": 200, b"/v1/items/": 404, b"/v1\\items": 200,
    b"/v1/items%2F..%2Fx": 400, b"/v1/items/%5c..%5cx": 400, b"/v1/public/x;/../../internal": 404, b"/v1/public/..;": 404,
    b"/v1/public/..;/x": 404, b"/v1/public/a;b": 404, b"/v1/public/%00": 400, b"/V1/items": 404, b"/v1/items#/../x": 400,
    b"/v1/%69tems": 200, b"/v1/items%3F/..": 404, b"/v1/items/.": 404, b"/v1/items/..": 404, b"*": 400,
    b"/v1/items?x=/../internal": 200, b"/v1/matrix/;at=1": 200, b"/v1/matrix/a": 404, b"/v1/public/a%20b": 200,
    b"/v1/items/../../v1/./items": 200, b"/../" * 9000: 431, b"http://other/v1/items": 200, b"/v1/public/a b": 400,
}  # fmt: skip


@pytest.mark.parametrize("target", PATHS, ids=lambda target: target[:30].decode())
def test_paths(envoy: Proxy, target: bytes) -> None:
    before = len(envoy.upstream.seen)
    answer = _raw(envoy, target)
    assert _status(answer) == PATHS[target], answer
    if PATHS[target] == 200:
        path = envoy.upstream.seen[-1].path
        assert "//" not in path
        assert "/.." not in path.partition("?")[0]
    else:
        assert len(envoy.upstream.seen) == before
        assert b"application/problem+json" in answer


HEADERS = {
    "two hosts": ((b"host: good", b"host: bad"), 400), "port": ((b"host: good:99999",), 400), "dot": ((b"host: good.",), 400),
    "user": ((b"host: u@good",), 400), "no host": ((b"x: y",), 400), "empty host": ((b"host: ",), 400),
    "list": ((b"host: good, bad",), 400), "IPv6": ((b"host: [::1]:80",), 200), "highest port": ((b"host: good:65535",), 200),
    "underscore": ((b"host: a", b"x_forwarded_for: 1"), 400), "64 KiB": ((b"host: a", b"x: " + b"a" * 65536), 431),
    "200 headers": ((b"host: a", *(b"x%d: y" % n for n in range(200))), 431),
    "CL and TE": ((b"host: a", b"content-length: 5", b"transfer-encoding: chunked"), 400),
    "TE": ((b"host: a", b"transfer-encoding: xchunked"), 501), "baggage": ((b"host: a", b"baggage: " + b"b" * 10000), 200),
    "websocket": ((b"host: a", b"upgrade: websocket", b"connection: upgrade"), 403),
    "traceparent": ((b"host: a", b"traceparent: junk", b"tracestate: ,,=,"), 200),
}  # fmt: skip


@pytest.mark.parametrize("name", HEADERS)
def test_headers(envoy: Proxy, name: str) -> None:
    headers, status = HEADERS[name]
    before = len(envoy.upstream.seen)
    answer = _raw(envoy, b"/v1/items", *headers)
    assert _status(answer) == status, answer
    assert len(envoy.upstream.seen) - before == (status == 200)
    assert status == 200 or b"application/problem+json" in answer


FORGED = {
    "x-envoy-external-address": "6.6.6.6", "x-envoy-original-path": "/", "x-envoy-retry-on": "5xx", "x-envoy-anything": "1",
    "x-sidegate-operation": "evil", "x-sidegate-claims-bearer": "e30", "x-sidegate-up-x": "1", "x-request-id": "mine",
    "x-forwarded-client-cert": "By=x", "x-http-method-override": "DELETE", "x-http-method": "DELETE",
    "forwarded": "for=6.6.6.6", "x-method-override": "DELETE",
    "x-original-url": "/x", "x-rewrite-url": "/x", "x-forwarded-prefix": "/x",
    "x-forwarded-host": "evil", "x-forwarded-for": "6.6.6.6", "x-real-ip": "6.6.6.6", "x-forwarded-proto": "https",
}  # fmt: skip


def test_forged_headers_reach_nobody(envoy: Proxy) -> None:
    assert envoy.ask("GET", "/v1/items", FORGED).status == 200
    for seen in (envoy.companion.seen[-1], envoy.upstream.seen[-1]):
        values = {name.lower(): value for name, value in seen.headers}
        assert [name for name, value in FORGED.items() if values.get(name) == value] == []
    assert [n for n, _ in envoy.upstream.seen[-1].headers if n.startswith("x-sidegate-")] == []


def test_allowed(envoy: Proxy) -> None:
    got = envoy.ask("GET", "/v1/items?q=1", {"x-secret": "1"})
    assert (got.status, got.body) == (200, b"ok")
    assert got.headers["deprecation"] == "true"
    assert "x-sidegate-code" not in got.headers
    assert "x-user" not in got.headers
    asked, served = envoy.companion.seen[-1], envoy.upstream.seen[-1]
    assert asked.path == "/check/v1/items?q=1"
    assert re.fullmatch(r"[0-9a-f]{16} ref/v1/get--v1-items", str(asked.header("x-sidegate-operation")))
    assert TRACE.fullmatch(str(asked.header("x-sidegate-trace")))
    assert served.header("x-user") == "alice"
    assert served.header("x-secret") is None
    assert served.header("deprecation") is None


def test_trace_context(envoy: Proxy) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    envoy.ask("GET", "/v1/items", {"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
    assert envoy.companion.seen[-1].header("x-sidegate-trace") == trace
    for junk in ("junk", f"00-{'0' * 32}-b7ad6b7169203331-01", f"00-{trace}-{'0' * 16}-01"):
        envoy.ask("GET", "/v1/items", {"traceparent": junk})
        made = str(envoy.companion.seen[-1].header("x-sidegate-trace"))
        assert TRACE.fullmatch(made)
        assert made != trace
    got = envoy.ask("GET", "/nothing", {"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
    assert got.problem["traceId"] == trace


def test_refused_by_the_companion(envoy: Proxy) -> None:
    before = len(envoy.upstream.seen)
    got = envoy.ask("GET", "/v1/items?deny")
    assert (got.status, got.body, got.headers["x-why"]) == (403, b'{"code":"policy-denied"}', "because")
    assert "x-sidegate-code" not in got.headers
    moved = envoy.ask("GET", "/v1/items?moved")
    assert (moved.status, moved.headers["location"], moved.headers["content-type"]) == (302, "/elsewhere", "text/html")
    assert len(envoy.upstream.seen) == before


@pytest.mark.parametrize("fault", ["boom", "late"])
def test_companion_fails(envoy: Proxy, fault: str) -> None:
    before = len(envoy.upstream.seen)
    got = envoy.ask("GET", f"/v1/items?{fault}")
    assert (got.status, got.code, got.problem["operationId"]) == (503, "companion-unavailable", "get--v1-items")
    assert len(envoy.upstream.seen) == before


def test_not_found_and_method(envoy: Proxy) -> None:
    before = len(envoy.companion.seen)
    got = envoy.ask("GET", "/nothing?x=1")
    assert (got.status, got.code, got.problem["operationId"], got.problem["errors"]) == (404, "not-found", None, [])
    for method in ("PATCH", "OPTIONS", "DELETE"):
        got = envoy.ask(method, "/v1/items")
        assert (got.status, got.headers["allow"], got.code) == (405, "GET, POST", "method-not-allowed")
    assert envoy.ask("HEAD", "/v1/items").status == 405
    assert len(envoy.companion.seen) == before


def test_bodies(envoy: Proxy) -> None:
    assert envoy.ask("POST", "/v1/items", body=b"x" * 1_000_000).status == 200
    assert len(envoy.companion.seen[-1].body) == len(envoy.upstream.seen[-1].body) == 1_000_000
    before = len(envoy.companion.seen), len(envoy.upstream.seen)
    for chunks in (b"x" * 1_100_000, iter([b"x" * 100_000] * 11)):
        got = envoy.ask("POST", "/v1/items", body=chunks)  # type: ignore[arg-type]
        assert (got.status, got.code) == (413, "body-too-large")
    assert (len(envoy.companion.seen), len(envoy.upstream.seen)) == before
    assert envoy.ask("PUT", "/v1/large", body=b"x" * (3 << 20)).status == 200
    assert envoy.ask("PUT", "/v1/large", body=b"x" * ((3 << 20) + 1)).status == 413


def test_announced_length_is_enough_for_a_refusal(envoy: Proxy) -> None:
    head = b"POST /v1/items HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2000000\r\n\r\n"
    assert b"413 Payload Too Large" in envoy.raw(head)


def test_a_body_on_get_is_shown_to_the_companion(envoy: Proxy) -> None:
    envoy.ask("GET", "/v1/items", body=b"hello")
    assert envoy.companion.seen[-1].body == b"hello"


def test_bytes_stream(envoy: Proxy) -> None:
    before = _resident(envoy.pid)
    got = envoy.ask("POST", "/v1/upload", {"content-type": "application/octet-stream"}, b"x" * (30 << 20))
    assert got.status == 200
    assert len(envoy.upstream.seen[-1].body) == 30 << 20
    assert envoy.companion.seen[-1].body == b""
    assert _resident(envoy.pid) - before < 16 << 20


@pytest.mark.parametrize(
    ("framing", "told"),
    [
        (b"content-length: 5\r\n\r\nhello", "5"),
        (b"content-length: 0\r\n\r\n", "0"),
        (b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n", None),
        (b"x-sidegate-length: 5\r\n\r\n", None),
    ],
)
def test_the_companion_is_told_how_long_a_stream_is(envoy: Proxy, framing: bytes, told: str | None) -> None:
    head = b"POST /v1/upload HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: application/octet-stream\r\n"
    assert _status(envoy.raw(head + framing)) == 200
    assert envoy.companion.seen[-1].header("x-sidegate-length") == told
    assert envoy.upstream.seen[-1].header("x-sidegate-length") is None


def _resident(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm") as statm:
            return int(statm.read().split()[1]) * 4096
    except OSError:
        pytest.skip("memory is read from /proc")


def test_operations_that_are_off_ask_nobody(envoy: Proxy) -> None:
    before = len(envoy.companion.seen)
    assert envoy.ask("GET", "/v1/off?anything=1").status == 200
    assert len(envoy.companion.seen) == before


def test_slow_upstream(envoy: Proxy) -> None:
    got = envoy.ask("GET", "/v1/off?slow")
    assert (got.status, got.code) == (504, "upstream-timeout")
    assert TRACE.fullmatch(got.problem["traceId"])


def test_access_log(envoy: Proxy) -> None:
    asked = {"user-agent": 'a"\\', "host": "good"}
    problem = envoy.ask("GET", '/v1/no"\\u0000thing?token=secret', asked).problem
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    envoy.ask("GET", "/v1/items?deny", {**asked, "traceparent": f"00-{trace}-b7ad6b7169203331-01"})
    until(lambda: trace in envoy.log.read_text())
    assert "secret" not in envoy.log.read_text()
    by_trace = {line["trace_id"]: line for line in envoy.lines()}
    first, second = by_trace[problem["traceId"]], by_trace[trace]
    assert (first["status"], first["operation"], first["details"]) == (404, None, "direct_response")
    assert (second["code"], second["operation"], second["service"]) == ("policy-denied", "get--v1-items", "ref")


def test_nobody_there(tmp_path_factory: pytest.TempPathFactory) -> None:
    with proxy(_gateway, tmp_path_factory.mktemp("envoy")) as envoy:
        envoy.upstream.stop()
        got = envoy.ask("GET", "/v1/off")
        assert (got.status, got.code, got.problem["operationId"]) == (503, "upstream-unavailable", "get--v1-off")
        assert TRACE.fullmatch(got.problem["traceId"])
        envoy.companion.stop()
        got = envoy.ask("GET", "/v1/items")
        assert (got.status, got.code) == (503, "companion-unavailable")


def test_spans(tmp_path_factory: pytest.TempPathFactory) -> None:
    collector, trace = Server(), "4bf92f3577b34da6a3ce929d0e0e4736"
    otlp = Collector("http", "127.0.0.1", collector.port, "/v1/traces")
    with proxy(_gateway, tmp_path_factory.mktemp("envoy"), otlp=otlp) as envoy:
        parent = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
        got = envoy.ask("GET", "/v1/items/7", parent)
        assert "x-envoy-decorator-operation" not in got.headers
        assert trace in str(envoy.companion.seen[-1].header("traceparent"))
        assert trace in str(envoy.upstream.seen[-1].header("traceparent"))
        envoy.ask("GET", "/nothing", parent)
        until(lambda: sum(_named(s.body) for s in collector.seen) >= 2)
    collector.stop()
    assert {seen.path for seen in collector.seen} <= {"/v1/traces", "/v1/logs"}
    sent = b"".join(seen.body for seen in collector.seen if seen.path == "/v1/traces")
    assert sent.count(bytes.fromhex(trace)) >= 2
    assert b"GET /v1/items/{id}" in sent
    assert b"*\x03404" in sent


def _named(body: bytes) -> int:
    """How many of the two server spans are in an export: field 5 of a span is its name (OTLP, trace.proto)."""
    return (b"*\x12GET /v1/items/{id}" in body) + (b"*\x03404" in body)


def test_without_a_collector_the_trace_context_passes_as_it_is(envoy: Proxy) -> None:
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-b7ad6b7169203331-01"
    envoy.ask("GET", "/v1/items", {"traceparent": parent})
    assert envoy.upstream.seen[-1].header("traceparent") == parent
