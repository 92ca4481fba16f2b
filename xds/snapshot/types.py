"""Type URLs, their short names, and the order in which ADS sends them."""

from __future__ import annotations

from dataclasses import dataclass

PREFIX = "type.googleapis.com/"

CLUSTER = PREFIX + "envoy.config.cluster.v3.Cluster"
ENDPOINTS = PREFIX + "envoy.config.endpoint.v3.ClusterLoadAssignment"
SECRET = PREFIX + "envoy.extensions.transport_sockets.tls.v3.Secret"
EXTENSION = PREFIX + "envoy.config.core.v3.TypedExtensionConfig"
LISTENER = PREFIX + "envoy.config.listener.v3.Listener"
ROUTES = PREFIX + "envoy.config.route.v3.RouteConfiguration"
LIMITS = PREFIX + "ratelimit.config.ratelimit.v3.RateLimitConfig"
RUNTIME = PREFIX + "envoy.service.runtime.v3.Runtime"


@dataclass(frozen=True, slots=True)
class ResourceType:
    """A type that the server knows.

    `short` is the name of its discovery service; `whole` says that a state-of-the-world answer lists everything that the
    client shall have, so that what is missing is deleted (Envoy, xDS protocol, "Deleting Resources"); `root` that nothing
    has to refer to it.
    """

    url: str
    short: str
    whole: bool = False
    root: bool = False


ORDER: tuple[ResourceType, ...] = (
    ResourceType(RUNTIME, "rtds", root=True),
    ResourceType(SECRET, "sds"),  # a cluster's or listener's TLS context waits for its secrets
    ResourceType(CLUSTER, "cds", whole=True),
    ResourceType(ENDPOINTS, "eds"),  # a cluster of this kind is warm, and acknowledged, only when it has them
    ResourceType(EXTENSION, "ecds"),  # a filter's configuration names clusters
    ResourceType(LISTENER, "lds", whole=True, root=True),
    ResourceType(LIMITS, "rlds", whole=True, root=True),  # the rate limit service's; routes name what it counts
    ResourceType(ROUTES, "rds"),  # last: what it names is there
)
"""Make before break: a type comes after those it names (Envoy, xDS protocol, "Eventual consistency considerations")."""

BY_URL = {t.url: t for t in ORDER}
BY_SHORT = {t.short: t for t in ORDER}
RANK = {t.url: i for i, t in enumerate(ORDER)}


def short(type_url: str) -> str:
    """`cds` for a cluster's type URL; an unknown type URL without its prefix."""
    known = BY_URL.get(type_url)
    return known.short if known else type_url.removeprefix(PREFIX)
