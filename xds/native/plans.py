"""`plans: {gold: {rateLimits: [...]}}` -> Plan: limits for the consumers whose keys name the plan."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from xds.native.rates import ITEM, LOCAL, RateLimit

PER_PLAN = 2
"""So many local limits, and as many shared ones, a plan may have: each local one is a filter of its own."""

DEFAULT = "default"
"""The plan of consumers whose keys name none, if there is one of that name."""

NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")

_OF_OPERATIONS = ("by", "cost", "scope")
_LIMIT: Mapping[str, Any] = {
    **ITEM,
    "description": "one limit of a plan, for each of its consumers: {name: gold, limit: 1000, per: day}",
    "properties": {key: schema for key, schema in ITEM["properties"].items() if key not in _OF_OPERATIONS},
}
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "description": "gold: {rateLimits: [{name: gold, limit: 1000, per: day}]}",
    "additionalProperties": False,
    "properties": {"rateLimits": {"type": "array", "items": _LIMIT, "description": "limits; all must have room"}},
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What each consumer of a plan may do: `limits` over all operations, each with one bucket a consumer."""

    name: str
    limits: tuple[RateLimit, ...] = ()

    @property
    def local(self) -> tuple[RateLimit, ...]:
        """Those that the proxy counts."""
        return tuple(limit for limit in self.limits if limit.store == LOCAL)

    def shared(self, closed: bool, usually: bool) -> tuple[RateLimit, ...]:
        """Those that the service counts, and that refuse, or do not, while it is away; `usually` if they do not say."""
        each = (limit for limit in self.limits if limit.store != LOCAL)
        return tuple(limit for limit in each if limit.fails_closed(usually) is closed)


def most(limits: Iterable[tuple[RateLimit, ...]]) -> int:
    """So many one of them has at most."""
    return max(map(len, limits), default=0)
