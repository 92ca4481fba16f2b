"""One stream: requests in, responses out, around one machine. No socket: bytes come and go through what it is given."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from xds.ads.events import Acked, Client, Event, Holding, Nacked
from xds.ads.identity import Identity
from xds.ads.incremental import Delta
from xds.ads.machine import Machine, Outcome, ProtocolError, Recall, Refusals
from xds.ads.messages import Node, Request, Response, decode_delta, decode_sotw, encode_delta, encode_sotw, nonce_field
from xds.ads.sotw import StateOfTheWorld
from xds.snapshot.resource import Snapshot


@dataclass(frozen=True, slots=True)
class Variant:
    """What state of the world and delta differ in, seen from the socket."""

    name: str
    machine: type[Machine]
    decode: Callable[[bytes], Request]
    encode: Callable[[Response], bytes]


SOTW = Variant("sotw", StateOfTheWorld, decode_sotw, encode_sotw)
DELTA = Variant("delta", Delta, decode_delta, encode_delta)


class Pace:
    """Lets few large responses be under way at once, so that a thousand clients do not cost a thousand copies.

    A slow reader gives up its place after a second; its write goes on.
    """

    def __init__(self, places: int = 64, large: int = 32_768, seconds: float = 1.0) -> None:
        self._free, self._large, self._seconds = asyncio.Semaphore(places), large, seconds

    async def write(self, write: Callable[[bytes], Awaitable[None]], parts: Callable[[], bytes], size: int) -> None:
        """Writes what `parts` makes; a large response is made only when there is a place for it."""
        if size < self._large:
            await write(parts())
            return
        await self._free.acquire()
        held = [self._free.release]

        def leave() -> None:
            if held:
                held.pop()()

        timer = asyncio.get_running_loop().call_later(self._seconds, leave)
        try:
            await write(parts())
        finally:
            timer.cancel()
            leave()


class Forbidden(Exception):
    """A client asks for what is not its own."""


class Host(Protocol):
    """What a session asks of the server."""

    pace: Pace

    def join(self, session: Session, node: Node) -> None: ...
    def encoded(self, variant: Variant, response: Response) -> bytes: ...
    def report(self, event: Event) -> None: ...


@dataclass(slots=True, eq=False)
class Session:
    """One stream of one client; `node` and `machine` are set by its first request (`admit`).

    `identity` is what its certificate says, `types` are the only ones it is given, where not all are.
    """

    host: Host
    variant: Variant
    peer: str
    identity: Identity | None = None
    types: frozenset[str] | None = None
    node: Node | None = None
    group: str = ""
    machine: Machine | None = None
    since: float = field(default_factory=time.time)
    answered: dict[str, float] = field(default_factory=dict)
    _outbox: deque[Response] = field(default_factory=deque)
    _offer: Snapshot | None = None
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _in_flight: dict[str, float] = field(default_factory=dict)
    _writing: float | None = None

    def admit(
        self, node: Node, group: str, snapshot: Snapshot | None, recall: Recall, refusals: Refusals | None
    ) -> None:
        """Binds the stream to a node, its group and what that group holds now."""
        self.node, self.group = node, group
        self.machine = self.variant.machine(snapshot, recall, refusals)

    def offer(self, snapshot: Snapshot) -> None:
        """A new snapshot for the group; several before the stream is written to count as one."""
        self._offer = snapshot
        self._wake.set()

    async def run(self, requests: AsyncIterator[bytes], write: Callable[[bytes], Awaitable[None]]) -> None:
        """Serves the stream until the client ends it. Raises WireError or ProtocolError if it must be ended."""
        reader = asyncio.ensure_future(self._read(requests))
        writer = asyncio.ensure_future(self._write(write))
        try:
            done, _ = await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            reader.cancel()
            writer.cancel()
            await asyncio.gather(reader, writer, return_exceptions=True)

    async def _read(self, requests: AsyncIterator[bytes]) -> None:
        async for data in requests:
            self.receive(self.variant.decode(data))

    def receive(self, request: Request) -> None:
        """Feeds one request to the machine. The node may be left out of all requests but the first, and never changes."""
        if self.machine is None:
            if request.node is None or not request.node.id:
                raise ProtocolError("the first request of a stream needs a node with an id")
            self.host.join(self, request.node)
        elif request.node is not None and self.node is not None and request.node.id not in ("", self.node.id):
            raise ProtocolError("the node's id changed within a stream")
        assert self.machine is not None
        if self.types is not None and request.type_url not in self.types:
            raise Forbidden(f"{request.type_url.rpartition('.')[2]} is nothing for this node")
        responses = self.machine.feed(request)
        self._tell(self.machine.outcomes)
        self._queue(responses)

    def _queue(self, responses: list[Response]) -> None:
        if responses:
            self._outbox.extend(responses)
            self._wake.set()

    def _tell(self, outcomes: list[Outcome]) -> None:
        now = time.time()
        while outcomes:
            outcome = outcomes.pop(0)
            self._in_flight.pop(outcome.type_url, None)
            self.answered[outcome.type_url] = now
            self.host.report(self._event(outcome))

    def _event(self, outcome: Outcome) -> Event:
        assert self.node is not None
        if outcome.error is None:
            return Acked(self.node, self.group, outcome.type_url, outcome.version)
        return Nacked(self.node, self.group, outcome.type_url, outcome.version, outcome.error, outcome.names)

    async def _write(self, write: Callable[[bytes], Awaitable[None]]) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._offer is not None and self.machine is not None:
                snapshot, self._offer = self._offer, None
                self._outbox.extend(self.machine.publish(snapshot))
            while self._outbox:
                await self._respond(self._outbox.popleft(), write)

    async def _respond(self, response: Response, write: Callable[[bytes], Awaitable[None]]) -> None:
        data = self.host.encoded(self.variant, response)

        def parts() -> bytes:
            self._writing = self._in_flight[response.type_url] = time.monotonic()
            return data + nonce_field(response.nonce)

        await self.host.pace.write(write, parts, len(data))
        self._writing = None

    def stalled(self, now: float, write: float, answer: float) -> str:
        """Why the stream should be dropped, if it should: a write or an answer that is overdue (monotonic seconds)."""
        if self._writing is not None and now - self._writing > write:
            return f"the client has read nothing for {write:g} s"
        if any(now - sent > answer for sent in self._in_flight.values()):
            return f"the client has neither accepted nor refused a response within {answer:g} s"
        return "" if self.machine is not None or now - self._opened() < answer else "no request with a node in time"

    def _opened(self) -> float:
        return time.monotonic() - (time.time() - self.since)

    @property
    def live(self) -> bool:
        """Whether the client holds all that it asked for of the newest snapshot."""
        if self.machine is None or self._offer is not None or self._outbox:
            return False
        return self.machine.settled() if self.types is None else self.machine.settled(self.types)

    def client(self) -> Client | None:
        """What the management API shows of the stream; None before its first request."""
        if self.node is None:
            return None
        return Client(
            self.node, self.peer, self.group, self.variant.name, self.since, self.live, dict(self._holdings())
        )

    def _holdings(self) -> Iterator[tuple[str, Holding]]:
        for url, s in (self.machine.subscriptions if self.machine else {}).items():
            since = self.answered.get(url, self.since)
            withheld = tuple(sorted(s.withheld))
            yield url, Holding(s.sent, s.acked, s.nacked, len(s.names), s.wildcard, s.settled, withheld, since)
