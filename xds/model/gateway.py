"""All that one project asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from xds.model.listeners import Listener, Secret
from xds.native import Edge
from xds.native.rates import Quotas

from .credentials import Alternative
from .operation import Operation
from .schemes import Scheme
from .service import Service, Version


@dataclass(frozen=True, slots=True, eq=False)
class Cached:
    """An operation with a cache, in the gateway that it was of, without the other services of that."""

    version: Version
    operation: Operation
    gateway: Gateway


@dataclass(frozen=True, slots=True)
class Named:
    """What routes name in what is delivered apart from them: quotas by slot, and what is asked of tokens, each with whether a
    later filter decides; operations with a cache, by name."""

    quotas: Quotas = ()
    tokens: tuple[tuple[tuple[Alternative, ...], bool], ...] = ()
    cached: Mapping[str, Cached] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gateway:
    """Everything one project asks for, in a stable order (services and versions by name, operations by path, method).

    Without `listeners` there is one, in the clear, where the profile says; `secrets` is their key material and that of
    upstreams, by name. `former` is what the routes before this named, which proxies may still hold.
    """

    services: tuple[Service, ...]
    schemes: tuple[Scheme, ...]
    edge: Edge = Edge()
    listeners: tuple[Listener, ...] = ()
    secrets: tuple[Secret, ...] = ()
    former: Named = Named()
