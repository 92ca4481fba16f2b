"""Traces and logs: one trace a request, what its spans say, one log line with the same id; and none of it costs latency."""

from __future__ import annotations

import json
import re
import secrets
import statistics
import time
from collections.abc import Iterator

import pytest

from tests.e2e.collector import Span
from tests.e2e.shop import ID, TRACE, Shop, serve, wait

INBOUND = "00f067aa0ba902b7"
SERVER = 2
ASKING = "async companion egress"
"""Envoy's own span around the question that it asks the companion."""


def _spans(shop: Shop, trace: str, *names: str) -> dict[str, Span]:
    """A trace's spans by name, once those named are there."""
    spans = shop.collector.wait(trace, lambda found: set(names) <= {s.name for s in found})
    assert set(names) <= {s.name for s in spans}, [s.name for s in spans]
    assert len({s.name for s in spans}) == len(spans), "a step is there twice"
    return {s.name: s for s in spans}


@pytest.mark.parametrize("inbound", [True, False])
def test_one_trace_a_request(shop: Shop, inbound: bool) -> None:
    """Envoy's server span is named by method and template; below it `match`, `validate`, `decide`."""
    since = len(shop.first.log)
    trace = secrets.token_hex(16) if inbound else None
    assert shop.ask("GET", f"/shop/v1/items/{ID}", trace=trace).status_code == 200
    told = shop.asked(since)[0].headers["traceparent"].split("-")
    assert trace in (None, told[1]), "the upstream is in another trace"
    spans = _spans(shop, told[1], "GET /shop/v1/items/{id}", ASKING, "match", "validate", "decide")
    assert set(spans) == {"GET /shop/v1/items/{id}", ASKING, "match", "validate", "decide"}
    server, asking = spans.pop("GET /shop/v1/items/{id}"), spans.pop(ASKING)
    assert server.kind == SERVER
    assert server.parent_id == (INBOUND if inbound else "")
    assert told[2] == server.span_id, "the upstream's span is not below the server span"
    assert asking.parent_id == server.span_id
    assert {s.parent_id for s in spans.values()} == {asking.span_id}
    assert all(server.start <= s.start <= s.end <= server.end + 1_000_000 for s in spans.values())
    assert shop.line(told[1])["trace_id"] == told[1]


def test_what_spans_say(shop: Shop) -> None:
    """Operation, digest, policy revision, decision, and the policy's file and line."""
    trace = secrets.token_hex(16)
    shop.ask("GET", "/shop/v1/items", "mallory", trace=trace)
    spans = _spans(shop, trace, "match", "validate", "decide")
    digest = shop.gateway.manage("/ready").json["digests"]["shop/v1"]
    assert spans["match"].attributes.items() >= {"sidegate.operation": "listItems", "sidegate.digest": digest}.items()
    decided = spans["decide"].attributes
    assert decided["sidegate.policy.revision"] == shop.companion("/digests").json()["revisions"]["shop"]
    assert decided["sidegate.decision"] == "policy-denied"
    file, line, _ = decided["sidegate.policy.rule"].split(":")
    assert "mallory is not served here" in shop.read(file).splitlines()[int(line) - 1]


def test_violations_are_pointers_without_values(shop: Shop) -> None:
    trace = secrets.token_hex(16)
    body = {"name": "vermilion" * 3, "price": -1}
    answer = shop.ask("POST", "/shop/v1/items?secret=vermilion", json=body, trace=trace)
    assert answer.status_code == 400
    spans = _spans(shop, trace, "POST /shop/v1/items", "validate")
    assert set(spans["validate"].attributes["sidegate.violations"]) == {
        "query /secret unknown-parameter", "body /name max-length", "body /price minimum",
    }  # fmt: skip
    assert "decide" not in spans, "a broken request was decided on"
    said = json.dumps([s.attributes for s in spans.values()]) + json.dumps(shop.line(trace))
    assert "vermilion" not in said


def test_what_no_route_matches_is_traced_too(shop: Shop) -> None:
    trace = secrets.token_hex(16)
    assert shop.ask("GET", "/nowhere?secret=vermilion", trace=trace).status_code == 404
    found = shop.collector.wait(trace)
    assert [(s.name, s.kind) for s in found] == [("404", SERVER)]
    assert "vermilion" not in json.dumps(found[0].attributes)


def test_the_companion_is_not_asked_where_nothing_is_left_to_check(shop: Shop) -> None:
    """`mode: off` leaves route and token, which are Envoy's: the trace has its span alone."""
    trace = secrets.token_hex(16)
    assert shop.ask("GET", "/shop/v1/off", trace=trace).status_code == 200
    shop.collector.wait(trace)
    time.sleep(1)
    assert [s.name for s in shop.collector.spans(trace)] == ["GET /shop/v1/off"]


def test_the_control_plane_s_spans(shop: Shop) -> None:
    """`compile` and `publish`, in traces of their own."""
    wait(lambda: {"compile", "publish"} <= {s.name for s in shop.collector.spans()})
    own = {s.name: s for s in shop.collector.spans() if s.service == "sidegate-control-plane"}
    assert {"compile", "publish"} <= set(own)
    assert any("shop/v1" in text for text in own["publish"].attributes["sidegate.digests"])
    services = {s.service for s in shop.collector.spans()}
    assert {"sidegate", "sidegate-companion", "sidegate-control-plane"} <= services


@pytest.mark.parametrize(("method", "target", "who", "status", "code"), [
    ("GET", "/shop/v1/me", "rita", 200, None), ("GET", "/shop/v1/items?limit=0", "rita", 400, "minimum"),
    ("GET", "/shop/v1/me", "mallory", 403, "policy-denied"), ("GET", "/shop/v1/me", None, 401, "token-missing"),
    ("GET", "/nowhere", None, 404, "not-found"), ("PUT", "/shop/v1/items", None, 405, "method-not-allowed"),
])  # fmt: skip
def test_one_log_line_a_request(
    shop: Shop, method: str, target: str, who: str | None, status: int, code: str | None
) -> None:
    """JSON, with the trace's id and the reason of a refusal: the code of its document."""
    trace = secrets.token_hex(16)
    answer = shop.ask(method, target, who, trace=trace)
    line = shop.line(trace)
    assert (line["status"], line["method"], line["path"]) == (status, method, target.partition("?")[0])
    assert line["code"] == code
    assert status == 200 or answer.json()["code"] == code or code in {e["code"] for e in answer.json()["errors"]}
    assert status == 200 or answer.json()["traceId"] == trace
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", line["time"])


def test_a_hung_collector_changes_no_latency(shop: Shop) -> None:
    """Accepted and never answered: the middle request takes no longer, and everything still answers."""

    def median() -> float:
        times = []
        for _ in range(80):
            began = time.perf_counter()
            assert shop.ask("GET", "/shop/v1/me").status_code == 200
            times.append(time.perf_counter() - began)
        return statistics.median(times)

    median()
    free = median()
    shop.collector.stall()
    try:
        time.sleep(0.5)
        hung = [median() for _ in range(3)]
        assert shop.gateway.manage("/ready").status == 200
    finally:
        shop.collector.stall(False)
    print(f"median {free * 1000:.1f} ms, hung {[f'{h * 1000:.1f}' for h in hung]} ms")
    assert min(hung) < 1, "an export waits 10 s for the collector"


@pytest.fixture(scope="module")
def untraced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The shop with tracing off."""
    with serve(tmp_path_factory.mktemp("untraced"), env={}) as running:
        yield running


def test_off_there_is_still_a_trace_id(untraced: Shop) -> None:
    """Without tracing it is the inbound one, else the request's; document, log and record agree; nothing is exported."""
    trace = secrets.token_hex(16)
    inbound = untraced.ask("GET", "/shop/v1/items?limit=0", trace=trace).json()["traceId"]
    assert inbound == trace
    for target, code in (("/shop/v1/items?limit=0", "minimum"), ("/nowhere", "not-found")):
        found = untraced.ask("GET", target).json()
        assert found["code"] == code
        assert TRACE.fullmatch(found["traceId"].replace("-", ""))
        log = untraced.folder / ".sidegate" / "access.log"
        assert wait(lambda found=found, log=log: found["traceId"] in log.read_text())
    record = untraced.gateway.manage(f"/decisions/{trace}")
    assert record.json["record"]["code"] == "minimum"
    untraced.ask("GET", "/shop/v1/me", trace=trace)
    assert trace in untraced.asked()[-1].headers["traceparent"], "the client's context is not passed on"
    assert untraced.collector.posts == 0
