"""V: answers that no companion should give, between a real Envoy and a real companion. Each is a refusal, none a pass."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.blackbox import start
from tests.blackbox.case import post, request
from tests.blackbox.relay import Fault, Relay
from tests.blackbox.world import World


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Relay]]:
    """Parts of this module's own, with a relay before the companion."""
    with Relay() as relay, start.parts(tmp_path_factory.mktemp("relay"), relay=relay) as world:
        yield world, relay


@pytest.mark.parametrize("fault", [f for f in Fault if f is not Fault.NONE])
def test_v01_v04_v08_a_broken_answer_is_a_refusal(fault: Fault, broken: tuple[World, Relay]) -> None:
    world, relay = broken
    mark = world.journal.mark()
    relay.set(fault)
    try:
        for data in (
            request("/v1/items?limit=10"),
            post({"name": "a", "price": 1}),
            request("/v1/me", token="mallory"),
        ):
            exchange = world.ask(data)
            if fault is Fault.REDIRECT:  # by the protocol a companion's own answer, as a policy may word one
                assert exchange.status == 302, exchange
                continue
            assert exchange.status in (500, 502, 503, 504), exchange
            assert exchange.answer.header("content-type") == "application/problem+json", exchange.answer.raw
            assert exchange.answer.code, exchange.answer.raw
        assert world.journal.since(mark) == [], "something went on unjudged"
    finally:
        relay.set(Fault.NONE)
    assert world.good().status == 200
    assert not any(world.failures().values()), "O8"
