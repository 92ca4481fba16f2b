"""All that one project asks for."""

from __future__ import annotations

from dataclasses import dataclass

from xds.model.listeners import Listener, Secret
from xds.native import Edge
from xds.native.rates import Quotas

from .credentials import Alternative
from .schemes import Scheme
from .service import Service


@dataclass(frozen=True, slots=True)
class Named:
    """What routes name in filters that are delivered apart from them: quotas by slot, and what is asked of tokens, each with
    whether a later filter decides."""

    quotas: Quotas = ()
    tokens: tuple[tuple[tuple[Alternative, ...], bool], ...] = ()


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
