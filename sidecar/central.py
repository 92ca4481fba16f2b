"""Reports -> every replica of a shared control plane, over mTLS; what any of them still needs comes back."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xds import handshake
from xds.address import Address, UnixSocket, Where, where

log = logging.getLogger("sidegate.companion")

TIMEOUT_S = 2.0
LOOK_UP_S = 5.0
"""How often names are looked up: replicas come and go."""

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
    needed: dict[str, Needed] = field(default_factory=dict)
    _channels: dict[str, Any] = field(default_factory=dict)
    _stamp: Any = None
    _targets: tuple[str, ...] = ()
    _looked_up: float = -LOOK_UP_S
    _away: frozenset[str] = frozenset()

    @classmethod
    def at(cls, text: str, tls: Tls | None, node: str) -> Central:
        """Read addresses, comma-separated. Raises ValueError."""
        return cls(tuple(where(word.strip()) for word in text.split(",")), tls, node)

    async def send(self, report: Mapping[str, Any]) -> Mapping[str, Any]:
        """Report to every replica; what the first says, with the digests that any needs. Raises ConnectionError."""
        data = json.dumps({"node": self.node, "report": report}).encode()
        answers = {target: json.loads(each) for target, each in (await self.ask(handshake.REPORT, data)).items()}
        for target, answer in answers.items():
            self.needed[target] = answer["needed"]
        return {**next(iter(answers.values())), "needed": self._needed()}

    def _needed(self) -> Needed:
        out: dict[str, dict[str, None]] = {}
        for needed in self.needed.values():
            for version, digests in needed.items():
                out.setdefault(version, {}).update(dict.fromkeys(digests))
        return {version: list(digests) for version, digests in out.items()}

    async def ask(self, method: str, data: bytes) -> dict[str, bytes]:
        """The answers by replica. Raises ConnectionError if there is none."""
        targets = await self._resolved()
        await self._renew()
        results = await asyncio.gather(*(self._one(each, method, data) for each in targets), return_exceptions=True)
        answers = {each: got for each, got in zip(targets, results, strict=True) if isinstance(got, bytes)}
        failed = {each: got for each, got in zip(targets, results, strict=True) if isinstance(got, BaseException)}
        self._tell(failed)
        if not answers:
            raise ConnectionError(next(iter(failed.values()), "no address"))
        return answers

    async def any(self, method: str, data: bytes, timeout: float) -> bytes:
        """The first replica's answer that there is, in the order of addresses. Raises ConnectionError."""
        await self._renew()
        last: BaseException = ConnectionError("no address")
        for target in sorted(await self._resolved(), key=lambda each: each in self._away):
            try:
                return await self._one(target, method, data, timeout)
            except Exception as error:  # noqa: BLE001 - gRPC's errors, and files that are just being exchanged
                last = error
        raise ConnectionError(_reason(last)) from last

    async def close(self) -> None:
        """Close every connection."""
        for channel in self._channels.values():
            await channel.close()
        self._channels.clear()

    def _tell(self, failed: Mapping[str, BaseException]) -> None:
        for target in failed.keys() - self._away:
            log.warning("the control plane at %s takes no reports: %s", target, _reason(failed[target]))
        for target in self._away - failed.keys():
            log.info("the control plane at %s takes reports again", target)
        self._away = frozenset(failed)

    async def _one(self, target: str, method: str, data: bytes, timeout: float = TIMEOUT_S) -> bytes:
        if target not in self._channels:
            self._channels[target] = self._channel(target)
        call = self._channels[target].unary_unary(f"/{handshake.SERVICE}/{method}")
        answer: bytes = await call(data, timeout=timeout)
        return answer

    def _channel(self, target: str) -> Any:
        import grpc
        import grpc.aio

        options: list[tuple[str, int | str]] = [
            ("grpc.min_reconnect_backoff_ms", 250),
            ("grpc.max_reconnect_backoff_ms", 2000),
        ]
        options += [("grpc.max_receive_message_length", 64 << 20), ("grpc.enable_http_proxy", 0)]
        if self.tls is None:
            return grpc.aio.insecure_channel(target, options=options)
        files = (path.read_bytes() for path in (self.tls.ca, self.tls.key, self.tls.certificate))
        options.append(("grpc.ssl_target_name_override", self.tls.name))
        return grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(*files), options=options)

    async def _renew(self) -> None:
        """New connections once the certificate's files have changed."""
        if self.tls is None or (now := self.tls.stamp) == self._stamp:
            return
        await self.close()
        self._stamp = now

    async def _resolved(self) -> tuple[str, ...]:
        if time.monotonic() - self._looked_up > LOOK_UP_S or not self._targets:
            found = [target for place in self.places for target in await _targets(place)]
            if found:  # a name server that is away takes no replica away
                self._targets, self._looked_up = tuple(dict.fromkeys(found)), time.monotonic()
                for gone in self.needed.keys() - set(self._targets):
                    del self.needed[gone]
        return self._targets


async def _targets(place: Where) -> list[str]:
    """gRPC's names of all addresses behind a place; none if it cannot be looked up now."""
    if isinstance(place, UnixSocket):
        return [str(place)]
    try:
        rows = await asyncio.get_running_loop().getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return [f"{'ipv6' if row[0] == socket.AF_INET6 else 'ipv4'}:{Address(str(row[4][0]), place.port)}" for row in rows]


def _reason(error: BaseException) -> str:
    details = getattr(error, "details", None)
    return str(details() if callable(details) else error) or type(error).__name__
