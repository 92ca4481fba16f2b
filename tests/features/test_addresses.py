"""`addresses`: who may ask, by the address that trusted hops give; the gateway's own rule cannot be widened."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from tests.features.hop import Hop, contract, operation, serve
from tests.projects import compiled_with, pets, tree
from tests.waiting import until
from xds.compile import Compiler

HERE, ELSEWHERE = "127.0.0.0/8", "192.0.2.0/24"


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    def ruled(**rule: list[str]) -> dict[str, object]:
        return {"get": operation(x_sidegate={"addresses": rule})}

    paths = {
        "/here": ruled(allow=[HERE]),
        "/elsewhere": ruled(allow=[ELSEWHERE, "2001:db8::/32"]),
        "/but": ruled(allow=[HERE], deny=["127.0.0.1"]),
        "/denied": ruled(deny=[HERE]),
        "/plain": {"get": operation()},
    }
    with serve(tmp_path_factory.mktemp("addresses"), contract(paths)) as running:
        yield running


@pytest.mark.parametrize(
    ("path", "status"), [("/here", 200), ("/plain", 200), ("/elsewhere", 403), ("/but", 403), ("/denied", 403)]
)
def test_only_allowed_addresses_may_ask(hop: Hop, path: str, status: int) -> None:
    """What a client says of its own address is nothing."""
    answer = hop.client.get(path, headers={"x-forwarded-for": "192.0.2.7", "x-real-ip": "192.0.2.7"})
    assert answer.status_code == status
    if status == 403:
        assert answer.headers["content-type"] == "application/problem+json"
        assert (answer.json()["code"], answer.json()["operationId"]) == (
            "address-denied",
            f"get{path}".replace("/", "_"),
        )


def test_a_refused_request_reaches_nobody(hop: Hop) -> None:
    before = len(hop.server.log)
    assert hop.client.get("/denied").status_code == 403
    assert len(hop.server.log) == before


def test_the_gateways_rule_holds_everywhere_and_changes_while_it_serves(hop: Hop) -> None:
    """Also for what no operation matches and where an operation allows the client; taken back, all is as before."""
    file = hop.folder / "sidegate.yaml"
    before = file.read_text()
    connection = _port_of(hop)
    file.write_text(yaml.safe_dump({**yaml.safe_load(before), "addresses": {"deny": [HERE]}}))
    try:
        until(lambda: hop.client.get("/plain").status_code == 403)
        for path in ("/here", "/plain", "/nowhere", "/elsewhere"):
            answer = hop.client.get(path)
            assert (answer.status_code, answer.json()["code"]) == (403, "address-denied"), path
        assert hop.client.post("/plain").status_code == 403
    finally:
        file.write_text(before)
    until(lambda: hop.client.get("/plain").status_code == 200)
    assert hop.client.get("/nowhere").status_code == 404
    assert _port_of(hop) == connection, "nothing of this closed a connection"


def _port_of(hop: Hop) -> object:
    with hop.client.stream("GET", "/here") as answer:
        answer.read()
        return answer.extensions["network_stream"].get_extra_info("client_addr")


@pytest.mark.parametrize(
    ("written", "pointer", "help"),
    [
        ("addresses: {}", "", "which clients"),
        ("addresses: {allow: []}", "/allow", "only clients"),
        ("addresses: {allow: [10.0.0.1/8]}", "/allow/0", "did you mean 10.0.0.0/8?"),
        ("addresses: {deny: [everybody]}", "/deny/0", "10.0.0.0/8"),
        ("addresses: {allow: [10.0.0.0/8], deny: [10.0.0.0/8]}", "/deny", "wins"),
        ("addresses: {alow: [10.0.0.0/8]}", "/alow", "`allow`"),
    ],
)
def test_bad_settings_have_a_place(written: str, pointer: str, help: str) -> None:
    (found,) = compiled_with(written)
    assert found.span
    assert found.span.pointer.endswith(f"/addresses{pointer}")
    assert help in (found.help or "")
    settings = pets()["sidegate.yaml"] + written + "\n"
    (same,) = [d for d in Compiler().compile(tree(pets(settings=settings))).diagnostics if d.is_error]
    assert same.span
    assert (same.span.file, same.span.pointer) == ("sidegate.yaml", f"/addresses{pointer}")
