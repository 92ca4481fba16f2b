"""Reports -> every replica of a shared control plane, over mTLS; what any of them still needs comes back."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sidecar.lane import Lane
from sidecar.offers import Offer
from xds import handshake
from xds.address import Address, UnixSocket, Where, where

log = logging.getLogger("sidegate.companion")

LOOK_UP_S = 5.0
"""How often names are looked up: replicas come and go."""

OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 250),
    ("grpc.max_reconnect_backoff_ms", 2000),
    # How long one attempt may take: a thousand that come back at once are not to give up just before their turn.
    ("grpc.min_reconnect_backoff_ms", 15_000),
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.enable_http_proxy", 0),
    # A replica that vanished is noticed though nothing is said.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.max_pings_without_data", 0),
    # A channel has a connection of its own.
    ("grpc.use_local_subchannel_pool", 1),
)
Needed = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files: authorities, own certificate, own key; and the name in the control plane's certificate."""

    ca: Path
    certificate: Path
    key: Path
    name: str

    @property
    def stamp(self) -> tuple[tuple[int, int], ...]:
        stats = (path.stat() for path in (self.ca, self.certificate, self.key))
        return tuple((s.st_mtime_ns, s.st_ino) for s in stats)


@dataclass(slots=True)
class Central:
    """All replicas behind some addresses. A proxy may hang on any of them, so each is told what its companion holds.

    `needed` keeps what each replica last answered: what one that is away needed then is not let go of.
    """

    places: tuple[Where, ...]
    tls: Tls | None
    node: str
    service: str = ""
    needed: dict[str, Needed] = field(default_factory=dict)
    _lanes: dict[str, Lane] = field(default_factory=dict)
    _stamp: Any = None
    _found: dict[Where, list[str]] = field(default_factory=dict)
    _looking: asyncio.Task[None] | None = None
    _looked_up: float = -LOOK_UP_S
    _away: set[str] = field(default_factory=set)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    def at(cls, text: str, tls: Tls | None, node: str, service: str = "") -> Central:
        """Read addresses, comma-separated; `service` is whose companion this is (empty: of all). Raises ValueError."""
        return cls(tuple(where(word.strip()) for word in text.split(",")), tls, node, service)

    async def send(self, report: Mapping[str, Any]) -> Mapping[str, Any]:
        """Bring a report to every replica that has another; what the first says by now, with the digests that any needs.

        Raises ConnectionError if none answers.
        """
        data = json.dumps(report).encode()
        lanes = await self._opened()
        results = await asyncio.gather(*(lane.tell(data) for lane in lanes.values()), return_exceptions=True)
        answers = {target: said for target, said in zip(lanes, results, strict=True) if isinstance(said, Mapping)}
        if not answers:
            raise ConnectionError(next((str(each) for each in results), "no address"))
        for target, said in answers.items():
            self.needed[target] = said["needed"]
        return {**next(iter(answers.values())), "needed": self._needed()}

    async def offers(self) -> list[Offer]:
        """The sources that replicas have, in the order of addresses, of those that are there."""
        said = [(target, lane.said["sources"]) for target, lane in (await self._opened()).items() if lane.said]
        return [Offer(target, str(each["revision"]), int(each["order"])) for target, each in said]

    async def sources(self, target: str) -> Any:
        """What a replica has for this companion to compile. Raises ConnectionError or ValueError."""
        asked = json.dumps({"service": self.service or handshake.EDGE}).encode()
        return json.loads(await self._lanes[target].ask(handshake.SOURCES, asked))

    async def news(self, timeout: float) -> None:
        """Wait until any replica says something, comes or goes; or so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._news.wait()
        self._news.clear()

    async def close(self) -> None:
        """Say goodbye to every replica."""
        if self._looking is not None:
            self._looking.cancel()
        lanes, self._lanes = self._lanes, {}
        await asyncio.gather(*(lane.close(bye=True) for lane in lanes.values()))

    def _needed(self) -> Needed:
        out: dict[str, dict[str, None]] = {}
        for needed in self.needed.values():
            for version, digests in needed.items():
                out.setdefault(version, {}).update(dict.fromkeys(digests))
        return {version: list(digests) for version, digests in out.items()}

    async def _opened(self) -> dict[str, Lane]:
        """A lane to each replica that there is by now, with the certificate that there is by now."""
        targets = await self._resolved()
        if self.tls is not None and (now := self._stamped()) != self._stamp:
            self._stamp = now
            await self._shut([*self._lanes])
        await self._shut([target for target in self._lanes if target not in targets])
        for target in targets:
            if target not in self._lanes:
                self._lanes[target] = self._lane(target)
        return {target: self._lanes[target] for target in targets}

    def _lane(self, target: str) -> Lane:
        first = {"node": self.node, "service": self.service or handshake.EDGE}
        return Lane(lambda: self._channel(target), first, lambda lane: self._heard(target, lane))

    async def _shut(self, targets: list[str]) -> None:
        """Close lanes without a farewell: this companion comes back, or the replica is gone."""
        await asyncio.gather(*(self._lanes.pop(target).close() for target in targets))

    def _heard(self, target: str, lane: Lane) -> None:
        if lane.problem and target not in self._away:
            self._away.add(target)
            log.warning("the control plane at %s takes no reports: %s", target, lane.problem)
        elif target in self._away and lane.said and lane.said["taken"]:
            self._away.discard(target)
            log.info("the control plane at %s takes reports again", target)
        self._news.set()

    def _stamped(self) -> Any:
        """What tells whether the certificate's files are others; while they are exchanged, what it was."""
        try:
            return self.tls.stamp if self.tls else None
        except OSError:
            return self._stamp

    def _channel(self, target: str) -> Any:
        import grpc
        import grpc.aio

        if self.tls is None:
            return grpc.aio.insecure_channel(target, options=OPTIONS)
        files = (path.read_bytes() for path in (self.tls.ca, self.tls.key, self.tls.certificate))
        options = (*OPTIONS, ("grpc.ssl_target_name_override", self.tls.name))
        return grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(*files), options=options)

    async def _resolved(self) -> tuple[str, ...]:
        """What names led to last. Only the first time it is waited for: a name server may take long to be away."""
        due = time.monotonic() - self._looked_up > LOOK_UP_S or not self._found
        if due and (self._looking is None or self._looking.done()):
            self._looked_up = time.monotonic()
            self._looking = asyncio.create_task(self._look_up())
        if self._looking is not None and not self._found:
            await asyncio.wait([self._looking])
        return tuple(dict.fromkeys(target for place in self.places for target in self._found.get(place, ())))

    async def _look_up(self) -> None:
        for place, found in zip(self.places, await asyncio.gather(*map(_targets, self.places)), strict=True):
            if found:  # a name that leads nowhere now takes no replica away
                self._found[place] = found
        for gone in self.needed.keys() - {target for found in self._found.values() for target in found}:
            del self.needed[gone]


async def _targets(place: Where) -> list[str]:
    """gRPC's names of all addresses behind a place; none if it cannot be looked up now."""
    if isinstance(place, UnixSocket):
        return [str(place)]
    try:
        rows = await asyncio.get_running_loop().getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # the second of names that are none
        return []
    return [f"{'ipv6' if row[0] == socket.AF_INET6 else 'ipv4'}:{Address(str(row[4][0]), place.port)}" for row in rows]
