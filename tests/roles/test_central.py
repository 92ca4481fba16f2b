"""The shared control plane: a node is given its own service's part by its certificate, and nobody else's (X17)."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from datetime import timedelta

import grpc
import pytest

from tests.features.pki import Authority
from tests.roles.ads_client import Given, ask, channel
from tests.roles.central import AUTHORITY, Central, central, certificate, contract, report, write_pair
from tests.roles.running import until
from tests.waiting import PATIENCE_S
from xds.compile import Compiler
from xds.source import read_tree

DENIED, UNAVAILABLE = grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAVAILABLE


@pytest.fixture(scope="module")
def shared() -> Iterator[Central]:
    """With a companion that reported: before that no proxy is given anything."""
    with central() as made:
        with channel(f"127.0.0.1:{made.ports[0]}", AUTHORITY.pem, certificate("pets")) as over:
            report(over, "pod-0", "pets", held(made))
        yield made


def held(made: Central) -> dict[str, list[str]]:
    """The digests that a companion of these sources has."""
    names = [p.relative_to(made.sources).as_posix() for p in made.sources.rglob("*") if p.is_file()]
    tree = read_tree(made.sources, None, [n for n in names if n == "keys.json"])
    return {name: [digest] for name, digest in Compiler(closed=True).compile(tree).digests.items()}


def given(
    made: Central, name: str, metadata: dict[str, str], node: str = "pod-1", replica: int = 0, **more: object
) -> Given:
    with channel(f"127.0.0.1:{made.ports[replica]}", AUTHORITY.pem, certificate(name)) as over:
        if "service" in metadata and metadata["service"] == name:
            report(over, node, name, held(made))
        return ask(over, node, metadata, **more)  # type: ignore[arg-type]


def test_a_service_is_given_its_own_and_nothing_else(shared: Central) -> None:
    pets = given(shared, "pets", {"service": "pets"})
    assert pets.code is None, pets.text
    assert {n for n in pets.resources["clusters"] if "/" in n or "pets" in n}
    assert pets.resources["listeners"]
    assert set(pets.resources["secrets"]) >= {"tls/pets.crt"} or any("pets" in n for n in pets.resources["secrets"])
    everything = pets.everything
    assert b"pets.issuer.test" in everything
    for foreign in (b"toys", b"shop.test", b"toys.client.test"):
        assert foreign not in everything
    private = (shared.sources / "tls/toys.key").read_bytes(), (shared.sources / "tls/edge.key").read_bytes()
    assert not [key for key in private if key in everything]
    assert (shared.sources / "tls/pets.key").read_bytes() in everything


def test_the_edge_is_given_everything(shared: Central) -> None:
    edge = given(shared, "edge", {"service": "edge"}, node="edge-1")
    assert edge.code is None, edge.text
    keys = [(shared.sources / f"tls/{name}.key").read_bytes() for name in ("pets", "toys", "edge")]
    assert all(key in edge.everything for key in keys)


@pytest.mark.parametrize(
    ("name", "metadata"),
    [
        ("pets", {"service": "toys"}),
        ("pets", {"service": "edge"}),
        ("pets", {}),
        ("strangers", {"service": "pets"}),
        ("strangers", {"service": "nobody"}),
        ("edge", {"service": "pets"}),
    ],
)
def test_what_does_not_agree_is_refused(shared: Central, name: str, metadata: dict[str, str]) -> None:
    """The name in the metadata is checked against the certificate; the refusal is logged, and nothing is sent."""
    with channel(f"127.0.0.1:{shared.ports[0]}", AUTHORITY.pem, certificate(name)) as over:
        got = ask(over, "pod-9", metadata)
        assert (got.code, got.resources) == (DENIED, {})
        with pytest.raises(grpc.RpcError) as refused:
            report(over, "pod-9", metadata.get("service", "edge"), {})
        assert refused.value.code() is DENIED
    assert f"sa/{name} is none of {metadata.get('service', 'edge')}" in shared.replicas[0].log


def test_a_stolen_node_id_brings_nothing(shared: Central) -> None:
    """Node ids are no secret: who takes another service's gets its own part, and its companion is not counted there."""
    assert given(shared, "toys", {"service": "toys"}, node="toys-pod").resources
    stolen = given(shared, "pets", {"service": "pets"}, node="toys-pod")
    assert stolen.code is None
    assert b"toys" not in stolen.everything.replace(b"toys-pod", b"")


@pytest.mark.parametrize("authority", [None, "expired", "foreign"])
def test_without_a_certificate_that_counts_nobody_gets_in(shared: Central, authority: str | None) -> None:
    pairs = {
        None: None,
        "expired": certificate("pets", valid=timedelta(hours=-1)),
        "foreign": Authority("another").issue(uris=("spiffe://cluster.local/ns/shop/sa/pets",)),
    }
    with channel(f"127.0.0.1:{shared.ports[0]}", AUTHORITY.pem, pairs[authority]) as over:
        got = ask(over, "pod-1", {"service": "pets"})
        assert (got.code, got.resources) == (UNAVAILABLE, {})


def test_the_rate_limit_service_is_given_limits_only(shared: Central) -> None:
    with channel(f"127.0.0.1:{shared.ports[0]}", AUTHORITY.pem, certificate("ratelimit")) as over:
        got = ask(over, "ratelimit", {}, types=("secrets",))
        assert (got.code, got.resources) == (DENIED, {})
    with channel(f"127.0.0.1:{shared.ports[0]}", AUTHORITY.pem, certificate("pets")) as over:
        assert ask(over, "ratelimit", {}, types=("limits",)).code is DENIED


def test_certificates_are_rotated_without_a_restart(shared: Central) -> None:
    """Its own and the authorities of others; files that do not belong together leave those before in force."""
    address, first = f"127.0.0.1:{shared.ports[0]}", AUTHORITY.issue("cp.test")
    other = Authority("the next")
    folder = shared.folder
    try:
        (folder / "cp.key").write_text(other.issue("cp.test").key)
        with channel(address, AUTHORITY.pem, certificate("pets")) as over:
            assert ask(over, "pod-1", {"service": "pets"}, types=("clusters",)).code is None
        assert "cannot be used, those before stay in force" in shared.replicas[0].log
        write_pair(folder, "cp", AUTHORITY.issue("renamed.test"))
        with channel(address, AUTHORITY.pem, certificate("pets"), "renamed.test") as over:
            assert ask(over, "pod-1", {"service": "pets"}, types=("clusters",)).code is None
        (folder / "ca.crt").write_text(AUTHORITY.pem + other.pem)
        for nothing in ("", "no certificate", "-----BEGIN CERTIFICATE-----\n"):
            (folder / "ca.crt").write_text(nothing)
            with channel(address, AUTHORITY.pem, certificate("pets"), "renamed.test") as over:
                assert ask(over, "pod-1", {"service": "pets"}, types=("clusters",)).code is None, nothing
        (folder / "ca.crt").write_text(AUTHORITY.pem + other.pem)
        newcomer = other.issue(uris=("spiffe://cluster.local/ns/shop/sa/pets",))
        with channel(address, AUTHORITY.pem, newcomer, "renamed.test") as over:
            assert ask(over, "pod-1", {"service": "pets"}, types=("clusters",)).code is None
    finally:
        write_pair(folder, "cp", first)
        (folder / "ca.crt").write_text(AUTHORITY.pem)


@pytest.mark.slow
def test_a_stream_ends_with_its_certificate(shared: Central) -> None:
    """What was given stays with the proxy; it comes back with a new certificate, or not."""
    for seconds in (4, 16, 64):  # a slow machine may be let in too late
        short = certificate("pets", valid=timedelta(seconds=seconds))
        with channel(f"127.0.0.1:{shared.ports[0]}", AUTHORITY.pem, short) as over:
            got = ask(over, "pod-1", {"service": "pets"}, types=("clusters",), stay=True)
        if got.code is not UNAVAILABLE:
            break
    assert (got.code, got.text) == (grpc.StatusCode.UNAUTHENTICATED, "the client's certificate has expired")


def test_a_table_says_who_may_be_a_service_and_ends_streams_of_others(shared: Central) -> None:
    settings = shared.sources / "sidegate.yaml"
    before = settings.read_text()
    ended: list[Given] = []
    with channel(f"127.0.0.1:{shared.ports[0]}", AUTHORITY.pem, certificate("pets")) as over:

        def stay() -> None:
            ended.append(ask(over, "pod-7", {"service": "pets"}, types=("clusters",), stay=True))

        waiting = threading.Thread(target=stay)
        waiting.start()
        try:
            nodes = {"pets": ["spiffe://cluster.local/ns/shop/sa/pets-backend"]}
            settings.write_text(json.dumps({**json.loads(before), "nodes": nodes}))
            waiting.join(PATIENCE_S)
            assert [got.code for got in ended] == [DENIED]
            assert given(shared, "pets-backend", {"service": "pets"}, types=("clusters",)).code is None
        finally:
            settings.write_text(before)
            waiting.join(PATIENCE_S)


@pytest.mark.slow
def test_replicas_give_the_same_and_a_reconnect_sends_nothing(shared: Central) -> None:
    """Versions are of contents: whatever replica a proxy comes to, it has everything already (X02)."""
    second = shared.start()
    for replica in (0, second):
        with channel(f"127.0.0.1:{shared.ports[replica]}", AUTHORITY.pem, certificate("toys")) as over:
            report(over, "pod-2", "toys", held(shared))
    first = given(shared, "toys", {"service": "toys"}, node="pod-2")
    again = given(shared, "toys", {"service": "toys"}, node="pod-2", replica=second)
    assert first.versions
    assert again.versions == first.versions
    back = given(shared, "toys", {"service": "toys"}, node="pod-2", replica=second, held=first.versions, seconds=3)
    assert not [name for named in back.resources.values() for name in named]


@pytest.mark.slow
def test_a_replica_with_older_sources_takes_nothing_back(shared: Central) -> None:
    """Its companions hold what is newer: it waits for the same to come, and then gives it."""
    behind = shared.folder / "behind"
    shutil.copytree(shared.sources, behind)
    old = held(shared)["toys/v1"]
    (shared.sources / "contracts/toys/v1.json").write_text(contract("toys", also="new"))
    new = held(shared)["toys/v1"]
    assert new != old
    replica = shared.start(behind)
    with channel(f"127.0.0.1:{shared.ports[replica]}", AUTHORITY.pem, certificate("toys")) as over:
        assert report(over, "pod-2", "toys", {"toys/v1": [*new, *old]}) == {}
        assert not ask(
            over, "pod-2", {"service": "toys"}, types=("routes",), names={"routes": ("edge",)}, seconds=3
        ).resources
        shutil.copy(shared.sources / "contracts/toys/v1.json", behind / "contracts/toys/v1.json")
        until(
            lambda: report(over, "pod-2", "toys", {"toys/v1": [*new, *old]}) == {"toys/v1": new},
            lambda: shared.replicas[replica].log,
        )
        assert (
            b"/toys/v1/also"
            in ask(over, "pod-2", {"service": "toys"}, types=("routes",), names={"routes": ("edge",)}).everything
        )
