"""`x-sidegate: {mode: report | off}`: what passes, and where it is recorded what would have been refused."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from tests.e2e.shop import Shop, wait


def _count(shop: Shop, **attributes: str) -> int:
    rows = shop.companion("/counts").json()
    return sum(row["count"] for row in rows if attributes.items() <= row.items())


@pytest.mark.parametrize(("target", "who", "code"), [
    ("/shop/v1/watched?limit=1000", "rita", "maximum"), ("/shop/v1/watched?colour=red", "rita", "unknown-parameter"),
    ("/shop/v1/watched", "mallory", "policy-denied"),
])  # fmt: skip
def test_report_passes_and_records(shop: Shop, target: str, who: str, code: str) -> None:
    """The request passes; trace, log, metrics and the decision store say what would have been refused."""
    trace, since = secrets.token_hex(16), len(shop.first.log)
    counted = _count(shop, operation="watched", mode="report", code=code)
    answer = shop.ask("GET", target, who, trace=trace)
    assert answer.status_code == 200, answer.text
    assert not [name for name in answer.headers if "sidegate" in name]
    got = shop.asked(since)
    assert [r.full_path.rstrip("?") for r in got] == [target]
    assert not [name for name, _ in got[0].headers if "sidegate" in name.lower()]
    line = shop.line(trace)
    assert (line["status"], line["code"]) == (200, code)
    assert _count(shop, operation="watched", mode="report", code=code) == counted + 1
    record = shop.gateway.manage(f"/decisions/{trace}").json
    assert record["record"]["mode"] == "report"
    assert code in record["verdict"]
    spans = {s.name: s for s in shop.collector.wait(trace, lambda found: len(found) >= 4)}
    said = {**spans["validate"].attributes, **spans["decide"].attributes}
    assert code in said.get("sidegate.decision", "") or code in str(said.get("sidegate.violations"))
    assert wait(
        lambda: f"200 GET /shop/v1/watched  {'policies' if who == 'mallory' else 'contracts'}" in shop.gateway.output
    )
    assert "(only reported)" in shop.gateway.output


def test_what_would_pass_is_not_reported(shop: Shop) -> None:
    trace = secrets.token_hex(16)
    assert shop.ask("GET", "/shop/v1/watched?limit=7", trace=trace).status_code == 200
    assert shop.line(trace)["code"] is None


def test_the_inner_mode_wins(shop: Shop) -> None:
    assert shop.ask("POST", "/shop/v1/watched", "mallory").status_code == 403


def test_off_asks_nobody(shop: Shop) -> None:
    """Neither contract nor policy: whatever comes passes, and the companion does not hear of it."""
    for target, who in (("/shop/v1/off?limit=1000&colour=red", "rita"), ("/shop/v1/off", "mallory")):
        trace = secrets.token_hex(16)
        assert shop.ask("GET", target, who, trace=trace).status_code == 200
        line = shop.line(trace)
        assert (line["operation"], line["code"]) == ("off", None)
        assert shop.companion(f"/decisions/{trace}").status_code == 404


@pytest.mark.parametrize("target", ["/shop/v1/watched", "/shop/v1/off"])
def test_authentication_has_no_such_mode(shop: Shop, target: str) -> None:
    since = len(shop.first.log)
    assert shop.ask("GET", target, None).status_code == 401
    late = shop.issuer.token(aud="shop", exp=1)
    assert shop.ask("GET", target, None, headers={"authorization": f"Bearer {late}"}).status_code == 401
    assert not shop.asked(since)


@pytest.mark.parametrize("path", ["/nowhere", "/shop/v1/watched/deeper"])
def test_nor_has_routing(shop: Shop, path: str) -> None:
    assert shop.ask("GET", path).status_code == 404


def test_metrics_are_exported(shop: Shop) -> None:
    """The counts go by OTLP to the collector, by operation, mode and code; names out of contracts only."""
    shop.ask("GET", "/shop/v1/watched?limit=1001")

    def reported() -> list[dict[str, Any]]:
        points = [p for p in shop.collector.points if p.name == "sidegate.requests"]
        return [p.attributes for p in points if p.value and p.attributes["mode"] == "report" and p.attributes["code"]]

    found = wait(reported)
    wanted = {"service": "shop", "version": "v1", "operation": "watched", "mode": "report", "code": "maximum"}
    assert wanted in found, found
