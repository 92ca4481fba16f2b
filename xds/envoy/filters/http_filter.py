"""Row: one HTTP filter of the chain, what its configuration is, and when a route turns it on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from betterproto2 import Message
from envoy_data_plane.envoy.config.route.v3 import FilterConfig
from envoy_data_plane.google.protobuf import Any

from xds.envoy.codec import any_of, shared
from xds.envoy.profile import Profile
from xds.envoy.routed import Routed
from xds.model import Gateway


def nothing(routed: Routed) -> Message | None:
    """No route has a configuration of its own."""
    return None


@cache
def switched_on() -> Any:
    """What turns on a filter that is off, and changes nothing of it."""
    return shared(any_of(FilterConfig(config=Any())))


@dataclass(frozen=True, slots=True)
class Row:
    """One filter.

    `config` is the filter's own configuration and `per_route` an operation's, or None. A filter that is `off` runs only for
    routes with a configuration of their own, and costs others nothing (Envoy, HttpFilter.disabled). What is in the
    listener must not change while it serves, since that drains connections: a filter whose configuration depends on the
    gateway is `discovered`, delivered by ExtensionConfigDiscovery.
    """

    name: str
    config: Callable[[Gateway, Profile], Message]
    per_route: Callable[[Routed], Message | None] = nothing
    off: bool = False
    discovered: type[Message] | None = None
