"""Gateway, Profile -> Envoy resources."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache

from betterproto2 import Message
from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.config.core.v3 import TypedExtensionConfig
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment
from envoy_data_plane.envoy.config.listener.v3 import Listener
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration
from envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 import Secret

from xds.envoy import origin
from xds.envoy.chain import extensions
from xds.envoy.clusters import clusters
from xds.envoy.codec import type_url
from xds.envoy.composed import gathered
from xds.envoy.endpoints import assignments
from xds.envoy.filters.cache import caches
from xds.envoy.listener import listeners
from xds.envoy.misses import misses
from xds.envoy.patches import patched
from xds.envoy.profile import Profile
from xds.envoy.redirects import redirects
from xds.envoy.routes import internal, routes
from xds.envoy.secrets import secrets
from xds.envoy.service_config import RateLimitConfig, service_configs
from xds.envoy.typed import typed
from xds.model import Gateway, JwtScheme
from xds.model.listeners import Listener as Settings
from xds.model.listeners import Secret as Material
from xds.native import Edge

Resources = Mapping[str, Mapping[str, Message]]
"""Type URL -> name -> resource; types in the order in which ADS sends them, names sorted."""


def lower(gateway: Gateway, profile: Profile) -> Resources:
    """Every resource of a data plane. Pure: equal arguments give resources of equal bytes.

    Raises ValueError if an operation asks for a security scheme without keys, or two resources share a name.
    """
    if gateway.edge.trusted_hops:
        profile = replace(profile, trusted_hops=gateway.edge.trusted_hops)
    by_type: tuple[tuple[type[Message], Iterable[tuple[str, Message]]], ...] = (
        (Secret, secrets(gateway)),
        (Cluster, ((c.name, patched("cluster", c.name, c, gateway.edge)) for c in clusters(gateway, profile))),
        (ClusterLoadAssignment, ((each.cluster_name, each) for each in assignments(gateway))),
        (TypedExtensionConfig, ((name, typed(name, config)) for name, config in extensions(gateway, profile))),
        (Listener, ((each.name, each) for each in (*_listening(gateway, profile), *_origin(gateway, profile)))),
        *([(RateLimitConfig, service_configs(gateway))] if gateway.edge.rate_limit else ()),
        (RouteConfiguration, ((each.name, each) for each in _routes(gateway, profile))),
    )
    lowered = {type_url(kind): _by_name(resources) for kind, resources in by_type}
    return {url: named for url, named in lowered.items() if named or url != type_url(Secret)}


def _origin(gateway: Gateway, profile: Profile) -> tuple[Listener, ...]:
    return (origin.listener(gateway, profile),) if caches(gateway) else ()


def _routes(gateway: Gateway, profile: Profile) -> Iterator[RouteConfiguration]:
    if caches(gateway):
        yield misses(gateway, profile, internal(gateway))
    yield routes(gateway, profile)
    yield from redirects(gateway)


def _listening(gateway: Gateway, profile: Profile) -> tuple[Listener, ...]:
    # Of certificates the listeners hold the names alone: new files for the same names are no new listener.
    known = tuple(Material(each.name, b"", names=each.names) for each in gateway.secrets)
    return _listeners(gateway.schemes, gateway.edge, gateway.listeners, known, profile)


@lru_cache(maxsize=8)
def _listeners(
    schemes: tuple[JwtScheme, ...],
    edge: Edge,
    settings: tuple[Settings, ...],
    known: tuple[Material, ...],
    profile: Profile,
) -> tuple[Listener, ...]:
    """The listeners, which no service is in: changing one drains connections, and services change all the time."""
    made = listeners(Gateway((), schemes, edge, settings, known), profile)
    return tuple(gathered(patched("listener", each.name, each, edge)) for each in made)


def _by_name(resources: Iterable[tuple[str, Message]]) -> dict[str, Message]:
    out: dict[str, Message] = {}
    for name, message in resources:
        if name in out:
            raise ValueError(f"two resources are called {name}")
        out[name] = message
    return dict(sorted(out.items()))
