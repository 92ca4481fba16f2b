"""Row: one HTTP filter of the chain, what its configuration is, and when a route turns it on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from betterproto2 import Message

from xds.envoy.profile import Profile
from xds.envoy.routed import Routed
from xds.model import Gateway


def nothing(routed: Routed) -> Message | None:
    """No route has a configuration of its own."""
    return None


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
