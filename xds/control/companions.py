"""Companions' reports -> what they are answered: the digests that routes may name, and which sources there are."""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from xds.ads.identity import EXPIRED, Identity
from xds.control.admission import Admission, service_of
from xds.control.follower import Follower
from xds.control.groups import EVERYTHING, Companion, companion_of
from xds.control.handouts import Handouts
from xds.control.publish import Publisher
from xds.handshake import EDGE, EVERY_S

log = logging.getLogger("sidegate")

SIGNS = 200
"""How many signs of life a second are enough: of more companions, each gives them less often."""


@dataclass(slots=True)
class Companions:
    """Those that follow over streams, and the answers to all. Owned by one event loop; knows no socket."""

    publisher: Publisher
    admission: Admission
    handouts: Handouts
    _followers: dict[str, dict[Follower, None]] = field(default_factory=dict)
    _count: int = 0
    _bodies: dict[str, bytes] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def report(self, node: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """Take a report (management API, `PUT /companions/{node}`); what it is answered with."""
        companion = companion_of(node, service_of(str(document.get("service") or EDGE)), document)
        self.take(companion)
        return self.answer(companion.service)

    def take(self, companion: Companion) -> None:
        """Take what a companion reports of itself."""
        self.publisher.join(companion.service)
        self.publisher.report(companion)

    def answer(self, service: str) -> dict[str, Any]:
        """What companions of a service are to know (management.yaml): of all services at the edge."""
        wanted = self.publisher.wanted
        return {
            "needed": self.publisher.needed(service),
            "wanted": wanted.digests_of(None if service == EVERYTHING else service),
            "withheld": {n: d for n, d in wanted.withheld.items() if service in (EVERYTHING, n.partition("/")[0])},
        }

    # --- over streams ---

    def open(self, first: Mapping[str, Any], identity: Identity | None, peer: str) -> Follower:
        """The line of a companion that says who it is. Raises PermissionError or KeyError."""
        name, node = str(first["service"] or EDGE), str(first["node"])
        self.admission.check(name, identity, peer)
        follower = Follower(self, node, service_of(name), identity)
        self._followers.setdefault(follower.service, {})[follower] = None
        self._count += 1
        if not self.handouts.has(follower.service):
            task = asyncio.create_task(self._offer(follower.service))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return follower

    def closed(self, follower: Follower) -> None:
        """Let go of a line that ended."""
        beside = self._followers[follower.service]
        del beside[follower]
        self._count -= 1
        if not beside:
            del self._followers[follower.service]
            self._bodies.pop(follower.service, None)  # nobody keeps it current

    def other(self, follower: Follower) -> Follower | None:
        """Another line of the same node that was heard of last: names may lead to one replica by several addresses."""
        beside = (each for each in self._followers.get(follower.service, ()) if each.node == follower.node)
        return max((each for each in beside if each.lives), key=lambda each: each.heard, default=None)

    async def hand(self, service: str, identity: Identity | None, peer: str) -> bytes:
        """A service's sources as they travel. Raises PermissionError."""
        self.admission.check(service or EDGE, identity, peer)
        document = await self.handouts.document(service_of(service or EDGE))
        self.admission.check(service or EDGE, identity, peer)  # a compilation may have come meanwhile
        return document

    async def compiled(self) -> None:
        """Tell those whom a new compilation concerns, and end the lines of those who may no longer be what they are."""
        for follower in self._all():
            if reason := self.admission.of(follower.service or EDGE, follower.identity):
                follower.end(reason)
        await self.handouts.renew(tuple(self._followers), alone=True)
        while new := [service for service in self._followers if not self.handouts.has(service)]:  # came meanwhile
            await self.handouts.renew(new)
        self._bodies = {service: body for service, body in self._bodies.items() if service in self._followers}
        for service in self._followers:
            self.tell(service)

    def tell(self, service: str) -> None:
        """Tell a service's companions what they have to know, if it is something else than before."""
        if service in self._followers and self._bodies.get(service) != self._made(service):
            for follower in self._followers[service]:
                follower.wake()

    def body(self, service: str) -> bytes:
        """What all companions of a service are told: JSON without its opening brace."""
        return self._bodies.get(service) or self._made(service)

    def every(self) -> float:
        """Seconds between two signs of life, by how many companions there are."""
        return max(EVERY_S, math.ceil(self._count / SIGNS))

    def sweep(self) -> None:
        """End lines whose certificates are over, and let go of who is gone."""
        for follower in self._all():
            if follower.identity and follower.identity.expired:
                follower.end(EXPIRED)
        self.publisher.sweep()

    def _made(self, service: str) -> bytes:
        said = {**self.answer(service), "sources": self.handouts.offer(service)}
        body = self._bodies[service] = json.dumps(said).encode()[1:]
        return body

    async def _offer(self, service: str) -> None:
        try:
            await self.handouts.renew((service,))
            self.tell(service)
        except Exception:
            log.exception("the sources of %s cannot be offered before the next compilation", service or EDGE)

    def _all(self) -> Iterator[Follower]:
        for beside in self._followers.values():
            yield from beside
