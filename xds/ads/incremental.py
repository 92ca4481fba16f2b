"""Delta: DeltaDiscoveryRequest -> DeltaDiscoveryResponse."""

from __future__ import annotations

from collections.abc import Mapping

from xds.ads.machine import Machine, target_version
from xds.ads.messages import Request, Response
from xds.ads.subscription import WILDCARD, Held, Pending, Subscription, changed
from xds.snapshot.resource import Resource


class Delta(Machine):
    """The variant in which requests and responses carry only what is new and what is gone, with a version a resource."""

    def _open(self, subscription: Subscription, request: Request) -> None:
        subscription.wildcard = WILDCARD in request.names or (not request.names and subscription.whole)
        subscription.names = {n for n in request.names if n != WILDCARD}
        self._resumed = self._resumed or bool(request.held)
        subscription.held = {
            name: self._resource(subscription.type_url, name, version)
            for name, version in request.held.items()
            if subscription.covers(name)
        }
        self._drop(subscription, request.dropped)

    def _resource(self, type_url: str, name: str, version: str) -> Resource:
        """The resource that a client says it has; without a body if the snapshot has another version of it."""
        now = self.snapshot.of(type_url).get(name) if self.snapshot else None
        return now if now is not None and now.version == version else Resource(type_url, name, version, b"")

    def _update(self, subscription: Subscription, request: Request) -> None:
        pending = subscription.pending
        if pending is not None and request.nonce == pending.response.nonce:
            self._settle(subscription, request.error)
        self._drop(subscription, request.dropped)
        if request.names:
            subscription.due = True
            subscription.wildcard = subscription.wildcard or WILDCARD in request.names
            names = {n for n in request.names if n != WILDCARD}
            subscription.names |= names
            subscription.again |= names  # sent even if it is held: the client may have dropped it in between

    def _drop(self, subscription: Subscription, dropped: tuple[str, ...]) -> None:
        if not dropped:
            return
        names = set(dropped)
        if WILDCARD in names:
            subscription.wildcard = False
        if subscription.wildcard:  # what is also covered by the wildcard is sent, or said to be gone, once more
            subscription.again |= names & subscription.names
            subscription.due = True
        subscription.names -= names
        subscription.again = {n for n in subscription.again if subscription.covers(n)}
        subscription.forget()

    def _compose(self, subscription: Subscription, target: Mapping[str, Resource], nonce: str) -> Pending | None:
        news = changed(subscription, target)
        gone = tuple(sorted(self._gone(subscription, target)))
        if not news and not gone:
            return None
        held: Held = target
        if absent := [n for n in subscription.names if n not in target and n not in subscription.withheld]:
            held = {**target, **dict.fromkeys(absent)}
        version = target_version(self, subscription.type_url, target)
        return Pending(Response(subscription.type_url, version, nonce, tuple(news), gone), held)

    def _gone(self, subscription: Subscription, target: Mapping[str, Resource]) -> set[str]:
        """Names to report as removed: held and no longer there, or asked for and not there (told once)."""
        held = subscription.held
        gone = {n for n, r in held.items() if r is not None and n not in target}
        unsure = {n for n in (*subscription.unsure, *subscription.again) if n not in target and subscription.covers(n)}
        absent = {n for n in subscription.names if n not in target and n not in held}
        return (gone | unsure | absent) - subscription.withheld
