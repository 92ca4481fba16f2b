"""Routed: an operation whose route is being made, with all that the route may depend on."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace

from xds.envoy import names
from xds.envoy.profile import Profile
from xds.model import Gateway, KeyScheme, Operation, Version
from xds.streaming import streams


@dataclass(frozen=True, slots=True)
class Routed:
    """What builders of routes are given.

    Routes are kept from one compilation to the next by `key`, the version's digest apart: whatever else a builder reads must
    be part of it.
    """

    version: Version
    operation: Operation
    gateway: Gateway
    profile: Profile

    @property
    def cluster(self) -> str:
        """The cluster of the operation's version."""
        return names.cluster(self.version)

    @property
    def streamed(self) -> bool:
        """Whether the body goes by without being judged."""
        return self.operation.body is not None and streams(self.operation.body, self.version.schemas)

    @property
    def key(self) -> Hashable:
        """Everything of an operation that its routes show. Gateway-wide things are in the key of the whole."""
        o = self.operation
        limit = o.body.limit if o.body else None
        return o.id, o.name, o.method, o.path.text, o.security, o.checks, limit, self.streamed, o.native, o.plain


def surroundings(gateway: Gateway, profile: Profile) -> Hashable:
    """Everything that routes show beside their operations: the key of all that is kept."""
    return profile, gateway.edge, tuple(replace(s, keys=()) if isinstance(s, KeyScheme) else s for s in gateway.schemes)
