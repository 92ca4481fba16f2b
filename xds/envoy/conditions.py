"""Routes of operations that are only for some requests of their path and method -> the same routes, for those only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from envoy_data_plane.envoy.config.route.v3 import HeaderMatcher, QueryParameterMatcher, Route, RouteMatch
from envoy_data_plane.envoy.type.matcher.v3 import RegexMatcher, StringMatcher

from xds.envoy.complement import all_but
from xds.envoy.make import maker
from xds.envoy.routed import Routed
from xds.native.matching import NONE, Conditions

_route = maker(Route)


def in_order(by_method: Iterable[Routed]) -> list[Routed]:
    """Operations with more conditions first; those with none are for all other requests."""
    return sorted(by_method, key=lambda routed: -len((routed.operation.native.match or NONE).each))


def only_for(routes: Iterable[Route], conditions: Conditions | None) -> Iterator[Route]:
    """An operation's routes, each with the conditions beside its own."""
    for route in routes:
        yield _with(route, conditions) if conditions else route


def _with(route: Route, conditions: Conditions) -> Route:
    before = route.match
    assert before is not None, "every route has a match"
    headers = [matcher for name, text in conditions.headers for matcher in _only(name, text)]
    headers += [_once(name) for name, _ in conditions.query]
    query = [QueryParameterMatcher(name=n, string_match=StringMatcher(exact=text)) for n, text in conditions.query]
    match = RouteMatch(
        prefix=before.prefix,
        headers=[*before.headers, *headers],
        query_parameters=[*before.query_parameters, *query],
    )
    return _route(**{name: value for name, value in route.__dict__.items() if name != "match"}, match=match)


def _only(name: str, text: str) -> Iterator[HeaderMatcher]:
    """That a header has a value, and no other beside it: Envoy is content if one of several headers has it."""
    yield HeaderMatcher(name=name, string_match=StringMatcher(exact=text))
    other = all_but([text], []) if len(text) <= _NESTED else all_but([], [text[:_NESTED]])
    regex = StringMatcher(safe_regex=RegexMatcher(regex=f"(?:{other})?"))
    yield HeaderMatcher(name=name, string_match=regex, invert_match=True)


_NESTED = 100
"""RE2 nests no deeper than 1000; where a value is longer, its beginning is what no other may differ in."""


def _once(name: str) -> HeaderMatcher:
    """That a query parameter is there once at most, however its name is spelt: Envoy takes the first of several, services the
    last, or both."""
    spelt = "".join(f"(?:{re.escape(chr(byte))}|(?i:%{byte:02x}))" for byte in name.encode())
    twice = rf"[^?]*\?(?:.*&)?{spelt}(?:=[^&]*)?&(?:.*&)?{spelt}(?:[=&].*)?"
    return HeaderMatcher(
        name=":path", string_match=StringMatcher(safe_regex=RegexMatcher(regex=twice)), invert_match=True
    )


def left_over(by_method: Sequence[Routed]) -> list[str]:
    """The methods that a path has only for some requests: for all others it has nothing."""
    open_ = {routed.operation.method for routed in by_method if not routed.operation.native.match}
    return sorted({routed.operation.method for routed in by_method} - open_)
