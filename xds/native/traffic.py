"""Traffic: how the requests of a service version are shared among its endpoints, and what spares them."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address of an upstream: `host` a name or an address. `weight` is its share, `zone` where it runs, if that is said."""

    host: str
    port: int
    weight: int = 1
    zone: str = ""


@dataclass(frozen=True, slots=True)
class Balance:
    """`kind` is `round-robin`, `least-request`, `ring-hash` or `maglev`; the last two have what requests are told apart by.

    `source` is `header`, `cookie`, `claim`, `param` or `address`, `name` its name.
    """

    kind: str = "round-robin"
    source: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """Active checks: GET `path` each `interval` seconds; so many answers in a row change an endpoint's state."""

    path: str
    interval: float = 5.0
    timeout: float = 1.0
    healthy: int = 2
    unhealthy: int = 3


@dataclass(frozen=True, slots=True)
class Outliers:
    """Endpoints left out for their failures in a row; 0: failures of that kind are not counted. Times in seconds."""

    failures: int = 5
    server_errors: int = 0
    gateway_errors: int = 0
    interval: float = 5.0
    ejection: float = 5.0
    share: int = 50


@dataclass(frozen=True, slots=True)
class Circuit:
    """How much may be under way at once; None leaves the gateway's."""

    connections: int | None = None
    pending: int | None = None
    requests: int | None = None
    retries: int | None = None


@dataclass(frozen=True, slots=True)
class RetryBudget:
    """Retries under way: at most so many percent of the requests under way, and `minimum` in any case."""

    percent: float = 20.0
    minimum: int = 3


@dataclass(frozen=True, slots=True)
class Dns:
    """`kind` is `strict` (all addresses of a name are endpoints) or `logical` (the first is where new connections go)."""

    kind: str = "strict"
    refresh: float | None = None
    ttl: bool = False
    family: str = "v4-preferred"


@dataclass(frozen=True, slots=True)
class Transcoding:
    """A set of descriptors (google.protobuf.FileDescriptorSet, as base64) and the full names of the services offered."""

    descriptor: str
    services: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Traffic:
    """Everything of an upstream but where it is. `discovered`: its endpoints are resources of their own (EDS)."""

    balance: Balance = Balance()
    health: Health | None = None
    outliers: Outliers = Outliers()
    circuit: Circuit = Circuit()
    retry_budget: RetryBudget = RetryBudget()
    dns: Dns = Dns()
    discovered: bool = False
    protocol: str = "http1"
    transcoding: Transcoding | None = None


def is_address(host: str) -> bool:
    """Whether a host is an IP address, not a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
