"""Operation -> the route of its plain requests, which nobody is asked about, before the one that all others take.

A route sees headers. Of HTTP/1.1 they tell whether a body follows (RFC 9112, section 6.3); of HTTP/2 and HTTP/3 they do not,
so those requests are asked about.
"""

from __future__ import annotations

from dataclasses import replace

from envoy_data_plane.envoy.config.core.v3 import HeaderValueOption
from envoy_data_plane.envoy.config.route.v3 import HeaderMatcher, Route, RouteMatch
from envoy_data_plane.envoy.extensions.filters.http.ext_authz.v3 import ExtAuthzPerRoute
from envoy_data_plane.envoy.type.matcher.v3 import RegexMatcher, StringMatcher

from xds.envoy import names
from xds.envoy.codec import any_of
from xds.envoy.typed import overwrite
from xds.headers import PREFIX
from xds.model.plain import Plain

PROTOCOL = f"{PREFIX}protocol"
"""The request's HTTP version and its Transfer-Encoding, written before the route is chosen, since Envoy takes the latter off
before that; no upstream sees it."""

BARE = "HTTP/1.1 "
"""Its value for a request whose headers tell that no body comes, if they have no Content-Length either."""


def told() -> HeaderValueOption:
    """What the connection manager writes into the header."""
    return overwrite(PROTOCOL, "%PROTOCOL% %REQ(TRANSFER-ENCODING)%")


def plain(form: Plain, route: Route) -> Route:
    """The route of an operation, for its plain requests only, and without the companion."""
    path = StringMatcher(safe_regex=RegexMatcher(regex=form.path))
    own = route.match or RouteMatch(prefix="/")
    only = [
        *own.headers,
        HeaderMatcher(name=PROTOCOL, string_match=StringMatcher(exact=BARE)),
        *(HeaderMatcher(name=n, present_match=True, invert_match=True) for n in ("content-length", *form.absent)),
        HeaderMatcher(name=":path", string_match=path),
    ]
    match = replace(own, headers=only)
    unasked = {names.COMPANION_FILTER: any_of(ExtAuthzPerRoute(disabled=True))}
    return replace(route, match=match, typed_per_filter_config={**route.typed_per_filter_config, **unasked})
