"""host, path, method, headers -> the operation that the proxy's routes choose, or the status that they answer with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote_plus

from pytest_sidegate.target import Target
from xds.model import Gateway, Operation, Service, Version
from xds.native.bases import Base, base_of, bases_of
from xds.native.matching import NONE
from xds.native.naming import meant
from xds.native.versions import Kind, choice_of, newest_first
from xds.paths import Pattern, matrix_names, pattern_of

Offer = tuple[Version, Operation]


@dataclass(frozen=True, slots=True)
class Chosen:
    """The operation that a request is for."""

    version: Version
    operation: Operation


@dataclass(frozen=True, slots=True)
class Unrouted:
    """No operation is: 404, 405 with the methods that the path has, or the version named is none of `versions` (400, 406).

    `operations` are those of the path, if it is one; else `base` is what it is below.
    """

    status: int
    allow: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    operations: tuple[Operation, ...] = ()
    base: Base | None = None


class Routes:
    """The routes of a gateway: a table for each host that a service names, and one for all others."""

    def __init__(self, gateway: Gateway) -> None:
        self._services = {service.name: service for service in gateway.services}
        hosts = {host for service in gateway.services for host in service.hosts}
        self._exact = {host: _Host.of(host, gateway.services) for host in hosts if not host.startswith("*.")}
        wild = sorted((host for host in hosts if host.startswith("*.")), key=len, reverse=True)
        self._wild = [(host[1:], _Host.of(host, gateway.services)) for host in wild]
        self._others = _Host.of("*", gateway.services)

    def find(self, target: Target, method: str, headers: Mapping[str, str]) -> Chosen | Unrouted:
        """The operation for a request. `headers` are by lower-case name; methods are told apart by case.

        Where versions share a path, the one that is meant is chosen first; where that has not the path, the next template is
        tried, as if the others were not there.
        """
        whole = target.path if target.query is None else f"{target.path}?{target.query}"
        named = {**headers, ":path": whole}
        passed: Sequence[Offer] | None = None
        host = self._at(target.host)
        for path, offers in host.table:
            if not path.fits(target.path):
                continue
            if not any(operation.native.version for _, operation in offers):
                return _by_method(offers, method, target.query, headers)
            if mine := _of_version(offers, named):
                return _by_method(mine, method, target.query, headers)
            passed = passed or offers
        if passed is None:
            return Unrouted(404, base=base_of(target.path, host.bases))
        return self._without_version(passed, named)

    def _without_version(self, offers: Sequence[Offer], named: Mapping[str, str]) -> Unrouted:
        """404 for a version that there is, without the path; else that there is no such version."""
        version, operation = offers[0]
        mine = operation.native.version
        known = (choice_of(each) for each in newest_first(self._services[version.service].versions))
        siblings = [choice for choice in known if choice and mine and choice.selector == mine.selector]
        if meant(siblings, named) is not None:
            return Unrouted(404, operations=tuple(operation for _, operation in offers))
        status = 406 if siblings[0].kind is Kind.MEDIA_TYPE else 400
        return Unrouted(status, versions=tuple(choice.shown for choice in siblings))

    def _at(self, host: str) -> _Host:
        if host in self._exact:
            return self._exact[host]
        wild = next((table for ending, table in self._wild if host.endswith(ending) and host != ending), None)
        return self._others if wild is None else wild


def _of_version(offers: Sequence[Offer], named: Mapping[str, str]) -> list[Offer]:
    """Those of the version that a request means."""
    versions = newest_first({version.name: version for version, _ in offers}.values())
    choice = meant([c for version in versions if (c := choice_of(version))], named)
    return [offer for offer in offers if choice is not None and offer[1].native.version == choice]


def _by_method(
    offers: Sequence[Offer], method: str, query: str | None, headers: Mapping[str, str]
) -> Chosen | Unrouted:
    mine = [offer for offer in offers if offer[1].method == method]
    for version, operation in sorted(mine, key=_conditions):
        if _meets(operation, query, headers):
            return Chosen(version, operation)
    operations = tuple(operation for _, operation in offers)
    return Unrouted(
        404 if mine else 405, () if mine else tuple(dict.fromkeys(o.method for o in operations)), operations=operations
    )


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


@dataclass(frozen=True, slots=True)
class _Host:
    """What a domain offers: its paths, the ones that win first, each with its operations by method; and its base paths."""

    table: Sequence[tuple[_Path, Sequence[Offer]]]
    bases: Sequence[Base]

    @classmethod
    def of(cls, domain: str, services: Iterable[Service]) -> _Host:
        offered = [s for s in services if not s.hosts or domain in s.hosts]
        return cls(_table(offered), bases_of(offered))


def _table(offered: Iterable[Service]) -> list[tuple[_Path, list[Offer]]]:
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
    """Whether a request is one that `match` chooses. A parameter that is there twice has no value."""
    wanted = operation.native.match or NONE
    if not all(headers.get(name) == text for name, text in wanted.headers):
        return False
    sent: dict[str, list[str]] = {}
    for pair in (query or "").split("&") if wanted.query else ():
        name, _, value = pair.partition("=")
        sent.setdefault(unquote_plus(name), []).append(unquote_plus(value))
    return all(sent.get(name) == [text] for name, text in wanted.query)
