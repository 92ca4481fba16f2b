"""Snapshots by group -> ADS over gRPC. The one file of the xDS server with a socket."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import grpc
import grpc.aio

from xds.ads.ending import ending
from xds.ads.events import Client, Connected, Denied, Disconnected, Event
from xds.ads.identity import EXPIRED, Identity, identity_of
from xds.ads.machine import Refusals
from xds.ads.messages import Node, Response
from xds.ads.session import DELTA, SOTW, Forbidden, Pace, Session, Variant
from xds.snapshot.resource import Resource, Snapshot
from xds.snapshot.types import CLUSTER, LISTENER

log = logging.getLogger("sidegate")

SERVICE = "envoy.service.discovery.v3.AggregatedDiscoveryService"
_OPTIONS = (
    ("grpc.so_reuseport", 0),  # a taken port must be an error, not a second server that gets half of the streams
    ("grpc.max_receive_message_length", 8 << 20),
    ("grpc.max_send_message_length", -1),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
)
_HISTORY = 8
_REMEMBERED_NODES = 4096
_ENCODED = 128


class EmptySnapshot(ValueError):
    """A snapshot without listeners or clusters: sent, it would delete everything that its nodes have."""


class AdsServer:
    """Serves each connected node the snapshot of its group, and knows what each of them holds.

    `group_of` names a node's group; `refusal` says why a node with that certificate is given nothing (empty: it is),
    `types_of` which types it is given only (None: all). `on_event` is called in the server's event loop with each `Event`
    and must not block. A client that reads nothing for `write_timeout` seconds, or answers no response for
    `answer_timeout`, is dropped.
    All methods belong to the event loop that `start` ran in.
    """

    def __init__(
        self,
        group_of: Callable[[Node], str],
        on_event: Callable[[Event], None] = lambda _event: None,
        *,
        refusal: Callable[[Node, Identity | None], str] = lambda _node, _identity: "",
        types_of: Callable[[Node], frozenset[str] | None] = lambda _node: None,
        write_timeout: float = 20.0,
        answer_timeout: float = 120.0,
    ) -> None:
        self._group_of = group_of
        self._on_event = on_event
        self._refusal, self._types_of = refusal, types_of
        self._timeouts = (write_timeout, answer_timeout)
        self._snapshots: dict[str, Snapshot] = {}
        self._history: dict[str, deque[Snapshot]] = {}
        self._sessions: dict[Session, asyncio.Task[Any]] = {}
        self._joined: dict[str, dict[Session, None]] = {}
        self._dropped: dict[Session, tuple[grpc.StatusCode, str]] = {}
        self._refused: OrderedDict[tuple[str, str], Refusals] = OrderedDict()
        self._encoded: OrderedDict[tuple[Any, ...], bytes] = OrderedDict()
        self.pace = Pace()
        self._pulse = asyncio.Event()
        self._server: Any = None
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self, address: str, credentials: Any = None, handlers: Sequence[Any] = ()) -> str:
        """Listens on `host:port` (0: a free one) or `unix:path`; returns the address. Raises OSError if it is taken.

        `credentials` are grpc.ServerCredentials for TLS; without them the server speaks plain text. `handlers` are what else
        is served there.
        """
        self._server = grpc.aio.server(options=_OPTIONS)
        methods = {
            "StreamAggregatedResources": grpc.stream_stream_rpc_method_handler(self._sotw),
            "DeltaAggregatedResources": grpc.stream_stream_rpc_method_handler(self._delta),
        }
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods), *handlers))
        try:
            bound = (
                self._server.add_secure_port(address, credentials)
                if credentials
                else self._server.add_insecure_port(address)
            )
        except RuntimeError as error:
            raise OSError(f"cannot listen on {address}: {error}") from error
        if not bound:
            raise OSError(f"cannot listen on {address}")
        await self._server.start()
        self._sweeper = asyncio.create_task(self._sweep())
        return address if address.startswith("unix:") else f"{address.rpartition(':')[0]}:{bound}"

    async def stop(self, grace: float = 0.5) -> None:
        """Ends all streams, at the latest after `grace` seconds. Clients keep what they hold."""
        if self._sweeper:
            self._sweeper.cancel()
        if self._server:
            await self._server.stop(grace)

    def publish(self, group: str, snapshot: Snapshot) -> None:
        """Makes `snapshot` what the nodes of `group` shall hold. Raises EmptySnapshot, and then nothing changes."""
        missing = [word for url, word in ((LISTENER, "listener"), (CLUSTER, "cluster")) if not snapshot.of(url)]
        if missing:
            raise EmptySnapshot(f"a snapshot for {group!r} without a {' or a '.join(missing)} is never published")
        self._snapshots[group] = snapshot
        self._history.setdefault(group, deque(maxlen=_HISTORY)).append(snapshot)
        for session in self._joined.get(group, ()):
            if session not in self._dropped:
                session.offer(snapshot)
        self._beat()

    def forget(self, group: str) -> bool:
        """Lets go of what was published for a group, unless a node of it is connected; whether it did."""
        if group in self._joined:
            return False
        self._snapshots.pop(group, None)
        self._history.pop(group, None)
        return True

    def nodes(self, group: str) -> int:
        """How many nodes of a group are connected; without those that are given some types only."""
        return sum(s.types is None for s in self._joined.get(group, ()))

    def clients(self) -> tuple[Client, ...]:
        """All streams whose node is known, oldest first."""
        return tuple(client for session in self._sessions if (client := session.client()))

    def snapshot(self, group: str) -> Snapshot | None:
        """What the nodes of a group shall hold, None before the first publish."""
        return self._snapshots.get(group)

    async def live(self, group: str, timeout: float) -> tuple[str, ...]:
        """Waits until every connected node of the group holds the newest snapshot; returns what is missing after `timeout`.

        Empty means live. No connected node at all is something missing; nodes that are given some types only do not count.
        """
        end = time.monotonic() + timeout
        while (missing := self.missing(group)) and (left := end - time.monotonic()) > 0:
            try:
                async with asyncio.timeout(left):
                    await self._pulse.wait()
            except TimeoutError:
                continue
        return missing

    def missing(self, group: str) -> tuple[str, ...]:
        """What keeps a group's newest snapshot from being live now, as `live` says it."""
        if group not in self._snapshots:
            return (f"nothing was published for group {group!r}",)
        sessions = [s for s in self._joined.get(group, ()) if s.types is None]
        if not sessions:
            return (f"no node of group {group!r} is connected",)
        return tuple(f"node {s.node.id!r} does not hold it" for s in sessions if s.node and not s.live)

    # --- what sessions ask for ---

    def join(self, session: Session, node: Node) -> None:
        """Binds a stream to its node's group."""
        if reason := self._refusal(node, session.identity):
            self.report(Denied(node, session.peer, reason))
            raise Forbidden(reason)
        group = self._group_of(node)
        snapshot, session.types = self._snapshots.get(group), self._types_of(node)
        session.admit(
            node,
            group,
            snapshot,
            lambda url, version: self._recall(group, url, version),
            self._refused.get((group, node.id)),
        )
        self._joined.setdefault(group, {})[session] = None
        self.report(Connected(node, session.peer, group, snapshot is not None))

    def _recall(self, group: str, type_url: str, version: str) -> Mapping[str, Resource] | None:
        earlier = (s.of(type_url) for s in self._history.get(group, ()) if s.version(type_url) == version)
        return next(earlier, None)

    def encoded(self, variant: Variant, response: Response) -> bytes:
        """A response without its nonce, encoded once for all streams that are sent the same."""
        content = tuple((r.name, r.version) for r in response.resources)
        key = (variant.name, response.type_url, response.version, content, response.removed)
        data = self._encoded.get(key)
        if data is None:
            data = self._encoded[key] = variant.encode(response)
            if len(self._encoded) > _ENCODED:
                self._encoded.popitem(last=False)
        return data

    def report(self, event: Event) -> None:
        """Passes an event on, and wakes those who wait for a version to be live."""
        self._on_event(event)
        self._beat()

    def _beat(self) -> None:
        self._pulse.set()
        self._pulse = asyncio.Event()

    # --- streams ---

    async def _sotw(self, requests: AsyncIterator[bytes], context: Any) -> None:
        await self._stream(SOTW, requests, context)

    async def _delta(self, requests: AsyncIterator[bytes], context: Any) -> None:
        await self._stream(DELTA, requests, context)

    async def _stream(self, variant: Variant, requests: AsyncIterator[bytes], context: Any) -> None:
        session = Session(self, variant, context.peer(), identity_of(context.auth_context() or {}))
        task = asyncio.ensure_future(session.run(requests, context.write))
        self._sessions[session] = task
        code, reason = None, ""
        try:
            await asyncio.wait({task})
            code, reason = self._verdict(session, task)
        finally:
            task.cancel()
            self._leave(session, reason)
        if code is not None:
            await context.abort(code, reason)

    def _verdict(self, session: Session, task: asyncio.Task[None]) -> tuple[grpc.StatusCode | None, str]:
        """How a stream ends: the status to end it with (None: as the client did), and the reason."""
        if dropped := self._dropped.pop(session, None):
            return dropped
        return ending(None if task.cancelled() else task.exception())

    def _leave(self, session: Session, reason: str) -> None:
        self._sessions.pop(session, None)
        self._dropped.pop(session, None)
        if (beside := self._joined.get(session.group)) is not None:
            beside.pop(session, None)
            if not beside:
                del self._joined[session.group]
        if session.machine is not None and session.node is not None and session.machine.refusals:
            self._refused[session.group, session.node.id] = session.machine.refusals
            if len(self._refused) > _REMEMBERED_NODES:
                self._refused.popitem(last=False)
        self.report(Disconnected(session.node, session.peer, reason))

    async def _sweep(self) -> None:
        """Drops the streams of clients that neither read nor answer."""
        while True:
            await asyncio.sleep(min(1.0, *(t / 4 for t in self._timeouts)))
            try:
                self._swept(time.monotonic())
            except Exception:
                log.exception("looking after streams failed; they go on")

    def _swept(self, now: float) -> None:
        for session, task in tuple(self._sessions.items()):
            if session.identity and session.identity.expired:
                self._drop(session, task, grpc.StatusCode.UNAUTHENTICATED, EXPIRED)
            elif reason := session.stalled(now, *self._timeouts):
                self._drop(session, task, grpc.StatusCode.DEADLINE_EXCEEDED, reason)

    def _drop(self, session: Session, task: asyncio.Task[Any], code: grpc.StatusCode, reason: str) -> None:
        self._dropped[session] = code, reason
        task.cancel()

    def recheck(self) -> None:
        """Ends the streams of clients that may no longer be what they are."""
        for session, task in tuple(self._sessions.items()):
            if session.node is not None and (reason := self._refusal(session.node, session.identity)):
                self.report(Denied(session.node, session.peer, reason))
                self._drop(session, task, grpc.StatusCode.PERMISSION_DENIED, reason)
