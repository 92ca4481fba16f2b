"""O: what is written down, and for whom. O7 over a request that is allowed, refused, denied."""

from __future__ import annotations

import json
import time

import pytest

from tests.blackbox.case import PUBLIC, request
from tests.blackbox.world import World
from tests.waiting import until

NASTY = [
    '"}{"status":200,"x":"',
    "\\",
    "\x1b[2J\x1b[31m",
    "a\u202eb".encode().decode("latin-1"),
    "{{7*7}}%DYNAMIC_METADATA(x:y)%",
    "</script><script>",
    "\xff\xfe",
]


@pytest.mark.parametrize("text", NASTY)
def test_o01_a_line_stays_one_well_formed_line(text: str, world: World) -> None:
    """Paths, user agents and other headers are what a client makes them; the log is JSON, a line each, without escapes."""
    trace = f"{abs(hash(text)):032x}"[:32]
    data = world.fill(
        request("/v1/public/x", token=PUBLIC, headers=[f"User-Agent: {text}", f"X-Request-Id: {text}"]), trace
    )
    early = world.ask(data).status == 400  # the codec refuses control characters, before there is a trace
    target = "/v1/public/" + "".join(f"%{b:02x}" for b in text.encode("latin-1"))
    world.ask(request(target, token=PUBLIC))
    until(lambda: early or any(trace in line.values() for line in world.log()))
    lines = [line for line in world.log() if trace in line.values()]
    assert len(lines) == int(not early), lines
    assert "\x1b" not in world.gateway.output
    written = [line for line in world.gateway.output.splitlines() if line.startswith("{")]
    for line in written:
        assert isinstance(json.loads(line), dict)


@pytest.mark.parametrize("header", [
    "User-Agent: \xff\xfe", "X-Request-Id: \xff\xfe", "tracestate: k=\xff", "baggage: k=\xff", "X-Client-Trace-Id: \xff",
    "Host: \xff.test", "Referer: \xff",
])  # fmt: skip
def test_o01_no_client_spoils_a_batch_of_spans(header: str, world: World) -> None:
    """OTLP's texts are UTF-8 (Protocol Buffers, "Scalar Value Types"): bytes of one client must not cost others their spans."""
    trace = f"{time.time_ns():032x}"
    if header.startswith("Host"):
        data = request("/v1/public/x", token=PUBLIC).replace(b"gateway.test", header[6:].encode("latin-1"))
    else:
        data = request("/v1/public/x", token=PUBLIC, headers=[header])
    exchange = world.ask(world.fill(data, trace))
    if exchange.status == 200:
        assert world.collector.wait(trace, lambda found: any(s.kind == 2 for s in found)), world.collector.broken
    assert world.collector.broken == []


def test_h22_no_client_fills_the_log(world: World) -> None:
    """What a client says beside the request is cut or left out: 10 kB of headers make no line of 10 kB."""
    trace = f"{time.time_ns():032x}"
    said = [f"{name}: k={'v' * 3_000}" for name in ("baggage", "tracestate", "User-Agent", "Referer")]
    world.ask(world.fill(request("/v1/public/x", token=PUBLIC, headers=said), trace))
    until(lambda: any(trace in line.values() for line in world.log()), lambda: world.gateway.output[-2000:])
    (line,) = (line for line in world.log() if trace in line.values())
    assert len(json.dumps(line)) < 3_000, line


def _told(world: World, trace: str) -> dict[str, object]:
    until(lambda: any(trace in line.values() for line in world.log()), lambda: f"no log line with trace {trace}")
    lines = [line for line in world.log() if trace in line.values()]
    assert len(lines) == 1, f"{len(lines)} lines for one request"
    return lines[0]


@pytest.mark.parametrize(("target", "token", "status", "code"), [
    ("/v1/items?limit=10", "reader", 200, None),
    ("/v1/items?limit=1000", "reader", 400, "maximum"),
    ("/v1/me", "mallory", 403, "policy-denied"),
    ("/zed/undefined", PUBLIC, 403, "policy-undefined"),
])  # fmt: skip
def test_o7_line_span_and_record_agree(target: str, token: str, status: int, code: str | None, world: World) -> None:
    trace = f"{hash((target, token)) & (2**64 - 1):032x}"
    exchange = world.ask(world.fill(request(target, token=token), trace))
    assert exchange.status == status
    line = _told(world, trace)
    assert line["status"] == status, line
    assert line["path"] == target.split("?")[0], line
    assert line.get("code") == code, line
    if status >= 400:
        assert exchange.answer.problem["traceId"] == trace
    spans = world.collector.wait(trace, lambda found: len(found) >= 4)
    names = [s.name for s in spans]
    assert {"match", "validate"} <= set(names), names
    assert status == 400 or "decide" in names, names
    servers = [s for s in spans if s.kind == 2]
    assert servers, names
    ids = {s.span_id for s in spans}
    for inner in (s for s in spans if s.name in ("match", "validate", "decide")):
        assert inner.parent_id in ids, f"{inner.name} hangs in the air"
    record = world.gateway.manage(f"/decisions/{trace}")
    assert record.status == 200, record
    assert record.json["record"]["status"] == status, record
    assert record.json["record"]["code"] == code, record
    assert status == 200 or record.json["causes"], record


def test_the_server_span_is_named_by_the_template(world: World) -> None:
    trace = f"{time.time_ns():032x}"
    world.ask(world.fill(request("/v1/items/1c9d3a52-4e0b-4a52-8f43-2f4b6f0a7c11"), trace))
    spans = world.collector.wait(trace, lambda found: any(s.kind == 2 for s in found))
    assert "GET /v1/items/{id}" in [s.name for s in spans], [s.name for s in spans]


def test_o02_no_metric_is_named_after_a_path(world: World) -> None:
    """Distinct paths and user agents make no new time series."""
    before = len(world.admin.get("/stats").splitlines())
    for number in range(200):
        world.ask(request(f"/v1/public/p{number}", token=PUBLIC, headers=[f"User-Agent: agent-{number}"]))
    after = len(world.admin.get("/stats").splitlines())
    assert after - before < 20, f"{after - before} new stats"


def test_o05_a_config_dump_holds_no_secret(world: World) -> None:
    dump = world.admin.get("/config_dump")
    assert "PRIVATE KEY" not in dump
    for token in world.tokens.values():
        assert token not in dump
    assert '"d":' not in dump, "a private JWK member"
