"""Proxies, apps and the counting of a mesh under load end or answer wrongly (cases X22, X26, U, R08)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.journal import Answer, Entry, routes
from tests.e2e.processes import tree
from tests.mesh.load import ALLOWED
from tests.mesh.world import World
from tests.roles.running import until

pytestmark = pytest.mark.slow

MIB = 1 << 20
PROBLEM = "application/problem+json"


@pytest.mark.parametrize("kill", [True, False])
@pytest.mark.parametrize("name", ["catalog", "edge"])
def test_a_proxy_that_ends_comes_back(world: World, name: str, kill: bool) -> None:
    """X26: nobody reaches the app around a proxy that is away; X22: one that is told to end breaks off nothing."""
    with world.load() as load:
        load.more()
        world.mesh.restart(f"{name}-envoy", kill=kill)
        load.more()
    # who connects in the moment in which it stops listening is still in the kernel's queue, and no app was asked: the edge says
    # 502 of such a connection, and `served` that nothing else was broken off
    away = {502, 503} if name == "catalog" else {"ConnectionRefusedError", "ConnectionResetError"}
    # a proxy that is killed may break off an answer after its head: the edge can only cut it off as well
    cut = {502, "IncompleteRead", "RemoteDisconnected", "ConnectionResetError", "BadStatusLine"}
    assert {status for _, status in load.wrong} <= ({*away, *cut} if kill else away)
    if name == "catalog":
        assert not [target for target, _ in load.wrong if target.startswith("/orders")]
    assert set(world.reached()) <= {*ALLOWED}
    if not kill:
        world.served(load)


def test_counting_may_be_away(world: World) -> None:
    """R08: limits that fail open let everybody through while the service or its store is away."""
    if not world.mesh.counts:
        pytest.skip("no rate limit service: there is no Go to build it with")
    with world.load() as load:
        load.more()
        for name in ("ratelimit", "valkey"):
            world.mesh.parts[name].kill()
            load.more()
        world.mesh.begin("valkey", "ratelimit")
        world.mesh.wait(world.mesh.parts["ratelimit"])
        load.more()
    assert not load.wrong
    world.served(load)
    until(lambda: "ratelimit" in world.ask(ALLOWED[0]).headers, lambda: world.mesh.log("ratelimit")[-2000:])


def test_an_app_whose_answer_is_no_answer(world: World) -> None:
    """U04: headers of 200 KiB, a connection that ends: its own sidecar says so, in words of the gateway; others go on."""
    long = Answer(headers=(("content-type", "application/json"), ("x-long", "a" * (200 << 10))))

    def gone(_: Entry) -> Answer:
        raise ConnectionError

    for answer in (lambda _: long, gone):
        with _answering(world, answer):
            said = world.ask("/orders/v1/orders")
            assert said.status_code in (502, 503)
            assert said.headers["content-type"] == PROBLEM
            assert world.ask(ALLOWED[0]).status_code == 200


def test_an_app_that_tells_what_it_runs_on(world: World) -> None:
    """U05: its `Server` is nobody's business."""
    leaky = Answer(headers=(("content-type", "application/json"), ("server", "Fossil/0.1")))
    with _answering(world, lambda _: leaky):
        for name in ("edge", "orders"):
            assert world.ask("/orders/v1/orders", at=name).headers["server"] == "sidegate"


def test_large_answers_are_held_by_nobody(world: World) -> None:
    """U02: nothing checks answers, so 10 MiB stream through both proxies."""
    large = Answer(chunks=tuple([b"x" * 65536] * 160))
    before = {name: _rss(world, name) for name in ("edge", "orders")}
    with _answering(world, lambda _: large):
        for _ in range(5):
            assert len(world.ask("/orders/v1/orders").content) == 10 * MIB
    assert {name: _rss(world, name) - rss < 64 * MIB for name, rss in before.items()} == dict.fromkeys(before, True)


@contextmanager
def _answering(world: World, answer: Callable[[Entry], Answer]) -> Iterator[None]:
    """Orders' app answers so."""
    journal = world.journals["orders"]
    journal.answer = answer
    try:
        yield
    finally:
        journal.answer = routes


def _rss(world: World, name: str) -> int:
    [envoy] = [each for each in tree(world.process(f"{name}-envoy").pid) if each.pid == world.envoy(name)]
    return envoy.rss
