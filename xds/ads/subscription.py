"""Subscription: one type of one stream, what the client asked for, holds and refused."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from xds.ads.messages import Response
from xds.snapshot.resource import Resource
from xds.snapshot.types import BY_URL

WILDCARD = "*"
_REMEMBERED_REFUSALS = 64

Held = Mapping[str, Resource | None]
"""What a client has, by name; None: it was told that there is no such resource."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A response in flight; `target` is what the client holds if it accepts."""

    response: Response
    target: Held


@dataclass(slots=True)
class Subscription:
    """One type of one stream.

    `unsure`: sent, or said to be gone, in a response that was refused: the client may have taken a part of it, and so have
    either version, or none. `again`: asked for anew, to be sent even if held. `refused`: sets of (name, version) that a
    client refused together. `withheld`: names whose wanted version is not sent, because it was refused or names a cluster
    that was. `owed`: an answer is due, whatever it holds.
    """

    type_url: str
    names: set[str] = field(default_factory=set)
    wildcard: bool = False
    named: bool = False
    held: Held = field(default_factory=dict)
    pending: Pending | None = None
    last_nonce: str = ""
    unsure: set[str] = field(default_factory=set)
    again: set[str] = field(default_factory=set)
    refused: deque[frozenset[tuple[str, str]]] = field(default_factory=lambda: deque(maxlen=_REMEMBERED_REFUSALS))
    withheld: frozenset[str] = frozenset()
    owed: bool = False
    due: bool = True
    waiting: bool = False
    sent: str = ""
    acked: str = ""
    nacked: tuple[str, str] | None = None

    @property
    def whole(self) -> bool:
        return self.type_url in BY_URL and BY_URL[self.type_url].whole

    def covers(self, name: str) -> bool:
        return self.wildcard or name in self.names

    def select(self, named: Mapping[str, Resource]) -> Mapping[str, Resource]:
        """Those of `named` that are subscribed to; the very same mapping if that is all, so that streams share it."""
        if self.wildcard:
            return named
        chosen = {n: named[n] for n in self.names if n in named}
        return named if len(chosen) == len(named) else chosen

    def forget(self) -> None:
        """Drops from what is held all that is no longer subscribed to."""
        if not self.wildcard and any(n not in self.names for n in self.held):
            self.held = {n: r for n, r in self.held.items() if n in self.names}

    def recognise(self, named: Mapping[str, Resource]) -> None:
        """What a client came with was known by name and version only; of resources in those versions all is known. Without
        it nobody could say what they name, and everything else would be kept for them."""
        unread = ((n, r.version) for n, r in self.held.items() if r is not None and not r.body)
        known = {n: named[n] for n, version in unread if n in named and named[n].version == version}
        if known:
            self.held = {**self.held, **known}

    @property
    def settled(self) -> bool:
        return not (self.due or self.waiting or self.pending or self.withheld)


def same(held: Resource | None, resource: Resource) -> bool:
    """Whether what is held is the resource in the same version."""
    return held is not None and held.version == resource.version


def changed(subscription: Subscription, target: Mapping[str, Resource]) -> list[Resource]:
    """Those of `target` that the client must be sent: new, changed, asked for again, or of an unsure version."""
    if target is subscription.held and not subscription.unsure and not subscription.again:
        return []
    force = subscription.unsure | subscription.again
    held, withheld = subscription.held, subscription.withheld
    return [r for n, r in target.items() if n not in withheld and (n in force or not same(held.get(n), r))]


def within(refusal: frozenset[tuple[str, str]], target: Mapping[str, Resource]) -> bool:
    """Whether `target` holds all that a client refused together; with a part of it changed it is worth another try."""
    return bool(refusal) and all((r := target.get(n)) is not None and r.version == v for n, v in refusal)
