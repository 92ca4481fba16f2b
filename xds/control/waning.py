"""A group, who is there of it -> the digests that its routes may still name; groups that nobody belongs to any more."""

from __future__ import annotations

from collections.abc import Iterable

from xds.ads.server import AdsServer
from xds.control.groups import Group
from xds.control.stand import ANYWHERE
from xds.handshake import KEPT

ALONE_S = 60.0
"""How long nodes may be away before their routes are taken to be those of another replica, which says itself what they name."""

FORGET_S = 600.0
"""How long a companion that is gone is still listed, and a group without nodes and companions kept."""

UNDER_WAY_S = 60.0
"""How long requests for a cached operation may be on their way to the service after the proxies let go of its route."""


def observed(group: Group, ads: AdsServer, now: float) -> None:
    """Note since when a group has no node, and let go of digests that no route of it can name by now."""
    group.alone = None if ads.nodes(group.key) else group.alone or now
    newest: dict[str, tuple[str, ...]] = {name: (digest,) for name, digest in group.digests.items()}
    if group.in_use == newest:
        return
    if not ads.missing(group.key):
        group.in_use = newest
    elif group.alone is not None and now - group.alone > ALONE_S:
        group.in_use = {name: group.in_use.get(name, one)[:KEPT] for name, one in newest.items()}


def needed(groups: Iterable[Group]) -> dict[str, list[str]]:
    """The digests that routes of any of the groups' nodes may name."""
    found: dict[str, dict[str, None]] = {}
    for group in groups:
        for version, digests in group.in_use.items():
            found.setdefault(version, {}).update(dict.fromkeys(digests))
    return {version: list(digests) for version, digests in found.items()}


def is_over(group: Group, companions: Iterable[str], now: float) -> bool:
    """Whether a group was without nodes for long, and there are no companions of its service that it is for."""
    there = group.stand == ANYWHERE and any(companions)
    return group.alone is not None and now - group.alone > FORGET_S and not there


def idle(groups: Iterable[Group], ads: AdsServer) -> Group | None:
    """Of groups the one whose nodes are away for longest, if there is one without nodes that is for a place of its own."""
    without = (g for g in groups if g.stand != ANYWHERE and not ads.nodes(g.key))
    return min(without, key=lambda g: g.alone or float("inf"), default=None)
