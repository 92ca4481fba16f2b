"""O-04: where the gateway itself fails, its 500 says so and nothing of the inside, and nothing gets past it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.blackbox.oracles import LEAKS
from tests.envoy.models import gateway, operation, version
from tests.envoy.proxy import Proxy, proxy
from xds.envoy.filters import auth
from xds.model import Alternative, Credential, Gateway, Mode
from xds.model.credentials import SchemeKind
from xds.model.schemes import Key, KeyScheme

SECRET = "a1" * 32
SAID = f"/etc/sidegate/auth.lua:7: no such thing as {SECRET}"
BROKEN = {
    "raised": f'function envoy_on_request(handle) error("{SAID}") end',
    "a-type": f'function envoy_on_request(handle) return nil .. "{SAID}" end',
    "says-nothing": "function envoy_on_request(handle) end",
    "says-something-else": (
        f'function envoy_on_request(handle) handle:streamInfo():dynamicMetadata():set("sidegate.auth", "verdict", "{SAID}") end'
    ),
}
"""Programs as no build makes them: what a fault of ours would look like."""


@pytest.fixture(scope="module", params=BROKEN)
def broken(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    keyed = (Alternative((Credential("key", kind=SchemeKind.KEY, place="header", name="x-key"),)),)
    asked = (
        operation("GET /keyed", keyed, mode=Mode.OFF, exempt="x"),
        operation("GET /open", mode=Mode.OFF, exempt="x"),
    )

    def made(port: int) -> Gateway:
        scheme = KeyScheme("key", (Key("mobile", SECRET),))
        return gateway(version("ref/v1", asked, f"http://127.0.0.1:{port}"), schemes=(scheme,))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auth, "program", lambda schemes, plans: BROKEN[request.param])
        with proxy(made, tmp_path_factory.mktemp("broken")) as running:
            yield running


@pytest.mark.parametrize("sent", [{}, {"x-key": "guessed"}])
def test_o04_a_fault_of_the_gateways_own_is_500_without_a_word_of_it(broken: Proxy, sent: dict[str, str]) -> None:
    before = len(broken.upstream.seen)
    got = broken.ask("GET", "/keyed", sent)
    assert (got.status, got.headers["content-type"]) == (500, "application/problem+json")
    document = got.problem
    assert re.fullmatch("[0-9a-f]{32}", document.pop("traceId"))
    assert document == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "code": "internal",
        "detail": "The gateway failed.",
        "operationId": "get--keyed",
        "version": "v1",
        "errors": [],
    }
    told = repr(got.headers).encode() + got.body
    assert SECRET.encode() not in told
    assert not LEAKS.search(told), told
    assert len(broken.upstream.seen) == before


def test_o04_and_the_others_are_served(broken: Proxy) -> None:
    before = len(broken.upstream.seen)
    assert broken.ask("GET", "/open").status == 200
    assert len(broken.upstream.seen) == before + 1
