"""`opa: {url}`: a real OPA decides instead of the embedded engine, gives the same verdicts, and is switched on and off live."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.shop import ID, Shop, serve
from tests.opa_server import OpaServer, opa_binary
from tests.waiting import until

__all__ = ["opa_binary"]

ITEM = {"name": "Lamp", "price": 12.5}
TABLE: tuple[tuple[str, str, str | None, Any], ...] = (
    ("GET", "/shop/v1/me", "rita", None),
    ("GET", "/shop/v1/me", "mallory", None),
    ("GET", "/shop/v1/items?limit=7", "rita", None),
    ("GET", "/shop/v1/items?limit=0", "mallory", None),
    ("POST", "/shop/v1/items", "rita", ITEM),
    ("POST", "/shop/v1/items", "rita", {**ITEM, "price": 1000.5}),
    ("DELETE", f"/shop/v1/items/{ID}", "rita", None),
    ("GET", "/shop/v1/told/7?ids=1,20,300", "rita", None),
    ("GET", "/shop/v1/told/7", "rita", None),
    ("GET", "/shop/v1/watched", "mallory", None),
    ("GET", "/shop/v2/items", "dora", None),
    ("GET", "/shop/v2/items", "rita", None),
    ("GET", "/shop/v2/chosen", "paula", None),
    ("POST", "/shop/v2/chosen", "olga", None),
    ("POST", "/shop/v2/chosen", "paula", None),
    ("GET", "/shop/v2/silent", "silas", None),
    ("GET", "/shop/v2/silent", "rita", None),
    ("GET", "/guest/door?word=please", None, None),
    ("GET", "/guest/door?word=now", None, None),
    ("GET", "/guest/door", None, None),
    ("GET", "/shop/v1/page", None, None),
)


@pytest.fixture(scope="module")
def opa(opa_binary: Path) -> Iterator[OpaServer]:
    """A server of this module's own, which is ended and started again."""
    server = OpaServer(opa_binary)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def own(opa: OpaServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The shop, decided by the embedded engine; OPA holds its policies already."""
    with serve(tmp_path_factory.mktemp("opa")) as running:
        load(opa, running.folder)
        yield running


def load(opa: OpaServer, folder: Path) -> None:
    """Give OPA the project's policies, and one person whom only OPA does not know."""
    for path in sorted(folder.glob("policies/**/*.rego")):
        text = path.read_text()
        opa.put(f"policies/{path.relative_to(folder)}", text.replace('{"mallory"}', '{"mallory", "olivia"}'))


def switch(own: Shop, url: str | None) -> float:
    """Say in sidegate.yaml who decides; the seconds until he does."""
    settings = yaml.safe_load(own.read("sidegate.yaml"))
    settings.pop("opa", None)
    own.write("sidegate.yaml", yaml.safe_dump({**settings, **({"opa": {"url": url}} if url else {})}))
    wanted = 403 if url else 200
    return until(lambda: own.ask("GET", "/shop/v1/me", "olivia").status_code == wanted)


def verdicts(own: Shop) -> list[dict[str, Any]]:
    """What the table's requests get, and what the upstream is told of them."""
    found = []
    for method, target, who, body in TABLE:
        since = len(own.first.log) + len(own.second.log)
        answer = own.ask(method, target, who, json=body)
        passed = len(own.first.log) + len(own.second.log) - since
        told = json.loads(own.asked()[-1].headers.get("x-told", "null")) if passed else None
        problem = answer.headers["content-type"] == "application/problem+json" and answer.text.startswith("{")
        document = {k: v for k, v in answer.json().items() if k != "traceId"} if problem else answer.text
        headers = sorted(n for n in answer.headers if n not in ("date", "content-length", "connection"))
        found.append({"asked": f"{method} {target} {who}", "status": answer.status_code, "passed": passed,
                      "said": document, "told": told, "headers": headers})  # fmt: skip
    return found


def test_the_same_verdicts(own: Shop, opa: OpaServer) -> None:
    """Table by table, live there and back: statuses, problem documents, and what is passed on."""
    embedded = verdicts(own)
    assert {v["status"] for v in embedded} == {200, 400, 403, 418}
    took = switch(own, opa.url)
    asked = verdicts(own)
    for one, other in zip(embedded, asked, strict=True):
        assert one == other
    assert own.gateway.manage("/ready").status == 200
    back = switch(own, None)
    print(f"OPA decides after {took * 1000:.0f} ms, the embedded engine again after {back * 1000:.0f} ms")
    assert verdicts(own) == embedded


def test_the_place_of_the_decision_is_known(own: Shop, opa: OpaServer) -> None:
    switch(own, opa.url)
    trace = "0af7651916cd43dd8448eb211c80319c"
    own.ask("GET", "/shop/v1/me", "mallory", trace=trace)
    why = own.gateway.manage(f"/decisions/{trace}").json
    assert why["causes"][0]["place"].startswith("policies/shop/authz.rego:")
    spans = {s.name: s for s in own.collector.wait(trace, lambda found: "decide" in {s.name for s in found})}
    assert spans["decide"].attributes["sidegate.decision"] == "policy-denied"


def test_a_stopped_opa_is_a_denial(own: Shop, opa: OpaServer) -> None:
    """With a code of its own, whoever asks; what no policy decides goes on; and OPA's return is noticed."""
    switch(own, opa.url)
    since = len(own.first.log)
    opa.stop()
    try:
        for who in ("rita", "mallory"):
            trace = own.issuer.token()[-32:].encode().hex()[:32]
            answer = own.ask("GET", "/shop/v1/me", who, trace=trace)
            assert answer.status_code == 503, answer.text
            assert own.gateway.manage(f"/decisions/{trace}").json["record"]["code"] == "policy-unavailable"
        assert not own.asked(since)
        assert own.ask("GET", "/shop/v1/page", None).status_code == 200
        assert own.ask("GET", "/shop/v1/items?limit=0").status_code == 400
    finally:
        opa.start()
    assert own.ask("GET", "/shop/v1/me").status_code == 403, "an OPA without policies decides nothing"
    load(opa, own.folder)
    assert own.ask("GET", "/shop/v1/me").status_code == 200


def test_an_opa_that_never_was(own: Shop) -> None:
    """The switch itself closes, and going back opens again."""
    settings = yaml.safe_load(own.read("sidegate.yaml"))
    own.write("sidegate.yaml", yaml.safe_dump({**settings, "opa": {"url": "http://127.0.0.1:9"}}))
    until(lambda: own.ask("GET", "/shop/v1/me").status_code == 503)
    switch(own, None)
    assert own.ask("GET", "/shop/v1/me").status_code == 200
