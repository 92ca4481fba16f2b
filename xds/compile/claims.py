"""Services -> those that claim paths of others, which no request could tell apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from xds.diagnostics import Diagnostic
from xds.model import Operation, Service, Version
from xds.native.matching import NONE, apart, conditions_of
from xds.source import span

from .compilation import Compilation


def collisions(
    services: Mapping[str, Service], previous: Compilation | None, files: Mapping[str, bytes]
) -> Iterator[tuple[str, Diagnostic]]:
    """Services that claim a path another one has, each with its diagnostic. Who is served already keeps the path."""
    served = {s.name for s in previous.gateway.services} if previous else set()
    owners: dict[str, list[_Claim]] = {}
    for name in sorted(services, key=lambda n: (n not in served, n)):
        claims = list(_claims(services[name]))
        mine: dict[str, list[_Claim]] = {}
        for claim in claims:
            others = [c for c in owners.get(claim.shape, ()) if _share_host(claim.service, c.service)]
            before = mine.setdefault(claim.shape, [])
            others += [c for c in before if c.version is not claim.version and not _apart(claim.operation, c.operation)]
            before.append(claim)
            if others:
                yield name, _collision(claim, others[0], files)
                break
        else:
            for claim in claims:
                owners.setdefault(claim.shape, []).append(claim)


@dataclass(frozen=True, slots=True)
class _Claim:
    """A path that an operation claims. `shape` is the template without its variables' names: equal shapes match alike."""

    shape: str
    service: Service
    version: Version
    operation: Operation


def _claims(service: Service) -> Iterator[_Claim]:
    for version in service.versions:
        for operation in version.operations:
            yield _Claim(shape(operation), service, version, operation)


def _apart(one: Operation, other: Operation) -> bool:
    """Whether requests for one path of two versions tell which is meant: by method, where either asks for more than that."""
    mine, theirs = conditions_of(one.native), conditions_of(other.native)
    if mine == theirs == NONE:
        return False
    named = mine.version or theirs.version  # then the version is chosen before the method
    return (not named and one.method != other.method) or apart(mine, theirs)


def _collision(claim: _Claim, other: _Claim, files: Mapping[str, bytes]) -> Diagnostic:
    mine, theirs = claim.version, other.version
    message = (
        f"{claim.operation.path.text} of {mine.service} {mine.name} is also a path of {theirs.service} {theirs.name}"
        f" ({other.operation.path.text})"
    )
    help_ = (
        "give the versions different `servers` paths, or all of them a `version` with one selector, different values and at"
        " most one default, or a `match` that tells them apart; or the services different hosts"
    )
    also = ((span(files, other.operation.place), "the other one"),)
    return Diagnostic("path-collision", message, span(files, claim.operation.place), help_, also)


def shape(operation: Operation) -> str:
    """A path template with its variables' names taken out: equal shapes match the same paths."""
    segments = ("".join(p if isinstance(p, str) else "{}" for p in s.parts) for s in operation.path.segments)
    return "/".join(segments)


def _share_host(one: Service, other: Service) -> bool:
    return not one.hosts or not other.hosts or bool(set(one.hosts) & set(other.hosts))


@dataclass(slots=True)
class Shapes:
    """The shapes of all paths, kept from one compilation to the next: most paths are as they were."""

    _known: dict[str, str] = field(default_factory=dict)

    def shared(self, services: Mapping[str, Service]) -> bool:
        """Whether a path is in two versions, whosever they are: only then are claims worth comparing."""
        versions = [version for service in services.values() for version in service.versions]
        if len(versions) < 2:
            return False
        before, self._known = self._known, {}
        paths: set[str] = set()
        count = 0
        for version in versions:
            own = {operation.path.text: operation for operation in version.operations}
            shapes = {text: before.get(text) or shape(operation) for text, operation in own.items()}
            self._known |= shapes
            distinct = set(shapes.values())
            count += len(distinct)
            paths |= distinct
        return count > len(paths)
