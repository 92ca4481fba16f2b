"""Metric: what the data plane counts about requests. Proxies, dashboards, alerts and documentation are all made from here.

Every label's values are bounded: those of `OPERATION` come from the contracts, `status` and `code` from what proxies and
services answer. Nothing that a client may fill freely is a label. What issuers of tokens fill has a bound of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

NAMESPACE = "envoy_sidegate"
"""What Envoy puts before the names: its own prefix and the access logger's."""

OPERATION = ("service", "version", "operation")


class Kind(StrEnum):
    """The kinds of Prometheus' data model that are used."""

    COUNTER = "counter"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `name` is the proxies', `exported` is Prometheus'."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    meaning: str

    @property
    def exported(self) -> str:
        return f"{NAMESPACE}_{self.name}"


REQUESTS = Metric(
    "requests_total",
    Kind.COUNTER,
    (*OPERATION, "status", "code"),
    "requests by the status that the client got; `code` is that of the problem document, empty where the service answered",
)
DURATION = Metric(
    "duration",
    Kind.HISTOGRAM,
    OPERATION,
    "milliseconds from the first byte of a request to the last of its answer, for answers below 400",
)
DEPRECATED = Metric(
    "deprecated_requests_total",
    Kind.COUNTER,
    (*OPERATION, "consumer", "status"),
    "requests of deprecated operations by who asked, once that is known: a key's consumer, `client:` and the token's client,"
    " `token:` and its scheme, or `anonymous`",
)
CACHED = Metric(
    "cache_requests_total",
    Kind.COUNTER,
    (*OPERATION, "cache"),
    "requests that came as far as an operation's cache: `hit` was answered by it, also if the service had to say that what is"
    " kept still holds; `miss` by the service",
)

CONSUMERS = 2000
"""So many series of `DEPRECATED` a proxy counts: consumers come from files, but clients of tokens from their issuers. What is
beyond is in `REQUESTS` alone."""

BUCKETS = (1, 2, 5, 10, 20, 50, 100, 200, 300, 500, 750, 1000, 2000, 3000, 5000, 10_000, 30_000)
"""Upper bounds of the histogram's buckets in milliseconds. A latency objective must be one of them, or it could not be seen."""
