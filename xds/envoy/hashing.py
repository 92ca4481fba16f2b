"""Routed -> hash policies: which value of a request chooses the endpoint, where the upstream's balance is a hash."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from envoy_data_plane.envoy.config.route.v3 import (
    RouteActionHashPolicy,
    RouteActionHashPolicyConnectionProperties,
    RouteActionHashPolicyCookie,
    RouteActionHashPolicyFilterState,
    RouteActionHashPolicyHeader,
    RouteActionHashPolicyQueryParameter,
)
from envoy_data_plane.envoy.type.matcher.v3 import RegexMatchAndSubstitute, RegexMatcher

from xds.envoy.routed import Routed
from xds.envoy.templates import QUERY, matrix_names, pattern_of
from xds.model import Location, Name, Operation
from xds.native.caching import cache_of

STATE = "sidegate.hash"
"""Where the filter `hashed` keeps a claim, and, behind a cache, whatever of a request does not get there by itself."""

CARRIED = ("claim", "address")
"""What is not in a request: where it goes on from a cache, it has to be carried."""


def hashing(routed: Routed) -> Mapping[str, Any]:
    """The field `hash_policy` of a RouteAction. A request without the value goes to any endpoint."""
    balance = routed.version.upstream.traffic.balance
    if not balance.source:
        return {}
    source = "claim" if carried(routed) else balance.source
    return {"hash_policy": [_policy(source, balance.name, routed.operation)]}


def carried(routed: Routed) -> str | None:
    """What the endpoint is chosen by, where it is carried from the cache to the origin listener."""
    source = routed.version.upstream.traffic.balance.source
    return source if source in CARRIED and cache_of(routed.operation) else None


def _policy(source: str, name: str, operation: Operation) -> RouteActionHashPolicy:
    match source:
        case "header":
            return _header(name)
        case "cookie":
            return RouteActionHashPolicy(cookie=RouteActionHashPolicyCookie(name=name))
        case "claim":
            return RouteActionHashPolicy(filter_state=RouteActionHashPolicyFilterState(key=STATE))
        case "param":
            return _parameter(name, operation)
    # The client as the trusted hops give it: the same address as in the access log.
    return RouteActionHashPolicy(connection_properties=RouteActionHashPolicyConnectionProperties(source_ip=True))


def _header(name: str, rewrite: RegexMatchAndSubstitute | None = None) -> RouteActionHashPolicy:
    return RouteActionHashPolicy(header=RouteActionHashPolicyHeader(header_name=name, regex_rewrite=rewrite))


def _parameter(name: str, operation: Operation) -> RouteActionHashPolicy:
    """A parameter where the operation has it: by that name in the path, a header or a cookie, else in the query."""
    found = {p.location for p in operation.parameters if p.name in (name, name.lower())}
    if Location.PATH in found:
        return _header(":path", _segment(name, operation))
    if Location.HEADER in found:
        return _header(name.lower())
    if Location.COOKIE in found:
        return RouteActionHashPolicy(cookie=RouteActionHashPolicyCookie(name=name))
    return RouteActionHashPolicy(query_parameter=RouteActionHashPolicyQueryParameter(name=name))


def _segment(name: str, operation: Operation) -> RegexMatchAndSubstitute:
    """The path cut down to the segment that holds a variable."""
    segments = pattern_of(operation.path, matrix_names(operation)).segments
    holds = [Name(name) in segment.parts for segment in operation.path.segments]
    parts = (f"({text})" if held else f"(?:{text})" for text, held in zip(segments, holds, strict=True))
    return RegexMatchAndSubstitute(
        pattern=RegexMatcher(regex="".join(f"/{part}" for part in parts) + QUERY), substitution=r"\1"
    )
