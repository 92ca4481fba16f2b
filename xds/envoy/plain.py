"""Operation -> the route of its plain requests, which nobody is asked about, before the one that all others take.

A route sees headers. Of HTTP/1.1 they tell whether a body follows (RFC 9112, section 6.3); of HTTP/2 and HTTP/3 they do not,
so a route of their own has a program look (`xds.envoy.filters.bodiless`), which costs a fifth of a question.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from envoy_data_plane.envoy.config.core.v3 import HeaderValueOption
from envoy_data_plane.envoy.config.route.v3 import HeaderMatcher, Route, RouteMatch
from envoy_data_plane.envoy.extensions.filters.http.ext_authz.v3 import ExtAuthzPerRoute
from envoy_data_plane.envoy.type.matcher.v3 import RegexMatcher, StringMatcher
from envoy_data_plane.google.protobuf import Any

from xds.envoy import names
from xds.envoy.codec import any_of
from xds.envoy.filters import auth
from xds.envoy.filters.http_filter import switched_on
from xds.envoy.routed import Routed
from xds.envoy.typed import overwrite
from xds.headers import PREFIX
from xds.model.plain import Plain

PROTOCOL = f"{PREFIX}protocol"
"""The request's HTTP version and its Transfer-Encoding, written before the route is chosen, since Envoy takes the latter off
before that; no upstream sees it."""

BARE = "HTTP/1.1 "
"""Its value for a request whose headers tell that no body comes, if they have no Content-Length but 0."""


def told() -> HeaderValueOption:
    """What the connection manager writes into the header."""
    return overwrite(PROTOCOL, "%PROTOCOL% %REQ(TRANSFER-ENCODING)%")


def plain(form: Plain, route: Route, routed: Routed, *, alone: bool) -> Iterator[Route]:
    """The routes of an operation for its plain requests: without the companion, and for those whose headers do not tell.

    On both the program that judges credentials refuses for lack of a scope: nobody behind it would. For those whose headers
    do not tell the route is chosen twice, the second time behind filters that write headers and have judged by the first:
    only where the operation is `alone` with its path and method, so that the second is no other operation's.
    """
    judged = auth.alone(routed)
    own = {names.AUTH_FILTER: judged if isinstance(judged, Any) else any_of(judged)} if judged else {}
    yield _only(
        form, route, StringMatcher(exact=BARE), {**own, names.COMPANION_FILTER: any_of(ExtAuthzPerRoute(disabled=True))}
    )
    if not alone:
        return
    yield _only(form, route, _UNTOLD, {**own, names.BODILESS_FILTER: switched_on()})


_NOTHING = StringMatcher(safe_regex=RegexMatcher(regex="0?"))
_UNTOLD = StringMatcher(safe_regex=RegexMatcher(regex="HTTP/[23] "))


def _only(form: Plain, route: Route, protocol: StringMatcher, filters: Mapping[str, Any]) -> Route:
    own = route.match or RouteMatch(prefix="/")
    only = [
        *own.headers,
        HeaderMatcher(name=PROTOCOL, string_match=protocol),
        HeaderMatcher(name="content-length", string_match=_NOTHING, treat_missing_header_as_empty=True),
        *(HeaderMatcher(name=n, present_match=True, invert_match=True) for n in form.absent),
        _path(form.path),
        *([_path(form.never, not_=True)] if form.never else []),
        *map(_path, form.each),
    ]
    match = replace(own, headers=only)
    return replace(route, match=match, typed_per_filter_config={**route.typed_per_filter_config, **filters})


def _path(regex: str, *, not_: bool = False) -> HeaderMatcher:
    return HeaderMatcher(
        name=":path", string_match=StringMatcher(safe_regex=RegexMatcher(regex=regex)), invert_match=not_
    )
