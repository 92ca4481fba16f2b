"""A path's operations -> the routes of its preflights, which Envoy's cors filter answers before anybody is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from envoy_data_plane.envoy.config.route.v3 import (
    Decorator,
    DirectResponseAction,
    HeaderMatcher,
    Route,
    RouteAction,
    RouteMatch,
)
from envoy_data_plane.envoy.extensions.filters.http.ext_authz.v3 import ExtAuthzPerRoute
from envoy_data_plane.envoy.type.matcher.v3 import RegexMatcher, StringMatcher

from xds import headers
from xds.envoy import names
from xds.envoy.codec import any_of, shared
from xds.envoy.filters import cors
from xds.envoy.routed import Routed
from xds.model import Location, Operation
from xds.native.cors import Cors, cors_of

NOWHERE = shared(RouteAction(cluster_header=f"{headers.PREFIX}nowhere"))
"""A header that no request has: whatever the filter would not answer gets 503. It does nothing on direct responses."""


def preflights(by_method: Sequence[Routed]) -> Iterator[Route]:
    """One route for each method that pages may ask for, one that tells the others so, and one that refuses all other
    origins (Envoy's filter would list methods and headers to them); none if the path has no CORS.

    They come before the path's own `OPTIONS`, if it has one. A preflight has no credentials and no body of its own
    (WHATWG Fetch, CORS-preflight fetch), so nothing is checked but its origin.
    """
    found = [(routed.operation, own) for routed in by_method if (own := cors_of(routed.operation))]
    for operation, own in found:
        allowed = ", ".join(other.method for other, beside in found if _alike(own, beside))
        yield _route(operation, own, allowed, StringMatcher(exact=operation.method))
    if found:
        operation, own = found[0]
        allowed = ", ".join(other.method for other, beside in found if _alike(own, beside))
        yield _refused(operation, _SIMPLE)
        yield _route(operation, own, allowed, _ANYTHING)
        yield _refused(operation)


def widest(by_method: Sequence[Routed]) -> Cors | None:
    """Whose pages may read why a method of the path is refused."""
    return next((own for routed in by_method if (own := cors_of(routed.operation))), None)


def _alike(one: Cors, other: Cors) -> bool:
    return (one.origins, one.credentials) == (other.origins, other.credentials)


def _route(operation: Operation, own: Cors, allowed: str, method: StringMatcher) -> Route:
    return Route(
        name="preflight",
        match=_match(_regex(own.allowed), method),
        route=NOWHERE,
        decorator=Decorator(operation=f"OPTIONS {operation.path.text}", propagate=False),
        typed_per_filter_config={names.CORS_FILTER: cors.preflight(own, allowed, ", ".join(_headers(operation, own)))},
    )


def _refused(operation: Operation, method: StringMatcher | None = None) -> Route:
    return Route(
        name="preflight",
        match=_match(_ANYTHING, method or _ANYTHING),
        direct_response=DirectResponseAction(status=403),
        decorator=Decorator(operation=f"OPTIONS {operation.path.text}", propagate=False),
        typed_per_filter_config={names.COMPANION_FILTER: _UNASKED},
    )


_UNASKED = shared(any_of(ExtAuthzPerRoute(disabled=True)))


def _match(origin: StringMatcher, method: StringMatcher) -> RouteMatch:
    matched = [
        HeaderMatcher(name=":method", string_match=StringMatcher(exact="OPTIONS")),
        HeaderMatcher(name="origin", string_match=origin),
        HeaderMatcher(name="access-control-request-method", string_match=method),
    ]
    return RouteMatch(prefix="/", headers=matched)


def _regex(pattern: str) -> StringMatcher:
    return StringMatcher(safe_regex=RegexMatcher(regex=pattern))


_ANYTHING = _regex(".+")
_SIMPLE = _regex("GET|HEAD|POST")
"""Methods that browsers use whatever the answer lists (WHATWG Fetch, CORS-safelisted method)."""


def _headers(operation: Operation, own: Cors) -> list[str]:
    """The request headers that pages may set: those that the contract declares, and those that are named beside them."""
    declared = {p.name for p in operation.parameters if p.location is Location.HEADER}
    if operation.body is not None:
        declared.add("content-type")
    if any(alternative.credentials for alternative in operation.security):
        declared.add("authorization")
    return sorted(declared | set(own.headers))
