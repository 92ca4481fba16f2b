"""Gateway, Matcher -> Matcher with the paths to which browsers come back from a login, and by which they log out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from envoy_data_plane.envoy.config.route.v3 import Decorator, DirectResponseAction, Route, RouteList, RouteMatch
from envoy_data_plane.envoy.extensions.filters.http.ext_authz.v3 import ExtAuthzPerRoute
from envoy_data_plane.xds.core.v3 import TypedExtensionConfig
from envoy_data_plane.xds.type.matcher.v3 import (
    Matcher,
    MatcherMatcherList,
    MatcherMatcherListFieldMatcher,
    MatcherOnMatch,
)

from xds.envoy import names
from xds.envoy.codec import any_of
from xds.envoy.filters import login
from xds.envoy.matcher import matches
from xds.model import Gateway, JwtScheme


def with_logins(inner: Matcher, gateway: Gateway) -> Matcher:
    """The matcher, after the paths of every login. The filter answers there; whatever it does not answer is 404."""
    schemes = sorted((s for s in gateway.schemes if isinstance(s, JwtScheme)), key=lambda s: s.name)
    rows = [row for scheme in schemes for row in _rows(scheme)]
    if not rows:
        return inner
    return Matcher(matcher_list=MatcherMatcherList(matchers=rows), on_no_match=MatcherOnMatch(matcher=inner))


def _rows(scheme: JwtScheme) -> Iterator[MatcherMatcherListFieldMatcher]:
    for path in (scheme.login.redirect, scheme.login.signout) if scheme.login else ():
        routes = TypedExtensionConfig(name=path, typed_config=any_of(RouteList(routes=[_route(scheme)])))
        predicate = matches(":path", rf"{re.escape(path)}(?:\?.*)?")
        yield MatcherMatcherListFieldMatcher(predicate=predicate, on_match=MatcherOnMatch(action=routes))


def _route(scheme: JwtScheme) -> Route:
    return Route(
        name=f"login:{scheme.name}",
        match=RouteMatch(prefix="/"),
        direct_response=DirectResponseAction(status=404),
        decorator=Decorator(operation="login", propagate=False),
        typed_per_filter_config={
            names.LOGIN_FILTER: login.of(scheme),
            names.COMPANION_FILTER: any_of(ExtAuthzPerRoute(disabled=True)),
        },
    )
