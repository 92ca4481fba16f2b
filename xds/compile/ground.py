"""Claims -> those of other services that match some of the same requests, on a host that both answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from xds.contract.trie import Node, pairs
from xds.model import Service

from .outlines import Claim

_MAX_STEPS = 200_000
_ANY = "*"

Claims = Node[Claim]


class TooMany(Exception):
    """The templates overlap in too many ways to be told apart."""


class Ground:
    """What has been claimed, by host: a service with hosts meets those of its hosts and those that answer every host, one
    without meets all."""

    def __init__(self, hosts: bool = True) -> None:
        """`hosts`: whether any service has some."""
        self._by_host = hosts
        self._hosts: dict[str, Claims] = {}
        self._all: Claims = Node()

    def add(self, claims: Iterable[Claim]) -> None:
        """Claim paths."""
        for claim in claims:
            self._all.put(claim.operation.path, claim.keys, claim)
            for host in (claim.service.hosts or (_ANY,)) if self._by_host else ():
                self._hosts.setdefault(host, Node()).put(claim.operation.path, claim.keys, claim)

    def met_by(self, service: Service, claims: Iterable[Claim]) -> Iterator[tuple[Claim, Claim]]:
        """Claims of a service, each with one of another that matches some of the same requests. Raises TooMany."""
        mine: Claims = Node()
        for claim in claims:
            mine.put(claim.operation.path, claim.keys, claim)
        hosts = [self._all] if not service.hosts else [self._hosts.get(host) for host in (*service.hosts, _ANY)]
        for theirs in filter(None, hosts):
            yield from _met(mine, theirs)


def _met(mine: Claims, theirs: Claims) -> Iterator[tuple[Claim, Claim]]:
    stack = [(mine, theirs)] if mine.count and theirs.count else []
    steps = 0
    while stack:
        a, b = stack.pop()
        for one in a.ends[:1]:
            yield from ((one, other) for other in b.ends if other.service.name != one.service.name)
        for one_node, other_node, _ in pairs(a, b):
            steps += 1
            stack.append((one_node, other_node))
        if steps > _MAX_STEPS:
            raise TooMany
