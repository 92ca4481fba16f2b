"""Services -> those that claim requests which another service answers.

Whoever answers a request goes on answering it: a service is compared first by what it was served with before, then by what it
claims anew, and the newcomer is refused as a whole. Equal paths are refused in any case. Of templates that only match some
of the same requests the leftmost literal is taken, which between two services of one owner is a warning; what another
owner's contract answers is nobody else's. That holds for hosts, too: `api.example.com` takes all requests for it from
`*.example.com`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from xds.contract.paths import overlap, precedes
from xds.diagnostics import Diagnostic, Span
from xds.model import Service
from xds.source import span

from .claims import collision
from .ground import Ground, TooMany
from .outlines import Claim, Neighbours, Outlines

Finding = tuple[str, Diagnostic]
"""A service and what is said of it: an error refuses it."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Whose a service is, and its place among those that came one after the other."""

    owner: str = ""
    order: int = 0


@dataclass(frozen=True, slots=True)
class Parties:
    """What is compared: `services` as they would be served now; `previous` as they were served before this; of them, `kept`
    are not among the former and go on as they are."""

    services: Mapping[str, Service]
    previous: Mapping[str, Service]
    kept: Mapping[str, Service]
    standings: Mapping[str, Standing]
    files: Mapping[str, bytes]

    def owner(self, name: str) -> str:
        """Whose a service is."""
        return self.standings.get(name, Standing()).owner

    def in_order(self) -> list[str]:
        """Their names; who was there first comes first."""
        orders = {name: self.standings.get(name, Standing()).order for name in self.services}
        return sorted(self.services, key=lambda n: (n not in self.previous, orders[n], n))


def contested(parties: Parties, outlines: Outlines) -> list[Finding]:
    """Whose requests are claimed twice, and by whom. Codes: `path-collision`, `path-overlap`, `path-budget`."""
    if len(parties.services) + len(parties.kept) < 2:
        return []
    return list(_Contest(parties, outlines).findings())


@dataclass(slots=True)
class _Contest:
    parties: Parties
    outlines: Outlines
    refused: set[str] = field(default_factory=set)
    ground: Ground = field(default_factory=Ground)
    told: set[frozenset[str]] = field(default_factory=set)

    def findings(self) -> Iterator[Finding]:
        services, kept = self.parties.services, self.parties.kept
        self.ground = Ground(any(service.hosts for service in (*services.values(), *kept.values())))
        yield from self._hosts()
        near = self._near([*services.values(), *kept.values()])
        for name in sorted(near.keys() & kept.keys()):
            self.ground.add(near[name])
        names = [name for name in self.parties.in_order() if name in near]
        claims = {name: self._parted(services[name], near[name]) for name in names}
        for part in (0, 1):
            for name in names:
                if name not in self.refused:
                    yield from self._against(services[name], claims[name][part])

    def _near(self, services: Iterable[Service]) -> Mapping[str, list[Claim]]:
        """The claims of versions that may share requests with another service: most have a base path of their own."""
        neighbours = Neighbours()
        each = [(service, version, self.outlines.of(version)) for service in services for version in service.versions]
        for service, _, outline in each:
            neighbours.add(service, outline)
        near: dict[str, list[Claim]] = {}
        for service, version, outline in each:
            if neighbours.beside(service, outline):
                claims = (Claim(keys, service, version, operation) for keys, operation in outline.paths.values())
                near.setdefault(service.name, []).extend(claims)
        return near

    def _parted(self, service: Service, claims: list[Claim]) -> tuple[list[Claim], list[Claim]]:
        """The claims that the service was served with before, and those that are new: all of them on a host that is."""
        before = self.parties.previous.get(service.name)
        if before is None or (before.hosts and not set(service.hosts or ("",)) <= set(before.hosts)):
            return [], claims
        known = set().union(*(self.outlines.former(version) for version in before.versions))
        return [c for c in claims if c.keys in known], [c for c in claims if c.keys not in known]

    def _against(self, service: Service, claims: list[Claim]) -> Iterator[Finding]:
        """What a service claims of those before it; what nobody has is its own from here on."""
        try:
            for mine, theirs in self.ground.met_by(service, claims):
                if (problem := self._problem(mine, theirs)) is None:
                    continue
                yield service.name, problem
                if problem.is_error:
                    self.refused.add(service.name)
                    return
        except TooMany:
            self.refused.add(service.name)
            yield service.name, self._too_many(claims[0])
            return
        self.ground.add(claims)

    def _problem(self, mine: Claim, theirs: Claim) -> Diagnostic | None:
        """What is said of two claims; of two services of one owner whose paths only overlap it is said once."""
        names = frozenset((mine.service.name, theirs.service.name))
        if mine.keys == theirs.keys:
            return collision((mine.version, mine.operation), (theirs.version, theirs.operation), self.parties.files)
        if self.parties.owner(mine.service.name) != self.parties.owner(theirs.service.name):
            return self._taken(mine, theirs)
        if names in self.told:
            return None
        self.told.add(names)
        return self._overlap(mine, theirs)

    def _taken(self, mine: Claim, theirs: Claim) -> Diagnostic:
        message = (
            f"{_named(mine)} and {_named(theirs)} both match {_example(mine, theirs)}, and somebody else has the latter"
        )
        help_ = "give the service a base path (`servers`) or a host (`hosts`) of its own"
        also = ((span(self.parties.files, theirs.operation.place), "the one that counts"),)
        return Diagnostic("path-collision", message, span(self.parties.files, mine.operation.place), help_, also)

    def _overlap(self, mine: Claim, theirs: Claim) -> Diagnostic:
        first, second = (mine, theirs) if precedes(mine.operation.path, theirs.operation.path) else (theirs, mine)
        message = f"{_named(first)} and {_named(second)} both match {_example(first, second)}"
        help_ = (
            f"{first.operation.path.text} is taken, the leftmost literal wins; give each service a base path of its own"
        )
        also = ((span(self.parties.files, first.operation.place), "this one is taken"),)
        return Diagnostic("path-overlap", message, span(self.parties.files, second.operation.place), help_, also)

    def _too_many(self, claim: Claim) -> Diagnostic:
        message = f"the paths of {claim.service.name} overlap those of other services in too many ways to be told apart"
        return Diagnostic(
            "path-budget", message, Span(claim.version.place.file, 1, 1), "give it a base path of its own"
        )

    def _hosts(self) -> Iterator[Finding]:
        """Services with a host below another owner's wildcard, or a wildcard above another owner's host."""
        hosts = Hosts()
        for service in self.parties.kept.values():
            hosts.add(service, service.hosts, self.parties.owner(service.name))
        for new in (False, True):
            for name in self.parties.in_order():
                service, owner = self.parties.services[name], self.parties.owner(name)
                mine = [host for host in service.hosts if (host in self._hosts_before(name)) is not new]
                if name in self.refused:
                    continue
                if (met := hosts.met_by(mine, owner)) is None:
                    hosts.add(service, mine, owner)
                    continue
                self.refused.add(name)
                yield name, _host_taken(service, *met)

    def _hosts_before(self, name: str) -> tuple[str, ...]:
        return self.parties.previous[name].hosts if name in self.parties.previous else ()


class Hosts:
    """Hosts that services have, and the wildcards that are above them."""

    def __init__(self) -> None:
        self._at: dict[str, dict[str, Service]] = {}
        self._below: dict[str, dict[str, tuple[str, Service]]] = {}

    def add(self, service: Service, hosts: Iterable[str], owner: str) -> None:
        """Note whose hosts are."""
        for host in hosts:
            self._at.setdefault(host, {}).setdefault(owner, service)
            for wildcard in _above(host):
                self._below.setdefault(wildcard, {}).setdefault(owner, (host, service))

    def met_by(self, hosts: Iterable[str], owner: str) -> tuple[str, str, Service] | None:
        """One of the hosts, and the host of another owner's service that is above or below it."""
        for host in hosts:
            above = ((w, each, s) for w in _above(host) for each, s in self._at.get(w, {}).items())
            below = ((h, each, s) for each, (h, s) in self._below.get(host, {}).items())
            for theirs, each, other in (*above, *below):
                if each != owner:
                    return host, theirs, other
        return None


def _above(host: str) -> Iterator[str]:
    """The wildcards that match a host, or all that a wildcard matches."""
    labels = host.removeprefix("*.").split(".")
    for at in range(1, len(labels)):
        yield "*." + ".".join(labels[at:])


def _host_taken(service: Service, host: str, taken: str, other: Service) -> Diagnostic:
    message = f"requests for {host} of {service.name} are also those of {other.name} ({taken}), which somebody else has"
    at, there = (Span(each.versions[0].place.file, 1, 1) for each in (service, other))
    help_ = "give the service a host of its own"
    return Diagnostic("path-collision", message, at, help_, ((there, "the one that counts"),))


def _named(claim: Claim) -> str:
    return f"{claim.operation.path.text} of {claim.service.name} {claim.version.name}"


def _example(one: Claim, other: Claim) -> str | None:
    return overlap(one.operation.path, other.operation.path)
