"""Who is given what: groups of nodes with one snapshot, and the companions whose word it waits for."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from xds.control.stand import ANYWHERE, Stand
from xds.handshake import EVERY_S, MISSED
from xds.model import Cached, Gateway, Named, Service
from xds.snapshot import Snapshot

ALIVE_S = MISSED * EVERY_S
"""A companion that was not heard of for so long is gone, unless it was told to say something less often."""

EVERYTHING = ""
"""The group of nodes that name no service: an edge gateway in front of all of them."""


@dataclass(frozen=True, slots=True)
class Companion:
    """What a companion last reported: where its admin API is, the digests and policy revisions it holds, and how many
    seconds passed between noticing a change and holding it. `problems` keep its policy engine from deciding.

    It was heard of at `seen` (monotonic seconds), and is gone `patience` seconds later.
    """

    node: str
    service: str
    admin: str
    digests: Mapping[str, tuple[str, ...]]
    revisions: Mapping[str, str]
    seen: float
    seconds: float = 0.0
    problems: tuple[str, ...] = ()
    patience: float = ALIVE_S

    @property
    def name(self) -> str:
        """Its name among all companions."""
        return f"{self.service}/{self.node}" if self.service else self.node

    def lives(self, now: float) -> bool:
        """Whether it was heard of lately."""
        return now - self.seen < self.patience

    def holds(self, service: Service) -> bool:
        """Whether it could judge by all versions of a service."""
        return all(v.digest in self.digests.get(f"{v.service}/{v.name}", ()) for v in service.versions)


def companion_of(node: str, service: str, document: Mapping[str, Any]) -> Companion:
    """A report (management.yaml, `Report`) that came now. Raises ValueError, KeyError, TypeError or AttributeError for what
    is none: over a stream nobody has looked at it before."""
    seconds = document.get("seconds", 0)
    if type(seconds) not in (int, float) or not 0 <= seconds < float("inf"):
        raise ValueError(f"seconds: {seconds!r}")
    return Companion(
        node,
        service,
        str(document.get("admin") or ""),
        {name: _texts(held) for name, held in document["digests"].items()},
        dict(zip(document["revisions"], _texts([*document["revisions"].values()]), strict=True)),
        time.monotonic(),
        float(seconds),
        _texts(document.get("problems", [])),
    )


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise TypeError("a list of texts is needed")
    return tuple(value)


@dataclass(slots=True)
class Group:
    """Nodes that get one snapshot: `service` alone, or everything, where they stand.

    `gateway` is what they are given, `settled` the wanted gateway of which they have all their part; `in_use` the digests
    that their routes may name: the given ones, and those before as long as not every node has said that it holds the newest.
    `named` is what the routes name in filters, and `former` what they named before: filters get both, so that no route names
    what its filter does not know. `alone` says since when (monotonic seconds) none of its nodes is connected, `problems` why it
    was not given what it should have by now.
    """

    service: str
    stand: Stand = ANYWHERE
    gateway: Gateway = Gateway((), ())
    snapshot: Snapshot | None = None
    settled: Gateway | None = None
    in_use: dict[str, tuple[str, ...]] = field(default_factory=dict)
    named: Named = Named()
    former: Named = Named()
    alone: float | None = None
    problems: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Its name among the groups."""
        return group_key(self.service, self.stand)

    @property
    def digests(self) -> dict[str, str]:
        """`service/version` -> the digest that its nodes are given."""
        return {f"{v.service}/{v.name}": v.digest for s in self.gateway.services for v in s.versions}

    def former_for(self, now: Named) -> Named:
        """What routes name until those with `now` are there. What does not change is left, since a filter's change of
        quotas begins its counts anew. Cached operations stay until they are forgotten: requests for them are under way."""
        quotas = self.former.quotas if now.quotas == self.named.quotas else self.named.quotas
        tokens = self.former.tokens if now.tokens == self.named.tokens else self.named.tokens
        cached = {**self.former.cached, **self.named.cached}
        return Named(quotas, tokens, {name: each for name, each in cached.items() if name not in now.cached})

    def forget(self, gone: Mapping[str, Cached]) -> None:
        """Let go of cached operations of former routes; those that came back and went again since are others."""
        left = {name: each for name, each in self.former.cached.items() if gone.get(name) is not each}
        self.former = replace(self.former, cached=left)


def group_key(service: str, stand: Stand) -> str:
    """The name of the group of a service's nodes that stand in one place."""
    return f"{service}{stand}"
