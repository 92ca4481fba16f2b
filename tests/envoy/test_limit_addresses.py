"""R01: by address means by the address that trusted hops give, an IPv6 one by its network."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.envoy.proxy import Proxy, proxy
from tests.projects import compiled, pets
from xds.model import Gateway

OPEN = """\
  /{path}:
    get:
      operationId: {path}
      security: []
      x-sidegate:
        {{policy: none, reason: a public page, rateLimits: [{{name: {by}, by: [{by}], limit: 2, per: day}}]}}
      responses: {{"200": {{description: ok}}}}
"""


def _gateway(upstream: int) -> Gateway:
    text = pets()["contracts/pets/v1.yaml"]
    paths = "".join(OPEN.format(path=path, by=by) for path, by in (("limited", "address"), ("anybody", "client")))
    contract = text.replace("components:", f"{paths}components:")
    settings = pets()["sidegate.yaml"].replace("127.0.0.1:9", f"127.0.0.1:{upstream}")
    return compiled(pets(contract=contract, settings=settings)).gateway


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with proxy(_gateway, tmp_path_factory.mktemp("addresses"), trusted_hops=1) as running:
        yield running


def _ask(hop: Proxy, path: str, forwarded: str) -> int:
    return hop.ask("GET", f"/pets/v1/{path}", {"x-forwarded-for": forwarded}).status


@pytest.mark.parametrize("path", ["limited", "anybody"])
def test_one_bucket_for_what_the_trusted_hop_says(hop: Proxy, path: str) -> None:
    """Only the last address is the trusted hop's own; what stands before it, a client wrote."""
    assert [_ask(hop, path, f"{spoofed}192.0.2.1") for spoofed in ("", "1.2.3.4, ", "::1, ")] == [200, 200, 429]
    assert _ask(hop, path, "192.0.2.2") == 200


@pytest.mark.parametrize("path", ["limited", "anybody"])
def test_one_bucket_for_an_ipv6_network(hop: Proxy, path: str) -> None:
    assert [_ask(hop, path, f"2001:db8::{host}") for host in ("1", "2", "ffff:1")] == [200, 200, 429]
    assert _ask(hop, path, "2001:db8:0:1::1") == 200


@pytest.mark.parametrize("path", ["limited", "anybody"])
def test_ipv4_written_as_ipv6_is_an_address_and_no_network(hop: Proxy, path: str) -> None:
    """All of them are in one /64: one client must not use up everybody's."""
    assert [_ask(hop, path, "::ffff:198.51.100.1") for _ in range(3)] == [200, 200, 429]
    assert _ask(hop, path, "::ffff:198.51.100.2") == 200
