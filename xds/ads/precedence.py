"""Make before break: what must be there before a resource is sent, and what must stay while something names it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from xds.ads.subscription import Subscription, same
from xds.snapshot.references import Reference
from xds.snapshot.resource import Resource, Snapshot
from xds.snapshot.types import CLUSTER, ENDPOINTS, EXTENSION, LISTENER, ROUTES, SECRET

_BACKED = frozenset({LISTENER, ROUTES, EXTENSION})
"""What names clusters."""

_NAMED_BY = {
    EXTENSION: frozenset({LISTENER}),
    ROUTES: frozenset({LISTENER}),
    ENDPOINTS: _BACKED | {CLUSTER},
    SECRET: _BACKED | {CLUSTER},
}
"""Type URL -> the types that may name it; `_BACKED` for clusters and all others."""


@dataclass(frozen=True, slots=True)
class Precedence:
    """The order between the types of one stream. `resumed`: the client came back with what an earlier stream gave it."""

    subscriptions: Mapping[str, Subscription]
    snapshot: Snapshot
    resumed: bool

    def unbacked(self, subscription: Subscription, target: Mapping[str, Resource]) -> Iterator[tuple[str, Reference]]:
        """Changed resources that name a cluster which the client does not have yet, with the first thing that it lacks.

        Only for clients that take all clusters; others ask for a cluster because something names it.
        """
        clusters = self.subscriptions.get(CLUSTER)
        if subscription.type_url not in _BACKED or clusters is None or not clusters.wildcard:
            return
        for name, resource in target.items():
            if resource is subscription.held.get(name):
                continue
            lacking = (lack for url, wanted in resource.references if url == CLUSTER and (lack := self.lack(wanted)))
            if (first := next(lacking, None)) is not None:
                yield name, first

    def lack(self, cluster: str) -> Reference | None:
        """What the client lacks to use a cluster of the snapshot: itself or its endpoints."""
        wanted = self.snapshot.of(CLUSTER).get(cluster)
        if wanted is None:
            return None
        if self.subscriptions[CLUSTER].held.get(cluster) is None:
            return CLUSTER, cluster
        endpoints = self.subscriptions.get(ENDPOINTS)
        for url, name in wanted.references:
            if (
                url == ENDPOINTS
                and name in self.snapshot.of(url)
                and (not endpoints or endpoints.held.get(name) is None)
            ):
                return url, name
        return None

    def early(
        self, subscription: Subscription, target: Mapping[str, Resource], withheld: Collection[str]
    ) -> frozenset[str]:
        """Changed resources that must wait for others of their own type: they name a cluster that leads to a listener of the
        client's own, which it has not yet, or not with the routes that it shall have there.

        Only what replaces something waits, so that a client starts with everything at once.
        """
        listeners = self.subscriptions.get(LISTENER)
        if subscription.type_url != ROUTES or listeners is None or not listeners.wildcard:
            return frozenset()
        held = subscription.held
        changed = [r for n, r in target.items() if (was := held.get(n)) is not None and not same(was, r)]
        return frozenset(
            resource.name
            for resource in changed
            for inside in self._inside(resource)
            if self._outstanding(inside, listeners, subscription, {*withheld, resource.name})
        )

    def _inside(self, resource: Resource) -> Iterator[Resource]:
        """The client's own listeners that the clusters of a resource lead to."""
        clusters, listeners = self.snapshot.of(CLUSTER), self.snapshot.of(LISTENER)
        named = (clusters[name] for url, name in resource.references if url == CLUSTER and name in clusters)
        return (listeners[n] for cluster in named for u, n in cluster.references if u == LISTENER and n in listeners)

    def _outstanding(
        self, inside: Resource, listeners: Subscription, routes: Subscription, apart: Collection[str]
    ) -> bool:
        """Whether a listener, or its routes but for those `apart`, will come and are not there."""
        if listeners.held.get(inside.name) is None:
            return self.coming((LISTENER, inside.name))
        wanted = [self.snapshot.of(ROUTES).get(n) for url, n in inside.references if url == ROUTES and n not in apart]
        return any(r is not None and not same(routes.held.get(r.name), r) for r in wanted)

    def coming(self, missing: Reference) -> bool:
        """Whether it is in flight, or will be when the client asks; not so if the client refused it."""
        url, name = missing
        subscription = self.subscriptions.get(url)
        return subscription is None or subscription.pending is not None or name not in subscription.withheld

    def kept(self, subscription: Subscription, target: Mapping[str, Resource]) -> dict[str, Resource]:
        """What the snapshot has no more but something that the client holds still names: break only after make."""
        gone = {
            n: r for n, r in subscription.held.items() if r is not None and n not in target and subscription.covers(n)
        }
        if not gone or subscription.type_url == LISTENER:
            return {}
        used = self.used(subscription.type_url)
        return gone if used is None else {n: r for n, r in gone.items() if (subscription.type_url, n) in used}

    def used(self, type_url: str) -> set[Reference] | None:
        """All references of what the client holds or was sent; None if that cannot be known, so that all is in use.

        It cannot while the client has an older version, known by name only, of something that may name the type.
        """
        used: set[Reference] = set()
        blind = _NAMED_BY.get(type_url, _BACKED)
        for subscription in self.subscriptions.values():
            sent = subscription.pending.target if subscription.pending else {}
            for resource in (*subscription.held.values(), *sent.values()):
                if resource is None:
                    continue
                if not resource.body and resource.type_url in blind:
                    return None
                used.update(resource.references)
        return None if self.resumed and self.unasked(used) else used

    def unasked(self, used: set[Reference]) -> bool:
        """Whether a client that came back still has types that it has not asked for on this stream."""
        if LISTENER not in self.subscriptions:
            return True
        routes = self.subscriptions.get(ROUTES)
        return any(url == ROUTES and (routes is None or not routes.covers(name)) for url, name in used)
