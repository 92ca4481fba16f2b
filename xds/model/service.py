"""A service, its versions, and where their requests go."""

from __future__ import annotations

from dataclasses import dataclass

from xds.model.listeners import UpstreamTls
from xds.native import PLAIN, Native
from xds.native.traffic import Endpoint, Traffic
from xds.place import Place

from .operation import Operation
from .schemas import Schemas


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where a version's requests go. `scheme` is `http` or `https`; `host` a name or an address.

    `endpoints` are all addresses if there are several, or one with more to say; else empty: `host` and `port` are it.
    """

    scheme: str
    host: str
    port: int
    place: Place = Place("")
    endpoints: tuple[Endpoint, ...] = ()
    traffic: Traffic = Traffic()
    tls: UpstreamTls | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """One contract of a service, compiled. `digest` is over everything that decides how its requests are judged.

    `bases` are the base paths of the document's `servers`; `native` is what its root says of native features, as far as
    its operations do not all say something else.
    """

    service: str
    name: str
    digest: str
    upstream: Upstream
    operations: tuple[Operation, ...]
    schemas: Schemas
    files: tuple[str, ...]
    place: Place
    bases: tuple[str, ...] = ()
    native: Native = PLAIN


@dataclass(frozen=True, slots=True)
class Service:
    """A service with its versions. `hosts` are lower-case domains; empty means every host."""

    name: str
    hosts: tuple[str, ...]
    versions: tuple[Version, ...]
