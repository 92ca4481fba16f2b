"""Gateway, Profile -> Envoy resources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from betterproto2 import Message
from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.config.core.v3 import TypedExtensionConfig
from envoy_data_plane.envoy.config.listener.v3 import Listener
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration

from xds.envoy import names
from xds.envoy.chain import extensions
from xds.envoy.clusters import clusters
from xds.envoy.codec import type_url
from xds.envoy.composed import gathered
from xds.envoy.listener import listener
from xds.envoy.profile import Profile
from xds.envoy.routes import routes
from xds.envoy.typed import typed
from xds.model import Gateway, JwtScheme
from xds.native import Edge

Resources = Mapping[str, Mapping[str, Message]]
"""Type URL -> name -> resource; types in the order in which ADS sends them, names sorted."""


def lower(gateway: Gateway, profile: Profile) -> Resources:
    """Every resource of a data plane. Pure: equal arguments give resources of equal bytes.

    Raises ValueError if an operation asks for a security scheme without keys, or two resources share a name.
    """
    by_type: tuple[tuple[type[Message], Iterable[tuple[str, Message]]], ...] = (
        (Cluster, ((cluster.name, cluster) for cluster in clusters(gateway, profile))),
        (TypedExtensionConfig, ((name, typed(name, config)) for name, config in extensions(gateway, profile))),
        (Listener, [(names.LISTENER, _listener(gateway.schemes, gateway.edge, profile))]),
        (RouteConfiguration, [(names.ROUTES, routes(gateway, profile))]),
    )
    return {type_url(kind): _by_name(resources) for kind, resources in by_type}


@lru_cache(maxsize=8)
def _listener(schemes: tuple[JwtScheme, ...], edge: Edge, profile: Profile) -> Listener:
    """The listener, which no service is in: changing it drains connections, and services change all the time."""
    return gathered(listener(Gateway((), schemes, edge), profile))


def _by_name(resources: Iterable[tuple[str, Message]]) -> dict[str, Message]:
    out: dict[str, Message] = {}
    for name, message in resources:
        if name in out:
            raise ValueError(f"two resources are called {name}")
        out[name] = message
    return dict(sorted(out.items()))
