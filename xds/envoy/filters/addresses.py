"""The filter that refuses clients by their address, and everybody from a sunset on (`xds.envoy.filters.retired`).

The address is the one that trusted hops give, and that of the access log.

The gateway's own rule stands on the route configuration, where it also holds for what no operation matches; a route with a
rule of its own has both, since the innermost configuration is the only one that Envoy looks at.
"""

from __future__ import annotations

from functools import cache
from ipaddress import ip_network

from envoy_data_plane.envoy.config.core.v3 import CidrRange
from envoy_data_plane.envoy.config.rbac.v3 import Permission, Policy, Principal, PrincipalSet, RbacAction
from envoy_data_plane.envoy.config.rbac.v3 import Rbac as Rules
from envoy_data_plane.envoy.extensions.filters.http.rbac.v3 import Rbac, RbacPerRoute
from envoy_data_plane.google.protobuf import Any

from xds.envoy.codec import any_of, shared
from xds.envoy.filters import retired
from xds.envoy.routed import Routed
from xds.native.addresses import Addresses
from xds.native.edge import Edge

POLICY = "addresses"


def addresses() -> Rbac:
    """The filter's configuration: it refuses nobody by itself."""
    return Rbac()


def per_route(routed: Routed) -> Any | None:
    """The rules of an operation that has one of its own, and the gateway's with them."""
    own, sunset = routed.operation.native.addresses, routed.operation.native.sunset
    if own is None and sunset is None:
        return None
    rules = tuple(rule for rule in (routed.gateway.edge.addresses, own) if rule)
    return _rule(rules, sunset.at if sunset else None)


def everywhere(edge: Edge) -> Any | None:
    """The gateway's rule, for the route configuration."""
    return _rule((edge.addresses,)) if edge.addresses else None


@cache
def _rule(rules: tuple[Addresses, ...], sunset: int | None = None) -> Any:
    """Denied is who is in a denied range, or in none of the allowed ones, of any of the rules; and everybody after a sunset."""
    denied = [_at(text) for rule in rules for text in rule.deny]
    denied += [Principal(not_id=_any([_at(text) for text in rule.allow])) for rule in rules if rule.allow]
    policies = {POLICY: Policy(permissions=[Permission(any=True)], principals=denied)} if denied else {}
    if sunset is not None:
        policies[retired.POLICY] = retired.policy(sunset)
    deny = Rules(action=RbacAction.DENY, policies=policies)
    return shared(any_of(RbacPerRoute(rbac=Rbac(rules=deny))))


def _any(principals: list[Principal]) -> Principal:
    return Principal(or_ids=PrincipalSet(ids=principals))


def _at(text: str) -> Principal:
    network = ip_network(text)
    return Principal(remote_ip=CidrRange(address_prefix=str(network.network_address), prefix_len=network.prefixlen))
