"""Services, versions, operations and schemes in any order give resources of equal bytes."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.envoy.models import BEARER, bearer, gateway, operation, profile, version
from xds.envoy import lower
from xds.envoy.codec import encode
from xds.model import Gateway

VERSIONS = (
    version("a/v1", ["GET /a", "POST /a", "GET /a/{x}", operation("GET /a/b", BEARER), "GET /{any}/b"]),
    version("a/v2", ["GET /a2", "GET /a2/{x}/c", "GET /a2/{x}/{y}"]),
    version("b/v1", ["GET /b", operation("GET /b/{x}.json"), "GET /b/{x}"], "https://b.test:443"),
    version("c/v1", ["GET /c"]),
)
# Claims of both go into headers.
SCHEMES = [
    dataclasses.replace(bearer(name=name), headers=((f"x-{name}", f"{name}.sub"), ("x-both", "both")))
    for name in ("bearer", "other")
]
GATEWAY = gateway(*VERSIONS, hosts={"b": ("b.test", "c.test")}, schemes=SCHEMES)


def shuffled(seed: int) -> Gateway:
    draw = random.Random(seed)

    def mix(items: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(draw.sample(items, len(items)))

    services = []
    for service in mix(GATEWAY.services):
        versions = tuple(dataclasses.replace(v, operations=mix(v.operations)) for v in mix(service.versions))
        services.append(dataclasses.replace(service, hosts=mix(service.hosts), versions=versions))
    return Gateway(tuple(services), mix(GATEWAY.schemes))


def _bytes(given: Gateway) -> list[tuple[str, str, bytes]]:
    resources = lower(given, profile(authorities="/ca.pem"))
    return [(url, name, encode(message)) for url, named in resources.items() for name, message in named.items()]


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1 << 32))
def test_order_does_not_matter(seed: int) -> None:
    assert _bytes(shuffled(seed)) == _bytes(GATEWAY)
