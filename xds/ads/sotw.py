"""State of the world: DiscoveryRequest -> DiscoveryResponse."""

from __future__ import annotations

from collections.abc import Mapping

from xds.ads.machine import Machine, target_version
from xds.ads.messages import Request, Response
from xds.ads.subscription import WILDCARD, Pending, Subscription, changed
from xds.snapshot.resource import Resource, version_of


class StateOfTheWorld(Machine):
    """The variant in which a request lists the whole subscription, and an answer of clusters or listeners all of them.

    A version is a hash over what the client holds after it, so a client that comes back with it is known to hold that.
    Answers of other types carry only what changed (Envoy, xDS protocol, "Grouping Resources into Responses").
    """

    def _open(self, subscription: Subscription, request: Request) -> None:
        self._subscribe(subscription, request.names, first=True)
        subscription.again.clear()
        if not request.version:
            subscription.owed = subscription.whole
            return
        self._resumed = True
        subscription.acked = request.version
        held = self._held(subscription, request.version)
        subscription.held = held or {}
        subscription.owed = held is None and subscription.whole

    def _held(self, subscription: Subscription, version: str) -> Mapping[str, Resource] | None:
        """What a client that says it has `version` has, if this server ever sent that."""
        if self.snapshot is not None:
            now = subscription.select(self.snapshot.of(subscription.type_url))
            if version_of(now) == version:
                return now
        return self._recall(subscription.type_url, version)

    def _update(self, subscription: Subscription, request: Request) -> None:
        if request.nonce:
            pending = subscription.pending
            if request.nonce != subscription.last_nonce:
                return  # stale: the client has not seen the newest response, and will say all this again when it has
            if pending is not None:
                refused = request.error is not None or request.version != pending.response.version
                self._settle(subscription, (request.error or "") if refused else None)
        self._subscribe(subscription, request.names, first=False)

    def _subscribe(self, subscription: Subscription, names: tuple[str, ...], first: bool) -> None:
        wanted = set(names)
        explicit = WILDCARD in wanted
        wanted.discard(WILDCARD)
        legacy = not names and subscription.whole and not subscription.named
        added = wanted - subscription.names
        if added or explicit or legacy != subscription.wildcard or wanted != subscription.names:
            subscription.due = True
        subscription.named = subscription.named or bool(names)
        subscription.wildcard = explicit or legacy
        subscription.names = wanted
        subscription.again |= added
        subscription.owed = subscription.owed or (bool(added) and subscription.whole and not first)
        subscription.forget()

    def _compose(self, subscription: Subscription, target: Mapping[str, Resource], nonce: str) -> Pending | None:
        news = changed(subscription, target)
        gone = any(r is not None and n not in target for n, r in subscription.held.items())
        version = target_version(self, subscription.type_url, target)
        if subscription.whole:
            if not (news or gone or subscription.owed) or (not target and subscription.wildcard):
                return None
            return Pending(Response(subscription.type_url, version, nonce, tuple(target.values())), target)
        if not news:
            if gone:  # this variant has no way to say so, and a client forgets what it does not ask for any more
                subscription.held = target
                self._loosen()
            return None
        return Pending(Response(subscription.type_url, version, nonce, tuple(news)), target)
