"""A status -> the route that answers it and asks no filter, in the contract's words, and for its pages to read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache

from envoy_data_plane.envoy.config.core.v3 import Metadata
from envoy_data_plane.envoy.config.route.v3 import (
    Decorator,
    DirectResponseAction,
    HeaderMatcher,
    Route,
    RouteList,
    RouteMatch,
)
from envoy_data_plane.envoy.extensions.filters.http.ext_authz.v3 import ExtAuthzPerRoute
from envoy_data_plane.envoy.type.matcher.v3 import StringMatcher
from envoy_data_plane.envoy.type.v3 import Int64Range
from envoy_data_plane.google.protobuf import Any
from envoy_data_plane.xds.core.v3 import TypedExtensionConfig
from envoy_data_plane.xds.type.matcher.v3 import MatcherMatcherTreeMatchMap, MatcherOnMatch

from xds.envoy import names, wordings
from xds.envoy.codec import any_of, shared
from xds.envoy.filters import announced, cors
from xds.envoy.make import maker
from xds.envoy.matcher import matcher, on
from xds.envoy.preflights import anywhere
from xds.envoy.routed import Routed
from xds.envoy.typed import overwrite, struct
from xds.native.bases import Base
from xds.native.cors import Cors

_new_list, _new_action, _new_extension = maker(RouteList), maker(MatcherOnMatch), maker(TypedExtensionConfig)
_INT64 = (1 << 63) - 1


@cache
def only(method: str) -> RouteMatch:
    """The match of one method."""
    header = HeaderMatcher(name=":method", string_match=StringMatcher(exact=method))
    return shared(RouteMatch(prefix="/", headers=[header]))


@cache
def refusal(status: int) -> MatcherOnMatch:
    """The action that answers a status and asks no filter; `xds.envoy.local_replies` writes the document."""
    return shared(listed(str(status), [refused(status)]))


@cache
def refused(status: int, allow: str = "", own: Cors | None = None, varies: str | None = None, said: str = "") -> Route:
    """A route for everything. `own` is the CORS of whoever may read the answer, `varies` a header that it depends on,
    `said` what `said_of` gives."""
    made = Route(
        name=str(status),
        match=RouteMatch(prefix="/"),
        direct_response=DirectResponseAction(status=status),
        decorator=Decorator(operation=str(status), propagate=False),
        typed_per_filter_config=unasked(own, varies),
        response_headers_to_add=[overwrite("allow", allow)] if allow else [],
        metadata=Metadata(filter_metadata={names.METADATA: struct(json.loads(said))}) if said else None,
    )
    return shared(made)


@cache
def too_large(method: str, limit: int, own: Cors | None) -> Route:
    """413 for a body that announces more than `limit` bytes."""
    size = HeaderMatcher(name="content-length", range_match=Int64Range(start=limit + 1, end=_INT64))
    return _by_length(413, method, size, own)


@cache
def without_length(method: str, own: Cors | None) -> Route:
    """411 for a body that does not announce its length."""
    length = HeaderMatcher(name="content-length", present_match=True, invert_match=True)
    return _by_length(411, method, length, own)


def _by_length(status: int, method: str, length: HeaderMatcher, own: Cors | None) -> Route:
    """Its parts are shared, since each operation has such a route with metadata of its own."""
    made = Route(
        name=str(status),
        match=shared(RouteMatch(prefix="/", headers=[*only(method).headers, length])),
        direct_response=shared(DirectResponseAction(status=status)),
        decorator=shared(Decorator(operation=str(status), propagate=False)),
        typed_per_filter_config=unasked(own),
    )
    return shared(made)


@cache
def unasked(own: Cors | None = None, varies: str | None = None) -> dict[str, Any]:
    """The configurations of a route that answers directly, by filter."""
    found: dict[str, Any] = {names.COMPANION_FILTER: shared(any_of(ExtAuthzPerRoute(disabled=True)))}
    if own:
        found[names.CORS_ANSWER_FILTER] = cors.direct(own)
    if varies:
        found[names.ANNOUNCED_FILTER] = announced.varying(varies)
    return found


def nowhere(bases: Sequence[Base]) -> MatcherOnMatch:
    """What is done with a path that no operation has: 404, in the words of the document below whose base path it is."""
    if not bases:
        return refusal(404)
    below = {base.path: listed("404", _nothing_at(base)) for base in bases}
    return on(matcher(MatcherMatcherTreeMatchMap(map=below), refusal(404)))


def _nothing_at(base: Base) -> list[Route]:
    """A page reads the refusal only if the preflight before it went well."""
    asking = [anywhere(base.cors)] if base.cors else []
    return [*asking, refused(404, own=base.cors, said=_frozen(wordings.text_of_base(base.errors)))]


def said_of(by_method: Sequence[Routed], status: int) -> str:
    """What the contract says of a refusal that is none of a path's operations', in JSON."""
    operations = [routed.operation for routed in by_method]
    if not any(operation.native.errors for operation in operations):
        return ""
    return _frozen(wordings.text_of_path(operations, status))


def _frozen(said: Mapping[str, object]) -> str:
    return json.dumps(said) if said else ""


def listed(name: str, each: list[Route]) -> MatcherOnMatch:
    """The action that goes on with routes."""
    return _new_action(action=_new_extension(name=name, typed_config=any_of(_new_list(routes=each))))
