"""Filters know what the routes before named: routes and filters are delivered apart, and neither waits for the other."""

from __future__ import annotations

from dataclasses import replace

from envoy_data_plane.envoy.config.route.v3 import RouteList

from tests.envoy.models import bearer, gateway, operation, profile, version
from xds.control.groups import Group
from xds.envoy.filters.jwt import jwt
from xds.envoy.misses import misses
from xds.envoy.named import named
from xds.model import Alternative, Credential, Gateway, Named
from xds.native import PLAIN
from xds.native.caching import Cache

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


def _keeping(*names: str) -> Gateway:
    kept = replace(PLAIN, cache=Cache(60, True))
    return gateway(*(version(name, [replace(operation("GET /v1/items"), native=kept)]) for name in names))


def _status(gateway_: Gateway, name: str) -> int | None:
    """What the table of misses answers by itself to a name that it knows; 0: it asks the service."""
    table = misses(gateway_, profile(), []).virtual_hosts[0].matcher.matcher_tree.exact_match_map.map
    if name not in table:
        return None
    direct = RouteList.parse(table[name].action.typed_config.value).routes[0].direct_response
    return direct.status if direct else 0


def test_misses_under_way_find_the_operation_that_had_a_cache() -> None:
    before = named(_keeping("ref/v1", "ref/v2", "other/v1"))
    assert [name for name in before.cached if _status(_keeping("ref/v2"), name) == 0] == ["ref/v2/get--v1-items"]
    group = Group("", named=before)
    some = gateway(version("ref/v1", ["GET /v1/items"]), version("ref/v2", ["GET /v1/items"]))
    after = replace(some, former=group.former_for(named(some)))
    assert {name: _status(after, name) for name in before.cached} == {
        "ref/v1/get--v1-items": 0,
        "ref/v2/get--v1-items": 0,
        "other/v1/get--v1-items": 404,  # with its service its cluster went
    }


def test_what_is_forgotten_is_what_went_then() -> None:
    group = Group("", named=named(_keeping("ref/v1")))
    nothing = named(gateway())
    group.former, group.named = group.former_for(nothing), nothing
    gone = group.former.cached
    assert set(gone) == {"ref/v1/get--v1-items"}
    back = named(_keeping("ref/v1"))
    group.former, group.named = group.former_for(back), back
    assert not group.former.cached
    group.former, group.named = group.former_for(nothing), nothing
    group.forget(gone)
    assert set(group.former.cached) == {"ref/v1/get--v1-items"}
    group.forget(group.former.cached)
    assert not group.former.cached
