"""Contracts and policies change, break and vanish while a mesh is under load (cases X and G)."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from examples.mesh.parts import REPLICAS
from tests.e2e.journal import Answer, Entry, routes
from tests.mesh.world import OPERATION, World, add, rewritten
from tests.roles.running import until

pytestmark = pytest.mark.slow

NEXT = "openapi: 3.0.3\ninfo: {title: Orders, version: 2.0.0}\nservers: [{url: /orders/v2}]\npaths:\n"


def test_a_contract_is_added_to_under_load(world: World, orders: Path) -> None:
    """X07: what is new is live, in the edge and in the sidecar, and nobody noticed."""
    with world.load() as load:
        load.more()
        add(orders, "news")
        world.well("/orders/v1/news")
        load.more()
    assert not load.wrong
    world.served(load, "/orders/v1/news")


def test_a_version_is_retired_with_a_request_in_flight(world: World) -> None:
    """X08: who was let in is answered, after the version is gone for everybody else."""
    version, journal = world.sources / "contracts/orders/v2.yaml", world.journals["orders"]
    version.write_text(NEXT + OPERATION.format("long") + OPERATION.format("ping"))
    world.well("/orders/v2/ping")
    gone, arrived = threading.Event(), threading.Event()

    def answer(entry: Entry) -> Answer:
        if entry.path.endswith("/long"):
            arrived.set()
            gone.wait(50)
        return routes(entry)

    journal.answer, statuses = answer, []
    asking = threading.Thread(target=lambda: statuses.append(world.ask("/orders/v2/long", timeout=60).status_code))
    try:
        with world.load() as load:
            asking.start()
            assert arrived.wait(30)
            version.unlink()
            world.well("/orders/v2/ping", 404)
            gone.set()
            asking.join(60)
            load.more()
    finally:
        gone.set()
        journal.answer = routes
        version.unlink(missing_ok=True)
    assert statuses == [200]
    assert not load.wrong
    world.served(load, "/orders/v2/long", "/orders/v2/ping")


def test_a_broken_contract_holds_up_no_other(world: World, orders: Path) -> None:
    """X04: a good change beside it is live, what it says serves on as it was, and both replicas say why."""
    broken = world.sources / "contracts/catalog/v1.yaml"
    with rewritten(broken, broken.read_text().replace("responses:", "respones:", 1)):
        with world.load() as load:
            add(orders, "beside")
            world.well("/orders/v1/beside")
            load.more()
        for name in REPLICAS:
            until(
                lambda name=name: "contracts/catalog/v1.yaml" in json.dumps(world.told(name, "/diagnostics")),
                world.logs,
            )
            assert "catalog" in str(world.told(name, "/ready")["degraded"])
    assert not load.wrong
    world.served(load, "/orders/v1/beside")
    for name in REPLICAS:
        until(lambda name=name: not world.told(name, "/ready")["degraded"], world.logs)


def test_sources_that_vanish_take_nothing_away(world: World) -> None:
    """X20: the folder of contracts is emptied, as when a ConfigMap is; what was served is, and the replicas say so."""
    contracts, aside = world.sources / "contracts", world.sources.parent / "aside"
    with world.load() as load:
        contracts.rename(aside)
        contracts.mkdir()
        try:
            for name in REPLICAS:
                until(lambda name=name: "no-contracts" in json.dumps(world.told(name, "/diagnostics")), world.logs)
            load.more()
        finally:
            contracts.rmdir()
            aside.rename(contracts)
        for name in REPLICAS:
            until(lambda name=name: "no-contracts" not in json.dumps(world.told(name, "/diagnostics")), world.logs)
    assert not load.wrong
    world.served(load)


def test_a_policy_is_edited(world: World, orders: Path) -> None:
    """X23, G05, G10: no xDS traffic; each answer is of one revision, none goes back, and a broken one changes nothing."""
    rule = world.sources / "policies/orders/news.rego"
    answer = '{{"allowed": false, "http_status": {0}, "headers": {{"x-revision": "{0}"}}, "body": "{0}"}}'
    text = f"package orders.news\n\nanswer := {answer}\n"
    seen: dict[str, list[tuple[int, str, str]]] = {"edge": [], "orders": []}
    over = threading.Event()

    def client(name: str) -> None:
        while not over.is_set():
            answer = world.ask("/orders/v1/news", at=name)
            seen[name].append((answer.status_code, answer.headers.get("x-revision", ""), answer.text))

    def latest(status: int) -> None:
        until(lambda: all(said and said[-1][0] == status for said in seen.values()), lambda: (seen, world.logs()))

    rule.write_text(text.format(410))
    add(orders, "news")
    orders.write_text(
        orders.read_text().replace("{policy: none, reason: a public page}", "{policy: orders/news/answer}")
    )
    world.well("/orders/v1/news", 410)
    world.connected()
    before = {name: world.stats(name, "update_success") for name in world.everybody}
    clients = [threading.Thread(target=client, args=(name,), daemon=True) for name in seen]
    try:
        with world.load() as load:
            for each in clients:
                each.start()
            latest(410)
            for status in (411, 412, 413):
                rule.write_text(text.format(status))
                latest(status)
            rule.write_text(text.format(414) + "\nanswer := {\n")
            for name in REPLICAS:
                until(lambda name=name: "news.rego" in json.dumps(world.told(name, "/diagnostics")), world.logs)
            load.more()
    finally:
        over.set()
        for each in clients:
            each.join()
    [said] = [d for d in world.told(REPLICAS[0], "/diagnostics") if "news.rego" in json.dumps(d)][:1]
    assert said["severity"] == "error"
    for answers in seen.values():
        assert all((str(status), str(status)) == (header, body) for status, header, body in answers), set(answers)
        assert [status for status, _, _ in answers] == sorted(status for status, _, _ in answers)
    assert {name: world.stats(name, "update_success") for name in world.everybody} == before
    assert not load.wrong
    rule.unlink()
