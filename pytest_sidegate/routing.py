"""host, path, method, headers -> the operation that the proxy's routes choose, or the status that they answer with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote_plus

from pytest_sidegate.target import Target
from xds.model import Gateway, Operation, Service, Version
from xds.native.matching import NONE
from xds.paths import Pattern, matrix_names, pattern_of

Offer = tuple[Version, Operation]


@dataclass(frozen=True, slots=True)
class Chosen:
    """The operation that a request is for."""

    version: Version
    operation: Operation


@dataclass(frozen=True, slots=True)
class Unrouted:
    """No operation is: 404, or 405 with the methods that the path has."""

    status: int
    allow: tuple[str, ...] = ()


class Routes:
    """The routes of a gateway: a table for each host that a service names, and one for all others."""

    def __init__(self, gateway: Gateway) -> None:
        hosts = {host for service in gateway.services for host in service.hosts}
        self._exact = {host: _table(host, gateway.services) for host in hosts if not host.startswith("*.")}
        wild = sorted((host for host in hosts if host.startswith("*.")), key=len, reverse=True)
        self._wild = [(host[1:], _table(host, gateway.services)) for host in wild]
        self._others = _table("*", gateway.services)

    def find(self, target: Target, method: str, headers: Mapping[str, str]) -> Chosen | Unrouted:
        """The operation for a request. `headers` are by lower-case name; methods are told apart by case."""
        offers = next((o for pattern, o in self._at(target.host) if pattern.fits(target.path)), ())
        if not offers:
            return Unrouted(404)
        mine = [offer for offer in offers if offer[1].method == method]
        for version, operation in sorted(mine, key=_conditions):
            if _meets(operation, target.query, headers):
                return Chosen(version, operation)
        return Unrouted(404) if mine else Unrouted(405, tuple(dict.fromkeys(o.method for _, o in offers)))

    def _at(self, host: str) -> Sequence[tuple[_Path, Sequence[Offer]]]:
        if host in self._exact:
            return self._exact[host]
        wild = next((table for ending, table in self._wild if host.endswith(ending) and host != ending), None)
        return self._others if wild is None else wild


@dataclass(frozen=True, slots=True)
class _Path:
    """A pattern, ready to be asked."""

    prefix: str
    expression: re.Pattern[str]

    @classmethod
    def of(cls, pattern: Pattern) -> _Path:
        return cls(pattern.prefix, re.compile(pattern.path))

    def fits(self, path: str) -> bool:
        return path.startswith(self.prefix) and self.expression.fullmatch(path) is not None


def _table(domain: str, services: Iterable[Service]) -> list[tuple[_Path, list[Offer]]]:
    """The paths that a domain offers, the ones that win first, each with its operations by method."""
    offered = [s for s in services if not s.hosts or domain in s.hosts]
    found: dict[tuple[str, ...], tuple[Pattern, list[Offer]]] = {}
    for version in (version for service in offered for version in service.versions):
        for operation in version.operations:
            pattern = pattern_of(operation.path, matrix_names(operation))
            found.setdefault(pattern.segments, (pattern, []))[1].append((version, operation))
    rows = sorted(found.values(), key=lambda row: row[0].rank)
    return [(_Path.of(pattern), sorted(offers, key=lambda offer: offer[1].method)) for pattern, offers in rows]


def _conditions(offer: Offer) -> int:
    """Operations with more conditions first; those with none are for all other requests."""
    return -len((offer[1].native.match or NONE).each)


def _meets(operation: Operation, query: str | None, headers: Mapping[str, str]) -> bool:
    """Whether a request is one that `match` chooses. Of a parameter that is there twice, the first counts."""
    wanted = operation.native.match or NONE
    if not all(headers.get(name) == text for name, text in wanted.headers):
        return False
    sent: dict[str, str] = {}
    for pair in (query or "").split("&") if wanted.query else ():
        name, _, value = pair.partition("=")
        sent.setdefault(unquote_plus(name), unquote_plus(value))
    return all(sent.get(name) == text for name, text in wanted.query)
