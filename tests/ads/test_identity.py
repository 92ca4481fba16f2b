"""Names in certificates -> whose node their holder may be."""

from __future__ import annotations

import pytest

from xds.ads.identity import Identity, asked_for, refusal
from xds.ads.messages import Node

PETS = "spiffe://cluster.local/ns/shop/sa/pets"


@pytest.mark.parametrize(
    ("service", "identity", "nodes", "namespaces", "fits"),
    [
        ("pets", Identity((PETS,)), {}, {}, True),
        ("pets", Identity((PETS,)), {}, {"pets": "shop"}, True),
        ("pets", Identity((PETS,)), {}, {"pets": "evil"}, False),
        ("pets", Identity(("spiffe://cluster.local/ns/shop/sa/pets/x",)), {}, {}, False),
        ("pets", Identity(("https://cluster.local/ns/shop/sa/pets",)), {}, {}, False),
        ("pets", Identity(dns=("pets",)), {}, {}, True),
        ("pets", Identity(dns=("pets",)), {}, {"pets": "shop"}, False),
        ("pets", Identity(dns=("pets.shop.svc.cluster.local",)), {}, {"pets": "shop"}, True),
        ("pets", Identity(dns=("pets.evil.svc",)), {}, {"pets": "shop"}, False),
        ("pets", Identity(dns=("pets.example.com",)), {}, {}, False),
        ("pets", Identity((PETS,)), {"pets": ("other",)}, {}, False),
        ("pets", Identity((PETS,)), {"pets": ()}, {}, False),
        ("pets", Identity(dns=("backend.test",)), {"pets": ("backend.test",)}, {"pets": "shop"}, True),
        ("pets", Identity(), {}, {}, False),
        ("pets", None, {}, {}, False),
        ("pets", Identity((PETS,), until=1.0), {}, {}, False),  # over, on a connection that is still open
        ("edge", Identity((PETS,)), {"pets": (PETS,)}, {}, False),
    ],
)
def test_who_may_be_a_service(
    service: str, identity: Identity, nodes: dict[str, tuple[str, ...]], namespaces: dict[str, str], fits: bool
) -> None:
    assert (refusal(service, identity, nodes, namespaces) == "") is fits


def test_what_a_node_asks_to_be() -> None:
    assert asked_for(Node("x", metadata={"service": "pets"})) == "pets"
    assert asked_for(Node("x")) == "edge"
    assert asked_for(Node("ratelimit")) == "ratelimit"
    assert asked_for(Node("ratelimit", metadata={"service": "pets"})) == "pets"
