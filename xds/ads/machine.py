"""Requests and snapshots -> responses: what both variants of the protocol have in common, without I/O.

One machine is one ADS stream. A type has at most one response in flight; what else is due waits for its ACK or NACK, so a
client that does not read costs one response a type. What is due is always computed anew, from what the client holds
(its last ACK) and what it shall hold, never queued. Source: Envoy, "xDS REST and gRPC protocol".
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from xds.ads.messages import Request, Response, names_in
from xds.ads.precedence import Precedence
from xds.ads.subscription import Pending, Subscription, same, within
from xds.snapshot.resource import Resource, Snapshot, version_of
from xds.snapshot.types import LISTENER, ORDER, RANK

MAX_TYPES = 32
MAX_NAMES = 100_000

Refusals = Mapping[str, Iterable[frozenset[tuple[str, str]]]]
"""Type URL -> sets of (name, version) that a client refused together, on an earlier stream."""

Recall = Callable[[str, str], Mapping[str, Resource] | None]
"""Type URL and version -> the resources of an earlier snapshot, for clients that come back."""


class ProtocolError(Exception):
    """A request that ends its stream. `exhausted` says that it asked for too much, else it made no sense."""

    def __init__(self, message: str, exhausted: bool = False) -> None:
        super().__init__(message)
        self.exhausted = exhausted


@dataclass(frozen=True, slots=True)
class Outcome:
    """A response was accepted, or refused with `error`; `names` are the resources that the error mentions."""

    type_url: str
    version: str
    error: str | None = None
    names: tuple[str, ...] = ()


class Machine(ABC):
    """One ADS stream: `feed` it requests and `publish` snapshots to it; both return what to send, in order.

    `outcomes` collects ACKs and NACKs until the owner takes them.
    """

    def __init__(
        self,
        snapshot: Snapshot | None = None,
        recall: Recall = lambda _url, _version: None,
        refusals: Refusals | None = None,
    ) -> None:
        self.snapshot = snapshot
        self.subscriptions: dict[str, Subscription] = {}
        self.outcomes: list[Outcome] = []
        self._recall = recall
        self._refusals = refusals or {}
        self._resumed = False
        self._nonces = 0

    def publish(self, snapshot: Snapshot) -> list[Response]:
        """Makes `snapshot` what the client shall hold. An empty one is the caller's to refuse."""
        self.snapshot = snapshot
        for subscription in self.subscriptions.values():
            subscription.recognise(snapshot.of(subscription.type_url))
            subscription.due = True
        return self._advance()

    def feed(self, request: Request) -> list[Response]:
        """Reads one request. Raises ProtocolError if the stream must end."""
        if not request.type_url:
            raise ProtocolError("a request on an aggregated stream needs a type URL")
        known = self.subscriptions.get(request.type_url)
        if known is None:
            if len(self.subscriptions) >= MAX_TYPES:
                raise ProtocolError(f"more than {MAX_TYPES} types on one stream", exhausted=True)
            known = self.subscriptions[request.type_url] = Subscription(request.type_url)
            self._open(known, request)
            if self._resumed:  # else it is a new process, which may well take what its predecessor refused
                known.refused.extend(self._refusals.get(request.type_url, ()))
        else:
            held = known.held
            self._update(known, request)
            if known.held is not held:
                self._loosen()
        self._bound()
        return self._advance()

    @property
    def refusals(self) -> Refusals:
        """What the client refused, for its next stream."""
        return {s.type_url: tuple(s.refused) for s in self.subscriptions.values() if s.refused}

    def settled(self, least: Iterable[str] = (LISTENER,)) -> bool:
        """Whether the client holds all of the snapshot that it asked for, and asked for these types at least."""
        return all(url in self.subscriptions for url in least) and all(s.settled for s in self.subscriptions.values())

    # --- what the variants differ in ---

    @abstractmethod
    def _open(self, subscription: Subscription, request: Request) -> None:
        """Reads the first request of a type."""

    @abstractmethod
    def _update(self, subscription: Subscription, request: Request) -> None:
        """Reads a further request of a type."""

    @abstractmethod
    def _compose(self, subscription: Subscription, target: Mapping[str, Resource], nonce: str) -> Pending | None:
        """The response that takes the client to `target`, or None if it is there."""

    # --- ACK and NACK ---

    def _settle(self, subscription: Subscription, error: str | None) -> None:
        """The response in flight was accepted, or refused with a message."""
        pending = subscription.pending
        if pending is None:
            return
        subscription.pending, subscription.due = None, True
        sent = pending.response
        if error is None:
            subscription.held = pending.target
            subscription.unsure.difference_update(r.name for r in sent.resources)
            subscription.unsure.difference_update(sent.removed)
            subscription.acked, subscription.nacked = sent.version, None
            subscription.forget()
            self.outcomes.append(Outcome(sent.type_url, sent.version))
        else:
            suspects = {r.name: r.version for r in sent.resources if not same(subscription.held.get(r.name), r)}
            named = names_in(error, suspects)
            subscription.refused.append(frozenset((n, suspects[n]) for n in named or suspects))
            subscription.unsure.update(suspects, sent.removed)  # a client may take a part of what it refuses
            subscription.nacked = (sent.version, error)
            self.outcomes.append(Outcome(sent.type_url, sent.version, error, named))
        self._loosen()

    def _loosen(self) -> None:
        """What waited for other types is worth another look: the client holds something else now."""
        for subscription in self.subscriptions.values():
            subscription.due = subscription.due or subscription.waiting or bool(subscription.withheld)

    # --- what is due ---

    def _advance(self) -> list[Response]:
        if self.snapshot is None:
            return []
        order = sorted(self.subscriptions.values(), key=lambda s: RANK.get(s.type_url, len(ORDER)))
        responses = []
        while due := [s for s in order if s.due and s.pending is None]:
            responses += [response for s in due if (response := self._answer(s))]
        return responses

    def _answer(self, subscription: Subscription) -> Response | None:
        subscription.due = subscription.waiting = False
        target = self._target(subscription)
        if target is None:
            subscription.waiting = True
            return None
        pending = self._compose(subscription, target, str(self._nonces + 1))
        if pending is None:
            return None
        self._nonces += 1
        subscription.pending = pending
        subscription.last_nonce = pending.response.nonce
        subscription.sent = pending.response.version
        subscription.owed = False
        subscription.again.clear()
        return pending.response

    def _target(self, subscription: Subscription) -> Mapping[str, Resource] | None:
        """What the client shall hold of a type now, or None if clusters have to be there first."""
        assert self.snapshot is not None
        order = Precedence(self.subscriptions, self.snapshot, self._resumed)
        target = subscription.select(self.snapshot.of(subscription.type_url))
        withheld = {name for refusal in subscription.refused if within(refusal, target) for name, _ in refusal}
        for name, missing in order.unbacked(subscription, target):
            if name not in withheld and order.coming(missing):
                return None
            withheld.add(name)
        subscription.withheld = frozenset(withheld)
        early = order.early(subscription, target, withheld)
        kept = order.kept(subscription, target)
        subscription.waiting = bool(kept or early)
        if not withheld and not kept and not early:
            return target
        as_before = withheld | early
        replaced = {n: r for n, r in target.items() if n not in as_before}
        replaced.update((n, r) for n in as_before if (r := subscription.held.get(n)) is not None)
        return {**replaced, **kept}

    def _bound(self) -> None:
        names = [s.names for s in self.subscriptions.values()]
        if sum(map(len, names)) > MAX_NAMES:
            raise ProtocolError(f"more than {MAX_NAMES} names on one stream", exhausted=True)


def target_version(machine: Machine, type_url: str, target: Mapping[str, Resource]) -> str:
    """The version of a set of resources; the snapshot's own, computed once, if it is the snapshot's set."""
    snapshot = machine.snapshot
    if snapshot is not None and target is snapshot.of(type_url):
        return snapshot.version(type_url)
    return version_of(target)
