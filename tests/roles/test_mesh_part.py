"""A pod of a shared control plane: Envoy and companion with one certificate; sources come over the same connection."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import httpx
import pytest

from tests.e2e.journal import Journal
from tests.features.pki import Authority
from tests.roles.central import AUTHORITY, Central, central, certificate, contract, write_pair
from tests.roles.running import Role, ready, until
from tests.waiting import PATIENCE_S
from xds.up.ports import free_port

pytestmark = pytest.mark.slow


@dataclass
class Node:
    """One service's pod, without any folder of sources."""

    made: Central
    journal: Journal
    companion: Role
    envoy: Role
    client: httpx.Client
    management: int


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with ExitStack() as stack:
        journal = stack.enter_context(Journal())
        made = stack.enter_context(central())
        second = made.start()
        pair = write_pair(made.folder, "pets", certificate("pets"))
        xds = ",".join(f"127.0.0.1:{made.ports[n]}" for n in (0, second))
        run, port, management, envoy_ready = made.folder / "pod", free_port(), free_port(), free_port()
        shared = (
            *("--service", "pets", "--node", "pets-1", "--run", str(run), "--xds", xds, "--xds-name", "cp.test"),
            *("--xds-ca", str(made.folder / "ca.crt"), "--xds-cert", pair[0], "--xds-key", pair[1]),
        )
        companion = Role(
            made.folder, "companion", "companion", *shared, "--state", str(run / "state"),
            "--management", f"127.0.0.1:{management}",
        )  # fmt: skip
        stack.callback(companion.stop)
        envoy = Role(
            made.folder, "envoy", "envoy", *shared, "--listen", f"127.0.0.1:{port}", "--upstream", journal.url,
            "--companion", f"unix:{run}/companion.sock", "--ready", f"127.0.0.1:{envoy_ready}",
            "--drain", "0.2", "--concurrency", "1",
        )  # fmt: skip
        stack.callback(envoy.stop)
        ready(envoy_ready, companion, envoy)
        client = stack.enter_context(
            httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=PATIENCE_S)
        )
        yield Node(made, journal, companion, envoy, client, management)


def test_it_judges_by_sources_that_it_was_given(node: Node) -> None:
    """Allowed and refused; the upstream is the app beside it, whatever the settings say of others' way there."""
    mark = node.journal.mark()
    assert node.client.get("/pets/v1/open").status_code == 200
    assert node.client.get("/pets/v1/judged?limit=5").status_code == 200
    assert node.client.get("/pets/v1/judged?limit=500").status_code == 400
    assert node.client.get("/pets/v1/mine").status_code == 401
    assert node.client.get("/toys/v1/open").status_code == 404
    assert [e.target for e in node.journal.since(mark)] == ["/pets/v1/open", "/pets/v1/judged?limit=5"]


def test_no_key_material_is_among_the_sources(node: Node) -> None:
    kept = json.loads((node.made.folder / "pod/state/companion/sources.json").read_text())
    content = base64.b64decode(kept["sources"])
    assert b"contracts/pets" in content
    for name in ("pets", "toys", "edge"):
        assert (node.made.sources / f"tls/{name}.key").read_bytes() not in content
    assert b"contracts/toys" not in content
    assert b"policies/toys" not in content


def test_a_change_reaches_proxy_and_companion(node: Node) -> None:
    path = node.made.sources / "contracts/pets/v1.json"
    before = path.read_text()
    path.write_text(contract("pets", added="new"))
    until(lambda: node.client.get("/pets/v1/added").status_code == 200, lambda: node.made.replicas[0].log)
    assert node.client.get("/pets/v1/judged?limit=500").status_code == 400
    assert before != path.read_text()


def test_replicas_may_die_and_restart(node: Node) -> None:
    """X01, X02: whichever is there is enough, and none is needed for what is served."""
    for replica in node.made.replicas:
        replica.process.kill()
        replica.wait()
        assert node.client.get("/pets/v1/judged?limit=500").status_code == 400
        assert node.client.get("/pets/v1/open").status_code == 200
    node.companion.stop()
    assert node.client.get("/pets/v1/judged?limit=5").status_code == 503
    node.companion.start()
    until(
        lambda: node.client.get("/pets/v1/judged?limit=5").status_code == 200,
        lambda: (node.companion.log[-3000:], node.client.get("/pets/v1/judged?limit=5").text),
    )
    node.made.replicas[1].start()
    ready(node.made.managements[1], node.made.replicas[1])
    path = node.made.sources / "contracts/pets/v1.json"
    path.write_text(contract("pets", added="new", again="newer"))
    until(lambda: node.client.get("/pets/v1/again").status_code == 200, lambda: node.made.replicas[1].log[-3000:])


def test_certificates_of_a_pod_are_exchanged_while_it_runs(node: Node) -> None:
    """A new authority and new certificates, then the old authority is gone: both parts come back by the new ones."""
    folder, new = node.made.folder, Authority("the next")
    replica = node.made.replicas[1]
    (folder / ".ca").write_text(AUTHORITY.pem + new.pem)
    (folder / ".ca").rename(folder / "ca.crt")
    write_pair(folder, "pets", new.issue(uris=("spiffe://cluster.local/ns/shop/sa/pets",)))
    write_pair(folder, "cp", new.issue("cp.test"))
    (folder / ".ca").write_text(new.pem)
    (folder / ".ca").rename(folder / "ca.crt")
    replica.stop()
    replica.start()
    ready(node.made.managements[1], replica)
    path = node.made.sources / "contracts/pets/v1.json"
    path.write_text(contract("pets", added="new", again="newer", last="newest"))
    until(
        lambda: node.client.get("/pets/v1/last").status_code == 200,
        lambda: (replica.log[-3000:], node.envoy.log[-2000:], node.companion.log[-3000:]),
    )
