"""The two management APIs of a running gateway: what they say, and that what they say is so."""

from __future__ import annotations

import json
import secrets
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.gateway import Gateway
from tests.e2e.shop import ID, Shop, wait
from tests.projects import pets, write

RIGHT = {"name": "Lamp", "price": 1}


def test_ready(shop: Shop) -> None:
    """200 when the listener is live and every part holds the same digests: routes, companion, clients."""
    ready = shop.gateway.manage("/ready")
    assert (ready.status, ready.json["ready"], ready.json["missing"]) == (200, True, [])
    held = shop.companion("/digests").json()["digests"]
    assert set(ready.json["digests"]) == {"guest/v1", "north/v1", "shop/v1", "shop/v2", "south/v1"}
    for version, digest in ready.json["digests"].items():
        assert held[version][0] == digest
    trace = secrets.token_hex(16)
    shop.ask("GET", "/shop/v1/me", trace=trace)
    assert shop.line(trace)["digest"] == ready.json["digests"]["shop/v1"]


@pytest.mark.slow
def test_before_that_it_says_what_is_missing(tmp_path: Path) -> None:
    """From the first answer of the management address until 200: 503, each with a reason."""
    gateway = Gateway(write(tmp_path / "pets", pets()))
    seen: list[Any] = []

    def watch() -> None:
        end = time.monotonic() + gateway.patience
        while time.monotonic() < end:
            ready = gateway.manage("/ready")
            if ready.status:
                seen.append(ready)
            if ready.status == 200:
                return
            time.sleep(0.02)

    gateway.wait_ready = watch  # type: ignore[method-assign]
    with gateway:
        assert seen[-1].status == 200, gateway.output
        before = seen[:-1]
        if not before:
            pytest.skip("this machine was not quick enough to ask before it was ready")
        assert all(r.status == 503 and not r.json["ready"] and r.json["missing"] for r in before), before


def test_services_and_operations(shop: Shop) -> None:
    services = {s["name"]: s for s in shop.gateway.manage("/services").json}
    assert set(services) == {"guest", "north", "shop", "south"}
    assert services["north"]["hosts"] == ["arctic.test", "north.test"]
    assert [v["name"] for v in services["shop"]["versions"]] == ["v1", "v2"]
    rows = {(r["method"], r["path"]): r for r in shop.gateway.manage("/services/shop/v1/operations").json}
    deleted = rows["DELETE", "/shop/v1/items/{id}"]
    assert deleted["operation"] == "deleteItem"
    assert deleted["authentication"] == "bearer(items:admin)"
    assert rows["GET", "/shop/v1/off"]["placement"] == {"route": "native", "token": "native"}
    assert rows["GET", "/shop/v1/watched"]["mode"] == "report"
    assert shop.gateway.manage("/services/shop/v9/operations").status == 404


def test_explain(shop: Shop) -> None:
    """Routes, placement and reason of each check, policies bound."""
    explained = shop.gateway.manage("/explain/shop/v1/deleteItem").json
    assert explained["route"] == "DELETE /shop/v1/items/{id}"
    assert explained["upstream"] == f"http://127.0.0.1:{shop.first.port}"
    assert [c["check"] for c in explained["checks"]] == ["route", "token", "parameters", "body", "scopes", "policy"]
    assert all(c["placement"] in ("native", "companion") and c["reason"] for c in explained["checks"])
    assert explained["policy"]["rule"] == "shop/authz/allow"
    file, line, _ = explained["contract"].split(":")
    assert "delete" in shop.read(file).splitlines()[int(line) - 1]
    assert shop.gateway.manage("/explain/shop/v1/nothing").status == 404


@pytest.mark.parametrize(("target", "who", "verdict", "place", "source", "passes"), [
    ("/shop/v1/items?limit=0", "rita", "refused with 400 minimum", "contracts/shop/v1.yaml", "minimum: 1", "limit"),
    ("/shop/v1/me", "mallory", "refused with 403 policy-denied", "policies/shop/authz.rego", "not served here", "mallory"),
    ("/shop/v1/me", None, "refused with 401 token-missing", "contracts/shop/v1.yaml", "", "Bearer"),
    ("/nowhere", None, "refused with 404 not-found", None, None, "a path of a contract"),
    ("/shop/v1/me", "rita", "allowed", "policies/shop/authz.rego", "allow", None),
])  # fmt: skip
def test_why_by_trace_id(
    shop: Shop, target: str, who: str | None, verdict: str, place: str | None, source: str | None, passes: str | None
) -> None:
    """The contract's line or the policy's line, and what would pass; also of what Envoy refused itself."""
    trace = secrets.token_hex(16)
    shop.ask("GET", target, who, trace=trace)
    why = wait(lambda: w if (w := shop.gateway.manage(f"/decisions/{trace}")).status == 200 else None)
    assert why is not None
    assert why.json["verdict"] == verdict
    assert why.json["request"] == f"GET {target.partition('?')[0]}"
    if place:
        cause = why.json["causes"][0]
        assert cause["place"].startswith(place), cause
        assert source in cause["source"]
    assert passes is None or any(passes in text for text in why.json["pass"]), why.json["pass"]


def test_recent_decisions(shop: Shop) -> None:
    """Newest first, by trace id, without values."""
    traces = [secrets.token_hex(16) for _ in range(3)]
    for trace in traces:
        shop.ask("GET", "/shop/v1/items?limit=0", trace=trace)
    recent = shop.gateway.manage("/decisions?limit=3").json
    assert [r["trace_id"] for r in recent] == traces[::-1]
    assert recent[0]["path"] == "/shop/v1/items"
    assert shop.gateway.manage("/decisions?limit=5000").status == 400
    assert shop.gateway.manage(f"/decisions/{secrets.token_hex(16)}").status == 404


def test_diagnostics_are_empty_for_a_clean_project(shop: Shop) -> None:
    assert shop.gateway.manage("/diagnostics").json == []


def test_clients_with_their_ack_state(shop: Shop) -> None:
    """Envoy, with each type's version sent and acknowledged, and nothing refused."""
    clients = shop.gateway.manage("/clients").json
    assert len(clients) == 1, clients
    text = json.dumps(clients[0])
    assert "type.googleapis.com/envoy.config.route.v3.RouteConfiguration" in text
    for name, state in _types(clients[0]).items():
        assert state, name


def _types(client: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in client.items() if k in ("types", "subscriptions")}


def test_health(shop: Shop) -> None:
    health = shop.companion("/health")
    assert (health.status_code, health.json()) == (200, {"healthy": True, "missing": []})


@pytest.mark.parametrize(("method", "path", "who", "body"), [
    ("GET", "/shop/v1/items?limit=10", "rita", None), ("GET", "/shop/v1/items?limit=1000", "rita", None),
    ("GET", "/shop/v1/items?colour=red", "rita", None), ("GET", "/shop/v1/items", "mallory", None),
    ("GET", "/shop/v1/items", None, None), ("POST", "/shop/v1/items", "rita", RIGHT),
    ("POST", "/shop/v1/items", "rita", {**RIGHT, "price": -1}), ("POST", "/shop/v1/items", "rita", {**RIGHT, "price": 9999}),
    ("GET", f"/shop/v1/items/{ID}", "rita", None), ("GET", "/shop/v1/items/7", "rita", None),
    ("DELETE", f"/shop/v1/items/{ID}", "rita", None), ("PUT", "/shop/v1/items", "rita", None),
    ("GET", "/shop/v1/nowhere", "rita", None), ("GET", "/shop/v1/page", None, None),
    ("GET", "/shop/v1/watched?limit=1000", "rita", None), ("GET", "/shop/v1/watched", "mallory", None),
    ("GET", "/shop/v1/off?any=thing", "mallory", None), ("GET", "/shop/v1/off", None, None),
    ("GET", "/alias/store/items?limit=0", "rita", None),
])  # fmt: skip
def test_validate_gives_the_gateway_s_verdict(shop: Shop, method: str, path: str, who: str | None, body: Any) -> None:
    """A described request is judged without being sent, and as it would be."""
    sent = shop.ask(method, path, who, json=body)
    described = {
        "service": "shop", "version": "v1", "method": method, "path": path,
        **({"claims": {"iss": shop.issuer.name, "aud": "shop", "sub": who}} if who else {}),
        **({"headers": {"content-type": "application/json"}, "body": json.dumps(body)} if body else {}),
    }  # fmt: skip
    since, counted = len(shop.first.log), shop.companion("/counts").json()
    verdict = shop.companion("/validate", described)
    assert verdict.status_code == 200, verdict.text
    found = verdict.json()
    assert found["status"] == sent.status_code, (found, sent.text)
    assert found["allowed"] == (sent.status_code == 200)
    if not found["allowed"]:
        assert found["code"] == sent.json()["code"]
        if problem := found.get("problem"):
            told = sent.json()
            assert {**problem, "traceId": None} == {**told, "traceId": None}
    assert len(shop.first.log) == since
    assert shop.companion("/counts").json() == counted, "a question was counted as a request"


def test_validate_of_what_is_not_there(shop: Shop) -> None:
    described = {"service": "shop", "version": "v9", "method": "GET", "path": "/"}
    assert shop.companion("/validate", described).status_code == 404
    assert shop.companion("/validate", {"service": "shop"}).status_code == 400


def test_both_are_on_loopback(shop: Shop) -> None:
    from tests.e2e import processes

    roles = shop.gateway.roles()
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    for role in ("control-plane", "companion"):
        ports = {p for p in processes.listening(roles[role].pid) if isinstance(p, int)}
        assert ports
        addresses = {r[1].split(":")[0] for r in rows if r[3] == "0A" and int(r[1].split(":")[1], 16) in ports}
        assert addresses == {"0100007F"}, addresses
