"""X: files change, parts die and come back, under load; what was judged rightly before is judged rightly throughout."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import waiting
from tests.blackbox import http1, start
from tests.blackbox.case import PUBLIC, request
from tests.blackbox.load import Ask, Load
from tests.blackbox.world import World

SCRATCH = """openapi: 3.0.3
info: {title: scratch, version: "1"}
servers: [{url: /scratch}]
security: []
x-sidegate: {policy: none, reason: a contract that is edited by tests}
paths:
  /ping: {get: {operationId: ping, responses: {default: {description: any}}}}
"""
PING = request("/scratch/ping", token=PUBLIC)
PONG = request("/scratch/pong", token=PUBLIC)


def wide(text: str) -> str:
    """The scratch contract with a second operation."""
    return text + "  /pong: {get: {operationId: pong, responses: {default: {description: any}}}}\n"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A gateway of this module's own, whose files are edited."""
    with start.world(tmp_path_factory.mktemp("changes")) as world:
        yield world


@pytest.fixture
def scratch(own: World) -> Iterator[Path]:
    """A third service, made for one test and taken away after it; the path of its contract."""
    folder = own.gateway.folder
    settings = folder / "sidegate.yaml"
    before = settings.read_text()
    contract = folder / "contracts/scratch/v1.yaml"
    contract.parent.mkdir(exist_ok=True)
    contract.write_text(SCRATCH)
    settings.write_text(before.replace("services:\n", f"services:\n  scratch: {{upstream: '{own.journal.url}'}}\n"))
    until(lambda: own.ask(PING).status == 200, own)
    yield contract
    shutil.rmtree(contract.parent)
    settings.write_text(before)
    until(lambda: own.ask(PING).status == 404, own)


def until(condition: Callable[[], bool], world: World) -> float:
    """Seconds until the condition holds."""
    return waiting.until(condition, lambda: world.gateway.output[-3000:])


def versions(world: World) -> dict[str, str]:
    """Version and name of everything that Envoy took from the control plane."""
    dump = json.loads(world.admin.get("/config_dump"))
    text = json.dumps(dump)
    counters = world.admin.stats("update_success|listener_modified|cluster_modified|config_reload$")
    infos = re.findall(r'"version_info": "([^"]*)"', text)
    return {**{f"version {n}": v for n, v in enumerate(sorted(infos))}, **{n: str(v) for n, v in counters.items()}}


def settled(world: World) -> dict[str, str]:
    """The versions, once they have been the same for a second: changes of an earlier test are over."""
    before = versions(world)
    while time.sleep(1) or (now := versions(world)) != before:
        before = now
    return before


def flawless(load: Load, *also: str) -> None:
    """Nothing failed and nothing was judged wrongly, seen from the clients and from the upstream (`also` asked beside)."""
    assert not load.wrong, dict(load.wrong)
    assert load.right > 0
    assert not load.unexpected_upstream(*also)


def test_x07_a_version_added_under_load(own: World, scratch: Path) -> None:
    """No request fails, and the new version is reachable; how soon is printed."""
    with Load(own, clients=2, rate=80) as load:
        time.sleep(0.3)
        (scratch.parent / "v2.yaml").write_text(SCRATCH.replace("/scratch}", "/scratch/v2}"))
        took = until(lambda: own.ask(request("/scratch/v2/ping", token=PUBLIC)).status == 200, own)
        time.sleep(0.3)
    flawless(load, "/scratch/v2/ping")
    print(f"reachable after {took:.3f} s")


def test_x08_a_version_retired_with_requests_in_flight(own: World, scratch: Path) -> None:
    """An answer that takes 3 s arrives although its version is gone by then; new requests get 404."""
    text = SCRATCH.replace("/ping:", "/slow:").replace("/scratch}", "/scratch/v2}")
    (scratch.parent / "v2.yaml").write_text(text)
    slow = request("/scratch/v2/slow", token=PUBLIC)
    until(
        lambda: (
            own.ask(slow, 0.2).status == 200 or own.ask(request("/scratch/v2/slow?x=1", token=PUBLIC)).status == 400
        ),
        own,
    )
    with http1.Connection(own.port) as connection:
        connection.send(own.fill(slow))
        time.sleep(0.3)
        (scratch.parent / "v2.yaml").unlink()
        until(lambda: own.ask(request("/scratch/v2/slow?x=1", token=PUBLIC)).status == 404, own)
        assert connection.read().status == 200


def test_x04_a_broken_contract_holds_up_no_other(own: World, scratch: Path) -> None:
    """Contract A is broken, B changes at the same time: B is live, A stays as it was, and it is said."""
    broken = own.gateway.folder / "contracts/zed/v1.yaml"
    before = broken.read_text()
    try:
        with Load(own, clients=2, rate=80) as load:
            broken.write_text(before.replace("responses", "respones", 1) + "  oops: [\n")
            scratch.write_text(wide(SCRATCH))
            until(lambda: own.ask(PONG).status == 200, own)
            assert own.ask(request("/zed/free", token=PUBLIC)).status == 200, "what served before serves on"
        flawless(load, "/scratch/pong", "/zed/free")
        until(lambda: "contracts/zed/v1.yaml" in own.gateway.output, own)
        diagnostics = own.gateway.manage("/diagnostics")
        assert "zed/v1.yaml" in diagnostics.body, diagnostics
        ready = own.gateway.manage("/ready")
        assert "zed" in ready.body, ready
    finally:
        broken.write_text(before)
    until(lambda: "zed" not in str(own.gateway.manage("/ready").json["degraded"]), own)


def test_x23_a_policy_edit_is_not_sent_to_envoy(own: World) -> None:
    """Active with no xDS traffic at all; each answer is of the old policy or of the new one."""
    policy = own.gateway.folder / "policies/ref/authz.rego"
    before, was = policy.read_text(), settled(own)
    denied = request("/v1/me", token="mallory")
    assert own.ask(denied).status == 403
    try:
        policy.write_text(before.replace('"mallory"', '"nobody"'))
        took = until(lambda: own.ask(denied).status == 200, own)
        print(f"active after {took:.3f} s")
        assert settled(own) == was, "the edit of a policy reached Envoy"
    finally:
        policy.write_text(before)
    until(lambda: own.ask(denied).status == 403, own)


def test_x23_a_broken_policy_changes_nothing(own: World) -> None:
    policy = own.gateway.folder / "policies/ref/authz.rego"
    before = policy.read_text()
    try:
        with Load(own, clients=2, rate=80) as load:
            policy.write_text(before + "\nallow if {\n")
            until(lambda: "authz.rego" in own.gateway.manage("/diagnostics").body, own)
            time.sleep(0.5)
        flawless(load)
    finally:
        policy.write_text(before)
    until(lambda: "authz.rego" not in own.gateway.manage("/diagnostics").body, own)


def test_x_reloads_under_load_fail_no_request(own: World, scratch: Path) -> None:
    """Ten edits, contracts and policies in turn, while known requests come: none fails, none is judged wrongly."""
    contract = own.gateway.folder / "contracts/ref/v1.yaml"
    policy = own.gateway.folder / "policies/ref/authz.rego"
    texts = {contract: contract.read_text(), policy: policy.read_text()}
    try:
        with Load(own, clients=3, rate=120) as load:
            for number in range(5):
                contract.write_text(texts[contract].replace("description: items", f"description: items {number}"))
                scratch.write_text(wide(SCRATCH) if number % 2 else SCRATCH)
                time.sleep(0.2)
                policy.write_text(texts[policy] + f"\n# edit {number}\n")
                time.sleep(0.2)
    finally:
        for path, text in texts.items():
            path.write_text(text)
    flawless(load)
    print(f"{load.right} requests, slowest {load.slowest:.3f} s")


def test_x_a_rule_made_stricter_is_in_force_everywhere_at_once(own: World, scratch: Path) -> None:
    """Once a request has been refused by the new rule, no request passes by the old one."""
    scratch.write_text(
        SCRATCH.replace(
            "operationId: ping,", "operationId: ping, parameters: [{name: n, in: query, schema: {type: integer}}],"
        )
    )
    ask = request("/scratch/ping?n=50", token=PUBLIC)
    until(lambda: own.ask(ask).status == 200, own)
    text = scratch.read_text()
    scratch.write_text(text.replace("{type: integer}", "{type: integer, maximum: 10}"))
    until(lambda: own.ask(ask).status == 400, own)
    assert {own.ask(ask).status for _ in range(40)} == {400}


def test_x20_a_folder_emptied(own: World) -> None:
    """All contracts gone at once, as when a ConfigMap is emptied: what was served is served on, and it is said."""
    contracts, aside = own.gateway.folder / "contracts", own.gateway.folder / "aside"
    with Load(own, clients=2, rate=80) as load:
        contracts.rename(aside)
        try:
            contracts.mkdir()
            until(lambda: "no-contracts" in own.gateway.manage("/diagnostics").body, own)
            contracts.rmdir()
            time.sleep(0.5)
        finally:
            shutil.rmtree(contracts, ignore_errors=True)
            aside.rename(contracts)
        until(lambda: "no-contracts" not in own.gateway.manage("/diagnostics").body, own)
    flawless(load)


def test_x20_a_settings_file_that_is_cut_short(own: World) -> None:
    settings = own.gateway.folder / "sidegate.yaml"
    before = settings.read_text()
    try:
        with Load(own, clients=2, rate=80) as load:
            for text in ("", "services: {", "services: {}\n", before[: len(before) // 2]):
                settings.write_text(text)
                time.sleep(0.4)
        flawless(load)
    finally:
        settings.write_text(before)
    until(lambda: own.gateway.manage("/ready").status == 200, own)


def test_x26_envoy_killed(own: World) -> None:
    """It comes back with what it had; in between nobody answers, and nothing reaches the upstream unjudged."""
    mark = own.journal.mark()
    own.gateway.kill("envoy")
    statuses = set()

    def back() -> bool:
        try:
            statuses.add(status := own.ask(request("/v1/me", token="mallory"), 1).status)
        except OSError:
            return False
        return status == 403

    until(back, own)
    own.__dict__.pop("admin", None)
    assert statuses <= {0, 403, 503}, statuses
    assert own.good().status == 200
    assert [e.target for e in own.journal.since(mark)] == ["/v1/items?limit=10"]


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[World]:
    """Control plane, companion and Envoy as processes of their own."""
    with start.parts(tmp_path) as world:
        yield world


@pytest.mark.slow
def test_x01_x02_the_control_plane_dies_and_comes_back(apart: World) -> None:
    """20 s of the case's ten minutes without a control plane, then the same one again: no failure, no churn."""
    parts, was = apart.gateway, versions(apart)
    dropped = apart.admin.stats("listener_manager.listener_(modified|removed|added|in_place)|total_listeners_draining")
    with Load(apart, clients=3, rate=150) as load:
        parts.stop("control-plane")
        time.sleep(20)
        parts.start("control-plane")
        parts.wait_ready()
        time.sleep(1)
    flawless(load)
    now = versions(apart)
    assert {n: v for n, v in now.items() if n.startswith("version")} == {
        n: v for n, v in was.items() if n.startswith("version")
    }
    assert (
        apart.admin.stats("listener_manager.listener_(modified|removed|added|in_place)|total_listeners_draining")
        == dropped
    )
    print(f"{load.right} requests, slowest {load.slowest:.3f} s")


@pytest.mark.slow
def test_x11_the_control_plane_restarts_while_its_source_is_broken(apart: World) -> None:
    parts = apart.gateway
    contract = parts.folder / "contracts/ref/v1.yaml"
    with Load(apart, clients=2, rate=80) as load:
        parts.stop("control-plane")
        contract.write_text("openapi: 3.0.3\npaths: [\n")
        parts.start("control-plane")
        parts.wait_ready()
    ready = parts.manage("/ready")
    assert "ref" in str(ready.json["degraded"]), ready
    flawless(load)


@pytest.mark.slow
def test_x10_envoy_first(tmp_path: Path) -> None:
    """Envoy alone refuses connections or requests; when the rest is there it serves; nothing passes in between."""
    with start.parts(tmp_path, "envoy") as world:
        statuses: set[int] = set()
        stop = threading.Event()

        def knock() -> None:
            while not stop.is_set():
                try:
                    statuses.add(world.ask(request("/v1/me", token="mallory"), 1).status)
                except OSError:
                    statuses.add(-1)
                time.sleep(0.02)

        knocking = threading.Thread(target=knock)
        knocking.start()
        try:
            time.sleep(3)
            assert world.journal.since() == []
            world.gateway.start("control-plane")
            world.gateway.start("companion")
            world.gateway.wait_ready()
            until(lambda: world.good().status == 200, world)
        finally:
            stop.set()
            knocking.join()
        assert statuses <= {-1, 0, 403, 503}, statuses
        assert not [e for e in world.journal.since() if e.path == "/v1/me"]


@pytest.mark.slow
def test_x22_sigterm_to_envoy_with_requests_in_flight(apart: World) -> None:
    """What Envoy does when it is asked to end: a request under way is answered or its connection closed, none is garbled."""
    with http1.Connection(apart.port) as connection:
        connection.send(apart.fill(request("/v1/public/slow", token=PUBLIC)))
        time.sleep(0.3)
        os.kill(apart.gateway.roles()["envoy"].pid, signal.SIGTERM)
        exchange = connection.read()
    assert exchange.status in (0, 200, 503), exchange


STRICT = (Ask("/v1/items?limit=10", 200), Ask("/v1/items?limit=1000", 400), Ask("/v1/me", 403, "mallory"))


@pytest.mark.slow
def test_x01_at_the_start_of_a_reload(apart: World) -> None:
    """The control plane is killed in the middle of changes: proxy and companion agree on what they have."""
    contract = apart.gateway.folder / "contracts/ref/v1.yaml"
    text = contract.read_text()
    with Load(apart, clients=2, rate=100, mix=STRICT) as load:
        for number in range(3):
            contract.write_text(text.replace("description: items", f"description: items {number}"))
            time.sleep(0.15)
            apart.gateway.stop("control-plane")
            apart.gateway.start("control-plane")
            apart.gateway.wait_ready()
    flawless(load)
