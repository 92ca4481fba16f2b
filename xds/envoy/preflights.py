"""A path's operations -> the routes of its preflights, which Envoy's cors filter answers before anybody is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

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
from xds.envoy.credentials import carrying
from xds.envoy.filters import cors
from xds.envoy.routed import Routed
from xds.model import Location, Operation
from xds.native.cors import Cors, cors_of
from xds.native.versions import Kind

NOWHERE = shared(RouteAction(cluster_header=f"{headers.PREFIX}nowhere"))
"""A header that no request has: whatever the filter would not answer gets 503. It does nothing on direct responses."""


def preflights(by_method: Sequence[Routed]) -> Iterator[Route]:
    """One route for each method that pages may ask for, one that tells the others so, and one that refuses all other
    origins (Envoy's filter would list methods and headers to them); none if the path has no CORS.

    They come before the path's own `OPTIONS`, if it has one. A preflight has no credentials and no body of its own
    (WHATWG Fetch, CORS-preflight fetch), so nothing is checked but its origin. It has none of the headers that would say
    which of several operations the request is for, so all of a method must take the origin.
    """
    found = list(_granted(by_method))
    for each in found:
        allowed = ", ".join(other.method for other in found if _alike(each.own, other.own))
        yield _route(each, allowed, StringMatcher(exact=each.method))
    if found:
        allowed = ", ".join(other.method for other in found if _alike(found[0].own, other.own))
        yield _refused(found[0].operations[0], _SIMPLE)
        yield _route(found[0], allowed, _ANYTHING)
    if found or widest(by_method):
        yield _refused(by_method[0].operation)


@dataclass(frozen=True, slots=True)
class _Grant:
    """A method that pages may ask for, of one operation or of several that only a header tells apart."""

    operations: tuple[Operation, ...]
    owns: tuple[Cors, ...]

    @property
    def method(self) -> str:
        return self.operations[0].method

    @property
    def own(self) -> Cors:
        """What all of them allow; the origins are the first one's, and the route asks for the others' beside."""
        ages = [own.max_age for own in self.owns if own.max_age is not None]
        return replace(
            self.owns[0], credentials=all(own.credentials for own in self.owns), max_age=min(ages) if ages else None
        )

    @property
    def headers(self) -> list[str]:
        pairs = zip(self.operations, self.owns, strict=True)
        return sorted({name for operation, own in pairs for name in _headers(operation, own)})


def anywhere(own: Cors) -> Route:
    """The preflight of a path that no operation has: a page that may read why must be let ask."""
    names_ = ", ".join(sorted({"authorization", "content-type", *own.headers}))
    return Route(
        name="preflight",
        match=_match([_regex(own.allowed)], _ANYTHING),
        route=NOWHERE,
        decorator=Decorator(operation="preflight", propagate=False),
        typed_per_filter_config={names.CORS_FILTER: cors.preflight(own, _METHODS, names_)},
    )


_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"


def _granted(by_method: Sequence[Routed]) -> Iterator[_Grant]:
    methods: dict[str, list[Operation]] = {}
    for routed in by_method:
        methods.setdefault(routed.operation.method, []).append(routed.operation)
    for operations in methods.values():
        owns = tuple(own for operation in operations if (own := cors_of(operation)))
        if len(owns) == len(operations):
            yield _Grant(tuple(operations), owns)


def widest(by_method: Sequence[Routed]) -> Cors | None:
    """Whose pages may read why a method of the path is refused."""
    return next((own for routed in by_method if (own := cors_of(routed.operation))), None)


def _alike(one: Cors, other: Cors) -> bool:
    return (one.origins, one.credentials) == (other.origins, other.credentials)


def _route(grant: _Grant, allowed: str, method: StringMatcher) -> Route:
    origins = [_regex(pattern) for pattern in dict.fromkeys(own.allowed for own in grant.owns)]
    return Route(
        name="preflight",
        match=_match(origins, method),
        route=NOWHERE,
        decorator=Decorator(operation=f"OPTIONS {grant.operations[0].path.text}", propagate=False),
        typed_per_filter_config={names.CORS_FILTER: cors.preflight(grant.own, allowed, ", ".join(grant.headers))},
    )


def _refused(operation: Operation, method: StringMatcher | None = None) -> Route:
    return Route(
        name="preflight",
        match=_match([_ANYTHING], method or _ANYTHING),
        direct_response=DirectResponseAction(status=403),
        decorator=Decorator(operation=f"OPTIONS {operation.path.text}", propagate=False),
        typed_per_filter_config={names.COMPANION_FILTER: _UNASKED},
    )


_UNASKED = shared(any_of(ExtAuthzPerRoute(disabled=True)))


def _match(origins: Sequence[StringMatcher], method: StringMatcher) -> RouteMatch:
    matched = [
        HeaderMatcher(name=":method", string_match=StringMatcher(exact="OPTIONS")),
        *(HeaderMatcher(name="origin", string_match=origin) for origin in origins),
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
    declared |= {name for each in operation.security for c in each.credentials if (name := carrying(c))}
    choice = operation.native.version
    if choice and choice.kind is Kind.HEADER:
        declared.add(choice.name)
    return sorted(declared | set(own.headers))
