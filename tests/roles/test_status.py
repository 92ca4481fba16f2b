"""`sidegate status` and `doctor` on a running pod: synced; and a proxy that refuses is told with the contract's line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import sidegate
from tests.e2e.gateway import ask
from tests.roles.pod import Pod, pod
from tests.roles.running import until


@pytest.fixture(scope="module")
def running() -> Iterator[Pod]:
    with pod() as made:
        yield made


def _state(running: Pod) -> list[str]:
    said = sidegate("status", "--run", running.run, "--format", "json")
    return [client["state"] for client in json.loads(said.stdout)["clients"]]


def test_a_synced_proxy(running: Pod) -> None:
    until(lambda: _state(running) == ["synced"], lambda: sidegate("status", "--run", running.run).stdout)
    said = sidegate("status", "--run", running.run)
    assert said.returncode == 0, said.stderr
    proxy, companion = said.stdout.splitlines()
    assert proxy.split() == ["proxy", "pets", "pod-1", "synced"]
    assert companion.split()[:2] == ["companion", "pets"]
    assert companion.endswith("holds what is wanted")
    document = json.loads(sidegate("status", "--run", running.run, "--format", "json").stdout)
    assert document["clients"][0]["service"] == "pets"
    assert set(document["wanted"]) == {"pets/v1"}


def test_the_doctor_finds_nothing_in_a_pod_that_is_well(running: Pod) -> None:
    said = sidegate("doctor", running.sources, "--run", running.run)
    assert said.returncode == 0, said.stdout
    assert "bad" not in said.stdout
    beside = sidegate("doctor", "--run", running.run, cwd=running.folder)
    assert beside.returncode == 0, beside.stdout
    assert "bad" not in beside.stdout
    assert "[" not in beside.stdout  # the settings' own upstream is away, and this pod's is not


def test_a_proxy_that_refuses_is_named_with_the_line(running: Pod) -> None:
    """A patch that no check of ours can see through: Envoy refuses the cluster, and the rest goes on."""
    settings = running.sources / "sidegate.yaml"
    before = settings.read_text()
    refused = {"name": "odd", "resource": "cluster", "match": "pets/*", "merge": {"lb_policy": "CLUSTER_PROVIDED"}}
    patch = f"\npatches: [{json.dumps(refused)}]\n"
    try:
        settings.write_text(before + patch)
        until(
            lambda: _state(running) == ["rejected"],
            lambda: (sidegate("status", "--run", running.run).stdout, running.sidecar.log[-3000:]),
            30,
        )
        said = sidegate("status", "--run", running.run)
        assert said.returncode == 1
        line = settings.read_text().splitlines().index(patch.strip()) + 1
        assert said.stdout.splitlines()[1].strip().startswith(f"sidegate.yaml:{line}:")
        doctor = sidegate("doctor", running.sources, "--run", running.run)
        assert "[proxy-rejected]" in doctor.stdout
        assert f"look at sidegate.yaml:{line}:" in doctor.stdout
        assert running.client.get("/pets/v1/open").status_code == 200
    finally:
        settings.write_text(before)
    until(lambda: _state(running) == ["synced"], lambda: running.sidecar.log[-2000:])


def test_nobody_there(tmp_path: Path) -> None:
    said = sidegate("status", "--run", tmp_path, "--address", "127.0.0.1:1")
    assert said.returncode == 3
    assert "no control plane answers at 127.0.0.1:1" in said.stderr


def test_a_drain_asks_clients_to_leave_and_serves_on(running: Pod) -> None:
    """The last one: this proxy never is ready again. A preStop is this command."""
    assert "connection" not in running.client.get("/pets/v1/open").headers
    said = sidegate("drain", "--run", running.run, "--wait", "5")
    assert said.returncode == 0, said.stderr
    assert ask(f"http://127.0.0.1:{running.envoy_ready}/ready").status == 503
    answer = running.client.get("/pets/v1/open")
    assert (answer.status_code, answer.headers["connection"]) == (200, "close")
    assert sidegate("drain", "--run", running.folder).returncode == 3
