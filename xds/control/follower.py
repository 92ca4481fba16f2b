"""One companion's stream: what it says -> the last report of it, and whether it lives; what it is to be told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from xds.ads.identity import Identity
from xds.control.groups import ALIVE_S, Companion, companion_of
from xds.handshake import EVERY_S, MISSED

if TYPE_CHECKING:
    from xds.control.companions import Companions


@dataclass(slots=True, eq=False)
class Follower:
    """`taken` counts the reports that came, `companion` is what the last of them made; something came last at `heard`."""

    desk: Companions
    node: str
    service: str
    identity: Identity | None
    taken: int = 0
    companion: Companion | None = None
    heard: float = 0.0
    _every: float = EVERY_S
    _told: tuple[int, float, bytes] | None = None
    _refused: str = ""
    _bye: bool = False
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._news.set()

    def receive(self, document: Mapping[str, Any]) -> None:
        """A report, a sign of life, or a farewell. Raises PermissionError, ValueError, KeyError or TypeError."""
        if self._refused:
            raise PermissionError(self._refused)
        self.heard = time.monotonic()
        if "report" in document:
            # Nobody asks a companion elsewhere, whatever address it says it has.
            made = companion_of(self.node, self.service, {**document["report"], "admin": ""})
            self.companion = replace(made, patience=MISSED * self._every)
            self.desk.take(self.companion)
            self.taken += 1
            self.wake()
            return
        self._bye = self._bye or bool(document.get("bye"))
        self._lives(MISSED * self._every)
        if self._every != self.desk.every():
            self.wake()

    async def news(self) -> bytes:
        """What the companion is to know, once that is something else than it was told. Raises PermissionError."""
        while True:
            await self._news.wait()
            self._news.clear()
            if self._refused:
                raise PermissionError(self._refused)
            said = self.taken, self.desk.every(), self.desk.body(self.service)
            if said != self._told:
                self._told, self._every = said, said[1]
                self._lives(MISSED * self._every)
                return b'{"taken": %d, "every": %g, ' % said[:2] + said[2]

    def wake(self) -> None:
        """There may be news."""
        self._news.set()

    def end(self, reason: str) -> None:
        """End the stream: the companion may not be what it says."""
        self._refused = reason
        self.wake()

    def close(self) -> None:
        """The stream ended. Who said so, or was shut out, is gone; where a line broke, there is a moment to come back in."""
        self.desk.closed(self)
        if self.companion is None:
            return
        publisher, other = self.desk.publisher, self.desk.other(self)
        if other is not None and publisher.speaks(self.companion) and not self._bye:
            other.goes_on()
        elif self._bye or self._refused:
            publisher.leave(self.companion)
        else:
            self._lives(ALIVE_S)

    @property
    def lives(self) -> bool:
        """Whether it reported, and was heard of lately."""
        return self.companion is not None and time.monotonic() - self.heard < MISSED * self._every

    def goes_on(self) -> None:
        """What it reported counts from now on, since the line that reported last ended."""
        if self.companion is not None:
            self.companion = replace(self.companion, seen=self.heard, patience=MISSED * self._every)
            self.desk.take(self.companion)

    def _lives(self, patience: float) -> None:
        """It was heard of now, and will be again in so many seconds, or is gone."""
        if self.companion is not None:
            self.companion = self.desk.publisher.heard(self.companion, patience)
