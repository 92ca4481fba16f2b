"""A mesh whose control plane dies, is cut off, and is asked by others (cases X)."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import grpc
import pytest

from examples.mesh.parts import REPLICAS
from tests.blackbox.relay import Fault
from tests.features.pki import Pair
from tests.mesh.load import ALLOWED
from tests.mesh.world import PUBLISH, World, add, rewritten
from tests.ratelimit_server import connects
from tests.roles.ads_client import ask, channel, subscribe
from tests.roles.running import until
from xds.cli import parser
from xds.commands.doctor import set_up
from xds.doctor import Finding, diagnose

pytestmark = pytest.mark.slow

MIB = 1 << 20


def test_no_control_plane_is_needed_and_a_restart_changes_nothing(world: World) -> None:
    """X01, X02: both replicas are killed, and come back with the same: nobody is refused, no listener is drained."""
    with world.load() as load:
        load.more()
        for name in REPLICAS:
            world.mesh.parts[name].kill()
        load.more()
        world.mesh.begin(*REPLICAS)
        for name in REPLICAS:
            world.mesh.wait(world.mesh.parts[name])
        world.connected()
        load.more()
    assert not load.wrong
    world.served(load)
    for name in world.everybody:
        stats = world.stats(name, "listener_manager.*(modified|draining|removed)|_cm.*update_rejected")
        assert not any(stats.values()), stats


def test_the_doctor_finds_nothing_in_a_mesh_that_is_well(world: World) -> None:
    """Beside every part, with no flag but the folder of its sockets."""

    def found() -> dict[str, list[Finding]]:
        setups = {name: ["doctor", "--run", str(world.mesh.folder / name)] for name in (*REPLICAS, *world.everybody)}
        all_ = {name: diagnose(set_up(parser(words).parse_args(words))) for name, words in setups.items()}
        return {name: wrong for name, said in all_.items() if (wrong := [each for each in said if not each.mild])}

    world.connected()
    until(lambda: not found(), found)


def test_streams_that_are_cut_again_and_again_resume(world: World, orders: Path) -> None:
    """X16: everybody's connection is cut forty times; nobody is refused, nothing that is held is sent again, changes come."""
    world.connected()
    before = {name: world.stats(name, "(cds|lds|rds).*update_success") for name in world.everybody}
    with world.load() as load:
        for _ in range(40):
            for door in world.doors.values():
                door.set(Fault.NONE)
            load.more(10)
        world.connected()
        assert {name: world.stats(name, "(cds|lds|rds).*update_success") for name in world.everybody} == before
        add(orders, "resumed")
        world.well("/orders/v1/resumed")
    assert not load.wrong
    world.served(load, "/orders/v1/resumed")


def test_a_proxy_comes_before_its_control_plane(world: World) -> None:
    """X10, X11: it takes no connection and is not ready; replicas that come back to a broken source serve what was good."""
    envoy, broken = world.mesh.parts["orders-envoy"], world.sources / "contracts/orders/v1.yaml"
    before, ready = broken.read_text(), int(envoy.words[envoy.words.index("--ready") + 1].rpartition(":")[2])
    admin = world.mesh.folder / "orders/admin.sock"
    with world.load() as load, rewritten(broken, before.replace("responses:", "respones:")):
        for name in REPLICAS:
            world.mesh.parts[name].kill()
        envoy.kill()
        admin.unlink(missing_ok=True)
        envoy.start(world.mesh.folder)
        until(admin.exists, world.logs)
        until(lambda: ("/orders/v1/orders", 503) in load.wrong, world.logs)
        load.more()
        assert not connects(ready)
        assert not connects(world.mesh.ports["orders"])
        world.mesh.begin(*REPLICAS)
        for name in REPLICAS:
            world.mesh.wait(world.mesh.parts[name])
            assert "orders" in str(world.told(name, "/ready")["degraded"])
        world.mesh.wait(envoy)
        world.well("/orders/v1/orders")
        load.more()
    assert {target.split("?")[0] for target, _ in load.wrong} == {"/orders/v1/orders"}
    assert set(world.reached()) <= set(ALLOWED)
    for name in REPLICAS:
        until(lambda name=name: not world.told(name, "/ready")["degraded"], world.logs)


def test_clients_that_never_read_cost_the_others_nothing(world: World, orders: Path) -> None:
    """X14: fifty with a good certificate ask for everything and read nothing of it."""
    before = world.process(REPLICAS[0]).rss
    with ExitStack() as stack, world.load() as load:
        over = stack.enter_context(_as(world, "orders"))
        for number in range(50):
            stack.callback(subscribe(over, f"orders-{number + 2}", {"service": "orders"}).cancel)
        until(lambda: len(world.status(REPLICAS[0]).clients) >= 50, world.logs)
        add(orders, "heard")
        world.well("/orders/v1/heard")
        load.more()
    assert not load.wrong
    world.served(load, "/orders/v1/heard")
    assert world.process(REPLICAS[0]).rss - before < 64 * MIB


def test_nobody_is_given_what_is_anothers(world: World) -> None:
    """X17: a service's certificate with another's name, and no certificate."""
    metadata = {"service": "catalog"}
    with _as(world, "orders") as over:
        assert ask(over, "catalog-1", metadata).code is grpc.StatusCode.PERMISSION_DENIED
    with _as(world, None) as over:
        refused = ask(over, "catalog-1", metadata)
        assert (refused.code, refused.resources) == (grpc.StatusCode.UNAVAILABLE, {})


def test_disks_that_take_nothing(world: World, orders: Path) -> None:
    """X19: nobody can keep what was good; traffic and changes go on, and it is said."""
    states = [world.mesh.folder / name / "state" for name in (*REPLICAS, "orders", "edge")]
    for state in states:
        state.rename(state.with_suffix(".aside"))
        state.write_text("no folder")
    try:
        with world.load() as load:
            add(orders, "unkept")
            world.well("/orders/v1/unkept")
            load.more()
    finally:
        for state in states:
            state.unlink()
            state.with_suffix(".aside").rename(state)
    assert not load.wrong
    world.served(load, "/orders/v1/unkept")
    for name in (*REPLICAS, "orders-companion", "edge-companion"):
        until(lambda name=name: "kept" in world.mesh.log(name), lambda name=name: world.mesh.log(name)[-3000:])


def test_what_a_proxy_refuses_is_told_and_not_in_force(world: World) -> None:
    """X25: its configuration, the control plane's word and a request agree."""
    settings = world.sources / "sidegate.yaml"
    before = settings.read_text()
    patch = {"name": "odd", "resource": "cluster", "match": "orders/*", "merge": {"lb_policy": "CLUSTER_PROVIDED"}}
    try:
        with world.load() as load:
            settings.write_text(json.dumps(world.mesh.settings(patches=[patch], **PUBLISH)))
            until(lambda: {"rejected"} <= _states(world), world.logs)
            load.more()
        dump = json.loads(world.admin("orders").get("/config_dump?resource=dynamic_active_clusters"))
        held = {each["cluster"]["name"]: each["cluster"] for each in dump["configs"]}
        assert [name for name in held if name.startswith("orders/")]
        assert not [name for name, cluster in held.items() if cluster.get("lb_policy") == "CLUSTER_PROVIDED"]
    finally:
        settings.write_text(before)
    assert not load.wrong
    world.served(load)
    world.connected()


def _states(world: World) -> set[str]:
    return {row.state for name in REPLICAS for row in world.status(name).clients}


def _as(world: World, name: str | None) -> AbstractContextManager[grpc.Channel]:
    """A connection to a replica with a pod's certificate."""
    tls = world.mesh.folder / "tls"
    pair = Pair((tls / f"{name}.crt").read_text(), (tls / f"{name}.key").read_text(), 0) if name else None
    address = f"127.0.0.1:{world.mesh.xds[REPLICAS[0]]}"
    return channel(address, (tls / "ca.crt").read_text(), pair, "control-plane.mesh.test")
