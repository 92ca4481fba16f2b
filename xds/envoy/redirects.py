"""Listeners in the clear that send to one with TLS -> RouteConfiguration."""

from __future__ import annotations

from collections.abc import Iterator

from envoy_data_plane.envoy.config.route.v3 import (
    Decorator,
    RedirectAction,
    RedirectActionRedirectResponseCode,
    Route,
    RouteConfiguration,
    RouteMatch,
    VirtualHost,
)
from envoy_data_plane.xds.type.matcher.v3 import Matcher

from xds.envoy import names
from xds.envoy.refused import listed
from xds.envoy.routes import sound_authority
from xds.model import Gateway


def redirects(gateway: Gateway) -> Iterator[RouteConfiguration]:
    """One route configuration for each port that something is sent to."""
    ports = {each.name: each.public_port for each in gateway.listeners}
    for port in sorted({ports[each.redirect] for each in gateway.listeners if each.redirect is not None}):
        to = Route(
            name="308",
            match=RouteMatch(prefix="/"),
            # 308 keeps method and body (RFC 9110, section 15.4.9).
            redirect=RedirectAction(
                https_redirect=True,
                port_redirect=port,
                response_code=RedirectActionRedirectResponseCode.PERMANENT_REDIRECT,
            ),
            decorator=Decorator(operation="308", propagate=False),
        )
        matcher = sound_authority(Matcher(on_no_match=listed("308", [to])))
        host = VirtualHost(name=names.virtual_host("*"), domains=["*"], matcher=matcher)
        yield RouteConfiguration(name=names.redirect(port), virtual_hosts=[host])
