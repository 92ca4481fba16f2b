"""A node, its certificate -> the group it belongs to, or why it is given nothing."""

from __future__ import annotations

import logging
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from xds.ads.identity import EDGE, RATE_LIMIT, Identity, asked_for, refusal
from xds.ads.machine import ProtocolError
from xds.ads.messages import Node
from xds.control.groups import EVERYTHING
from xds.control.publish import Publisher
from xds.control.stand import Stand
from xds.project.project import Project
from xds.snapshot.types import LIMITS

log = logging.getLogger("sidegate")

_PEERS = 1024


@dataclass(slots=True)
class Admission:
    """Who is let in as what. `secured` are the gRPC credentials of a port that demands certificates; without them everybody
    who gets there is believed. `namespace` is the one that this control plane runs in, where there are any."""

    project: Project
    publisher: Publisher
    secured: Any = None
    namespace: str = ""
    _told: set[tuple[str, str]] = field(default_factory=set)

    def group_of(self, node: Node) -> str:
        """The group of a node, made if it is the first. Raises ProtocolError for a place that nobody may stand in."""
        name = asked_for(node)
        try:
            stand = Stand.of(node.metadata)
            return self.publisher.join(EVERYTHING if name == RATE_LIMIT else service_of(name), stand)
        except ValueError as error:
            raise ProtocolError(f"node {node.id}: {error}") from error

    def refusal(self, node: Node, identity: Identity | None) -> str:
        """Why a client is not given what it asks for; empty if it is."""
        return self.of(asked_for(node), identity)

    def of(self, name: str, identity: Identity | None) -> str:
        """Why whoever shows that certificate may not be of a service; empty if it may."""
        if self.secured is None:
            return ""
        return refusal(name, identity, self.publisher.wanted.settings.nodes, self.namespaces())

    def check(self, name: str, identity: Identity | None, peer: str) -> None:
        """Raises PermissionError, and logs it once for each peer, unless a companion of a service may be that."""
        reason = self.of(name, identity)
        if not reason:
            return
        mark = (peer.rpartition(":")[0], reason)
        if mark not in self._told:
            if len(self._told) >= _PEERS:
                self._told.clear()
            self._told.add(mark)
            log.warning("a companion at %s is refused: %s", peer, reason)
        raise PermissionError(reason)

    def namespaces(self) -> Mapping[str, str]:
        """The namespaces that services' sources came from, and that of this control plane for what stands beside it."""
        own = dict.fromkeys((EDGE, RATE_LIMIT), self.namespace) if self.namespace else {}
        return ChainMap(own, self.project.namespaces())  # not a copy: it is asked for of every follower and proxy


def service_of(name: str) -> str:
    """The service that a node or companion says it stands for; empty for all of them."""
    return EVERYTHING if name == EDGE else name


def types_of(node: Node) -> frozenset[str] | None:
    """The only types that a node is given; None for all."""
    return frozenset({LIMITS}) if asked_for(node) == RATE_LIMIT else None
