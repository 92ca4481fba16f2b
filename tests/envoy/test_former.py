"""Filters know what the routes before named: routes and filters are delivered apart, and neither waits for the other."""

from __future__ import annotations

from dataclasses import replace

from tests.envoy.models import bearer, gateway, operation, version
from xds.envoy.filters.jwt import jwt
from xds.envoy.named import named
from xds.model import Alternative, Credential, Named

JWKS = '{"keys": []}'


def _asking(*schemes: str):
    security = tuple(Alternative((Credential(scheme),)) for scheme in schemes)
    return gateway(
        version("ref/v1", [operation("GET /v1/items", security)]), schemes=[bearer(JWKS, s) for s in ("a", "b")]
    )


def test_a_requirement_outlives_its_routes_by_one_publication() -> None:
    before, after = _asking("a"), _asking("a", "b")
    assert set(jwt(after).requirement_map) == {"a|b"}
    assert set(jwt(replace(after, former=named(before))).requirement_map) == {"a", "a|b"}


def test_a_requirement_of_a_scheme_that_is_gone_goes_with_it() -> None:
    """There would be no key to verify by, and Envoy would refuse the whole filter."""
    before = named(_asking("b"))
    after = replace(_asking("a"), schemes=(bearer(JWKS, "a"),), former=before)
    assert set(jwt(after).requirement_map) == {"a"}


def test_former_names_are_those_of_the_routes() -> None:
    assert named(_asking()) == Named(named(_asking()).quotas, ())
    assert [later for _, later in named(_asking("a")).tokens] == [False]
