"""The last compilation -> each service's sources for its companions, made anew only where they are others."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from xds.control.groups import EVERYTHING
from xds.control.publish import Publisher
from xds.handout import Handout, handout
from xds.project.project import Project


@dataclass(slots=True)
class Handouts:
    """What companions may fetch. `compiling` is held while the project compiles: what it has is of one piece only then."""

    project: Project
    publisher: Publisher
    compiling: asyncio.Lock = field(default_factory=asyncio.Lock)
    _made: dict[str, Handout | None] = field(default_factory=dict)

    def has(self, service: str) -> bool:
        """Whether a service's sources were looked up."""
        return service in self._made

    def offer(self, service: str) -> dict[str, Any]:
        """What there is to fetch: `revision` and `order`, empty and zero if there is nothing."""
        made = self._made.get(service)
        return {"revision": made.revision, "order": made.order} if made else {"revision": "", "order": 0}

    async def document(self, service: str) -> bytes:
        """A service's sources as they travel, in JSON; an empty object if it has none."""
        if service not in self._made:
            await self.renew((service,))
        made = self._made.get(service)
        if made is None:
            return b"{}"
        # Threads are few, and a thousand may ask at once: they are needed by the first alone.
        return made.document if "document" in made.__dict__ else await asyncio.to_thread(lambda: made.document)

    async def renew(self, services: Iterable[str], *, alone: bool = False) -> None:
        """Look up the sources of services by the last compilation; `alone` lets go of all others."""
        async with self.compiling:
            made = await asyncio.to_thread(self._renewed, tuple(services))
            self._made = made if alone else {**self._made, **made}

    def _renewed(self, services: Iterable[str]) -> dict[str, Handout | None]:
        wanted = self.publisher.wanted
        known = frozenset((EVERYTHING, *(s.name for s in wanted.gateway.services))) if wanted.gateway.services else ()
        return {n: handout(self.project, n, self._made.get(n)) if n in known else None for n in services}
