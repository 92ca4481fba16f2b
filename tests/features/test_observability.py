"""What is told of requests: access-log lines and the same as OTLP records, metrics by operation, dashboards and alerts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from werkzeug import Request, Response

from tests.e2e.collector import Collector
from tests.e2e.shop import wait
from tests.features.hop import Hop, contract, operation, serve
from tests.projects import compiled_with
from xds.cli import main
from xds.control.access import read
from xds.envoy.names import parts_of
from xds.metrics import BUCKETS, DURATION, NAMESPACE, REQUESTS

OBJECTIVES = {"slo": {"availability": 99.9, "latency": {"p99": "300ms"}}}
TRACE = "0af7651916cd43dd8448eb211c80319c"


STREAM = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
NATIVE = {"mode": "off", "policy": "none", "reason": "only what the proxy checks"}
WORDS = {"service-error": {"body": "sorry", "mediaType": "text/plain"}}


def _told(request: Request) -> Response:
    """The status that a request asks for."""
    return Response("internals", int(request.headers.get("x-status", 200)), content_type="text/plain")


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[Hop]:
    document = contract(
        {
            "/items": {"get": operation(operationId="listItems", x_sidegate=OBJECTIVES)},
            "/me": {"get": operation(operationId="getMe", security=[{"bearer": []}])},
            "/in": {
                "put": operation(operationId="putIn", requestBody=STREAM, x_sidegate={**NATIVE, "bodyLimit": "1KiB"}),
                "post": operation(operationId="postIn", x_sidegate={**NATIVE, "errors": WORDS}),
            },
        }
    )
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    with serve(tmp_path_factory.mktemp("observed"), document, env=env, answer=_told) as running:
        yield running


def _line(hop: Hop, trace: str) -> dict[str, Any]:
    log = hop.folder / ".sidegate" / "access.log"
    lines = wait(lambda: [v for v in map(read, log.read_text().splitlines()) if v["trace_id"] == trace])
    return dict(lines[0])


def test_every_refusal_has_its_code_in_the_log(hop: Hop) -> None:
    """Envoy's own as well as the companion's; the code is that of the document."""
    for target, code in (("/items?x=1", "unknown-parameter"), ("/me", "token-missing"), ("/nothing", "not-found")):
        answer = hop.client.get(target)
        line = _line(hop, answer.json()["traceId"])
        assert (
            (line["status"], line["code"]) == (answer.status_code, code) == (answer.status_code, answer.json()["code"])
        )


def _metrics(hop: Hop) -> dict[str, Metric]:
    """Prometheus' own parser's reading of the management API's answer."""
    answer = hop.gateway.manage("/metrics")
    assert answer.status == 200
    return {family.name: family for family in text_string_to_metric_families(answer.body)}


def _count(hop: Hop, **labels: str) -> float:
    samples = [s for family in _metrics(hop).values() for s in family.samples if s.name == REQUESTS.exported]
    return sum(s.value for s in samples if labels.items() <= s.labels.items())


def test_requests_are_counted_by_operation_and_code(hop: Hop) -> None:
    asked = {
        "/items": {"operation": "listItems", "status": "200", "code": ""},
        "/items?x=1": {"operation": "listItems", "status": "400", "code": "unknown-parameter"},
        "/me": {"operation": "getMe", "status": "401", "code": "token-missing"},
        "/nothing": {"operation": "", "status": "404", "code": "not-found"},
    }
    before = {target: _count(hop, **labels) for target, labels in asked.items()}
    for target in asked:
        for _ in range(3):
            hop.client.get(target)
    for target, labels in asked.items():
        assert wait(lambda target=target, labels=labels: _count(hop, **labels) == before[target] + 3), target


def test_a_body_that_is_refused_and_an_error_of_the_service_are_of_their_operation(hop: Hop) -> None:
    asked: list[tuple[str, int, str, dict[str, Any]]] = [
        ("put", 413, "body-too-large", {"content": b"x" * 2000}),
        ("put", 411, "length-required", {"content": iter([b"x"])}),
        ("post", 503, "service-error", {"headers": {"x-status": "503"}}),
        ("post", 500, "service-error", {"headers": {"x-status": "500"}}),
        ("put", 500, "", {"content": b"x", "headers": {"x-status": "500"}}),
    ]
    for method, status, code, sent in asked:
        answer = hop.client.request(method, "/in", **sent)
        assert (answer.status_code, answer.text == "sorry") == (status, code == "service-error")
        counted = {"operation": f"{method}In", "status": str(status), "code": code}
        assert wait(lambda counted=counted: _count(hop, **counted) == 1), (status, code)


def test_what_a_client_makes_up_is_no_label(hop: Hop) -> None:
    """A hundred paths, methods, hosts and parameters that no contract has add no series beyond those of the refusals."""
    hop.client.get("/nothing")
    hop.client.request("BREW", "/items")
    hop.client.get("/items?x=1")

    def series() -> int:
        return sum(len(family.samples) for name, family in _metrics(hop).items() if name.startswith(NAMESPACE))

    hop.client.get("/items")
    # Envoy adds histograms up every few seconds only, and one that is new is no client's doing.
    assert wait(lambda: any(name.startswith(DURATION.exported) for name in _metrics(hop)))
    before = series()
    for number in range(100):
        hop.client.get(f"/nothing/{number}", headers={"host": f"h{number}.test", "x-request-id": str(number)})
        hop.client.request(f"BREW{number}", "/items")
        hop.client.get(f"/items?x{number}=1")
    assert series() == before


def test_dashboards_and_alerts_ask_for_what_is_exported(hop: Hop, tmp_path: Path) -> None:
    """Every metric and label in their expressions is one that the proxy exports; objectives are there by operation."""
    hop.client.get("/items")
    assert main(["dashboards", str(hop.folder), "--out", str(tmp_path)]) == 0
    board = json.loads((tmp_path / "grafana/sidegate.json").read_text())
    rules = yaml.safe_load((tmp_path / "prometheus/sidegate.rules.yaml").read_text())
    expressions = [t["expr"] for panel in board["panels"] for t in panel["targets"]]
    expressions += [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    wait(lambda: DURATION.exported in _metrics(hop))  # histograms are merged every five seconds
    samples = {s.name: set(s.labels) for family in _metrics(hop).values() for s in family.samples}
    for expression in expressions:
        for name, inside in re.findall(r"(envoy_\w+)\{([^}]*)\}", expression):
            assert name in samples, expression
            assert set(re.findall(r"(\w+)=~?", inside)) <= samples[name], expression
        for label in re.findall(r'le="([0-9.]+)"', expression):
            assert float(label) in BUCKETS
    named = [r["labels"]["operation"] for g in rules["groups"] for r in g["rules"] if "operation" in r["labels"]]
    assert set(named) == {"listItems"}


def test_an_objective_that_nobody_could_see_is_refused() -> None:
    (found,) = compiled_with('slo: {latency: {p99: "310ms"}}')
    assert found.code == "extension-value"
    assert "the nearest bound is 300ms" in (found.help or "")


def test_lines_are_otlp_records_too(hop: Hop, collector: Collector) -> None:
    hop.client.get("/items", headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"})
    found = wait(lambda: [r for r in collector.records if r.trace_id == TRACE])
    assert [(r.service, r.body) for r in found] == [("sidegate", "GET /items 200")]
    line = _line(hop, TRACE)
    parts = parts_of(line["route"])
    assert parts["operation"] == "listItems"
    assert {key: str(value) for key, value in line.items() if value is not None and key not in parts} == {
        key: value for key, value in found[0].attributes.items() if value != "-" or line[key] == "-"
    }
