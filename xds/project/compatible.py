"""what compiled now, the sources of what is served -> services whose contracts break the clients of what is served.

The control plane and the companion both run this on the same files, like the compiler, so that both hold on to the same form.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace

from xds.compile import Compilation, lay_out
from xds.contract import Cache
from xds.contract.diff import CHANGES, Change, Side, differences, open_side, unmatched
from xds.diagnostics import Diagnostic, Severity, Span
from xds.model import Place, Service, Version
from xds.source import Tree, span

log = logging.getLogger("sidegate")

_TOLD = 20
"""Changes of one version that are told; their number is told in any case."""
_AS_SERVED = " (as served)"


@dataclass(slots=True)
class Served:
    """The contracts of one service as they are served: the bytes of their files, and the version's root files."""

    files: Mapping[str, bytes]
    roots: Mapping[str, str]
    sides: dict[str, Side | None] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, service: Service, tree: Tree, services: Set[str]) -> Served:
        """Those of a service that has just been compiled; `services` are the names of all."""
        roots = {version.name: version.place.file for version in service.versions}
        return cls({name: tree.files[name] for name in contract_files((service,), tree, services)}, roots)

    @classmethod
    def stored(cls, service: str, files: Mapping[str, bytes]) -> Served:
        """Those in the sources that were kept of a service."""
        return cls(files, lay_out(Tree(files))[0].get(service, {}))

    def side(self, service: str, version: str) -> Side | None:
        """The contract of one version, read once."""
        if version not in self.sides:
            self.sides[version] = open_side(self.files, self.roots[version], service, version)
        return self.sides[version]


@dataclass(slots=True)
class Compatibility:
    """Remembers what is served, and holds back what breaks its clients.

    `former` gives the sources kept of a service, for the first question after a restart. `accepted` are digests that go out
    whatever they break, by `service/version`, and `withheld` those that do not: what a control plane said to a companion.
    """

    former: Callable[[str], Mapping[str, bytes] | None]
    clock: Callable[[], float] = time.time
    accepted: Mapping[str, str] = field(default_factory=dict)
    withheld: Mapping[str, str] = field(default_factory=dict)
    _served: dict[str, Served] = field(default_factory=dict)

    def judge(self, fresh: Compilation, tree: Tree, cache: Cache) -> Compilation:
        """The compilation without the services that break clients, each with diagnostics; the others are served from now on."""
        refused: dict[str, str] = {}
        said: list[Diagnostic] = []
        services = lay_out(tree)[0].keys()
        for service in fresh.gateway.services:
            now = Served.of(service, tree, services)
            broken = [] if fresh.settings.breaking else [*self._broken(service, now, tree, cache)]
            out = {f"{v.service}/{v.name}": v.digest for v, problems in broken if any(p.is_error for p in problems)}
            refused |= out
            said += [problem for _, problems in broken for problem in problems]
            if not out:
                self._take(now, service.name)
        if not said:
            return fresh
        held_back = {name.partition("/")[0] for name in refused}
        kept = tuple(s for s in fresh.gateway.services if s.name not in held_back)
        return replace(
            fresh,
            gateway=replace(fresh.gateway, services=kept),
            bundles={name: bundle for name, bundle in fresh.bundles.items() if name not in held_back},
            refused=fresh.refused | held_back,
            diagnostics=(*fresh.diagnostics, *map(tree.named, said)),
            withheld=refused,
        )

    def forget(self, service: str) -> None:
        """Ask again what is served of a service."""
        self._served.pop(service, None)

    def _take(self, now: Served, service: str) -> None:
        """What is served from now on; of equal files what is known of them stays known."""
        before = self._served.get(service)
        if before is None or before != now:
            self._served[service] = now

    def _before(self, service: str) -> Served | None:
        if service not in self._served and (files := self.former(service)) is not None:
            self._served[service] = Served.stored(service, files)
        return self._served.get(service)

    def _broken(
        self, service: Service, now: Served, tree: Tree, cache: Cache
    ) -> Iterator[tuple[Version, list[Diagnostic]]]:
        """Versions of a service that break their clients, or would if nothing allowed it."""
        served = self._before(service.name)
        for version in service.versions:
            name = f"{version.service}/{version.name}"
            if served is None or version.name not in served.roots or self.accepted.get(name) == version.digest:
                continue
            if self.withheld.get(name) == version.digest:
                yield version, [_withheld(version)]
            elif served != now and (problems := self._compared(version, served, now, tree, cache)):
                yield version, problems

    def _compared(self, version: Version, served: Served, now: Served, tree: Tree, cache: Cache) -> list[Diagnostic]:
        """What breaks. Whatever goes wrong with the question is no leave to publish."""
        try:
            old = served.side(version.service, version.name)
            new = open_side(tree.files, version.place.file, version.service, version.name, cache)
            assert old is not None, "it has been compiled"
            assert new is not None, "it has been compiled"
            changes = differences(old, new, self.clock())
        except Exception:
            log.exception("%s %s cannot be compared with what is served", version.service, version.name)
            return [_uncompared(version)]
        now.sides[version.name] = new
        found = [c for c in changes if CHANGES[c.id].severity is Severity.ERROR]
        shown = [c for c in found if not c.allowed][:_TOLD]
        said = [_refusal(change, old, tree.files, len(found)) for change in shown]
        if said:
            return [*said, *(finding.diagnostic(tree.files) for finding in unmatched(old, new))]
        return [_allowed(change, old, tree.files) for change in found[:_TOLD]]


def contract_files(served: Collection[Service], tree: Tree, services: Set[str]) -> set[str]:
    """The files that contracts of services are made of: those that were compiled, and what only their responses may lead to,
    which is in such a service's own folder or in one that is no service's. `services` are the names of all."""
    others = services - {service.name for service in served}
    names = {file for service in served for version in service.versions for file in version.files}
    for file in tree.files:
        parts = file.split("/")
        if parts[0] == "contracts" and len(parts) > 2 and parts[1] not in others:
            names.add(file)
    return names & tree.files.keys()


def _refusal(change: Change, old: Side, files: Mapping[str, bytes], count: int) -> Diagnostic:
    more = f" (one of {count})" if count > 1 else ""
    operation = f", operation: {change.operation}" if change.operation else ""
    help_ = (
        "bring it back, make it a new version, or allow it where a reviewer sees it:"
        f" x-sidegate: {{breaking: [{{id: {change.id}{operation}, reason: ...}}]}}"
    )
    message = f"{change.id}: {change.told}{more}; clients of what is served would break"
    return Diagnostic("contract-breaking", message, span(files, change.new), help_, (_served_at(change.old, old),))


def _allowed(change: Change, old: Side, files: Mapping[str, bytes]) -> Diagnostic:
    message = f"{change.id}: {change.told}; allowed: {change.allowed}"
    return Diagnostic(
        "contract-breaking-allowed", message, span(files, change.new), None, (_served_at(change.old, old),)
    )


def _uncompared(version: Version) -> Diagnostic:
    message = f"{version.service} {version.name} cannot be compared with what is served; the log says why"
    return Diagnostic("contract-breaking", message, Span(version.place.file, 1, 1))


def _withheld(version: Version) -> Diagnostic:
    message = f"the control plane holds back {version.service} {version.name}: it breaks clients of what is served"
    return Diagnostic("contract-breaking", message, Span(version.place.file, 1, 1))


def _served_at(place: Place, old: Side) -> tuple[Span, str]:
    at = span(old.library.files, place)
    return replace(at, file=at.file + _AS_SERVED), "before"
