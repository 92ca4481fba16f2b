"""`trustedHops`: the client's address is what the farthest trusted hop saw, for limits, rules, log and upstream alike."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.features.hop import Hop, contract, operation, serve
from tests.projects import ADDED, pets, tree
from tests.waiting import until
from xds.compile import Compiler

LIMIT = {"name": "addresses", "by": ["address"], "limit": 2, "per": "day"}
PATHS = {
    "/limited": {"get": operation(x_sidegate={"rateLimits": [LIMIT]})},
    "/ruled": {"get": operation(x_sidegate={"addresses": {"allow": ["192.0.2.0/24"]}})},
}
BALANCER = "203.0.113.9"
"""What a CDN before the balancer has as its address: the balancer is the peer, and appends that."""


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    with serve(tmp_path_factory.mktemp("hops"), contract(PATHS), settings={"trustedHops": 2}) as running:
        yield running


def ask(hop: Hop, path: str, client: str, written: str = "") -> int:
    return hop.client.get(path, headers={"x-forwarded-for": f"{written}{client}, {BALANCER}"}).status_code


def test_a_limit_by_address_counts_the_client_that_the_hops_saw(hop: Hop) -> None:
    """What a client writes itself stands before that, and is nothing."""
    assert [ask(hop, "/limited", "192.0.2.1", w) for w in ("", "198.51.100.1, ", "198.51.100.2, ")] == [200, 200, 429]
    assert ask(hop, "/limited", "192.0.2.2") == 200


def test_a_rule_by_address_reads_the_same(hop: Hop) -> None:
    assert ask(hop, "/ruled", "192.0.2.3") == 200
    assert ask(hop, "/ruled", "198.51.100.3", "192.0.2.3, ") == 403


def test_the_access_log_shows_the_same(hop: Hop) -> None:
    assert ask(hop, "/ruled", "192.0.2.77", "198.51.100.4, ") == 200
    log = hop.folder / ".sidegate" / "access.log"
    until(lambda: "192.0.2.77" in log.read_text())
    (line,) = (line for line in log.read_text().splitlines() if "192.0.2.77" in line)
    assert json.loads(line)["client"] == "192.0.2.77"


@pytest.mark.parametrize("written", ["-1", "true", "'2'", "17", "1.5", "[2]"])
def test_bad_settings_have_a_place(written: str) -> None:
    settings = pets()["sidegate.yaml"] + f"trustedHops: {written}\n"
    (found,) = Compiler().compile(tree(pets(settings=settings))).diagnostics
    assert (found.code, found.span and found.span.file, found.span and found.span.line) == (
        "settings-invalid", "sidegate.yaml", ADDED,
    )  # fmt: skip
