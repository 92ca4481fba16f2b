"""Compilation -> Plan: every operation's validators and every service's policies, found by digest, prepared once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from sidecar.scopes import twins
from sidecar.validate import Validators
from xds.compile import Compilation
from xds.handshake import KEPT
from xds.model import Operation, Version
from xds.policy.bundle import Bundle

MOST = 64
"""How many are held at the most, while no control plane says which of them routes name."""

Digests = Mapping[str, Collection[str]]


class UnknownDigest(LookupError):
    """A route names a digest, or an operation of it, that is not held: nothing may be decided by another revision's rules."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """One version as requests meet it. `operations` is by operation id."""

    version: Version
    operations: Mapping[str, Operation]
    validators: Validators

    @classmethod
    def of(cls, version: Version) -> Prepared:
        return cls(version, {o.id: o for o in version.operations}, Validators(version.schemas, version.operations))


@dataclass(frozen=True, slots=True)
class Plan:
    """What the companion judges by, whole: swapped, never changed.

    `held` maps `service/version` to its last digests, newest first; `bundles` are the policies by service; `current` are
    the versions that the project has now; `twins` the security schemes that take the same tokens (`sidecar.scopes`).
    """

    held: Mapping[str, tuple[Prepared, ...]] = field(default_factory=dict)
    bundles: Mapping[str, Bundle] = field(default_factory=dict)
    current: frozenset[str] = frozenset()
    twins: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def find(self, digest: str, version: str, operation: str) -> tuple[Prepared, Operation]:
        """The prepared version and the operation that a route names. Raises `UnknownDigest`."""
        for prepared in self.held.get(version, ()):
            if prepared.version.digest == digest and (found := prepared.operations.get(operation)):
                return prepared, found
        raise UnknownDigest(f"{version} {digest} {operation}")

    @property
    def digests(self) -> dict[str, list[str]]:
        """`service/version` -> the digests held, newest first."""
        return {name: [p.version.digest for p in held] for name, held in self.held.items()}

    @property
    def offered(self) -> dict[str, list[str]]:
        """The newest digests of what the project has now: what routes may be given from here on."""
        return {name: digests[:KEPT] for name, digests in self.digests.items() if name in self.current}

    @property
    def revisions(self) -> dict[str, str]:
        """service -> the revision of its policies."""
        return {name: bundle.revision for name, bundle in self.bundles.items()}


def next_plan(current: Plan, compilation: Compilation) -> Plan:
    """The plan after a compilation: new digests in front of all that are held; a refused service keeps its policies."""
    held = dict(current.held)
    names = {f"{v.service}/{v.name}": v for s in compilation.gateway.services for v in s.versions}
    for name, version in names.items():
        before = held.get(name, ())
        again = next((p for p in before if p.version.digest == version.digest), None)
        rest = tuple(p for p in before if p is not again)
        held[name] = ((again or Prepared.of(version)), *rest)[:MOST]
    kept = {name: current.bundles[name] for name in compilation.refused if name in current.bundles}
    return Plan(held, {**kept, **compilation.bundles}, frozenset(names), twins(compilation.gateway.schemes))


def trimmed(plan: Plan, offered: Digests, needed: Digests) -> Plan:
    """The plan without what nobody can ask for any more.

    `offered` is what a report said is held, `needed` what the control plane answered to it: the digests that routes may
    still name. Routes are only ever given digests out of the last report, so whatever is in neither can go. What was
    compiled since the report stands before the newest that it offered, and stays.
    """
    held = {}
    for name, every in plan.held.items():
        known = {*offered.get(name, ()), *needed.get(name, ())}
        since = (
            next((i for i, p in enumerate(every) if p.version.digest in known), len(every))
            if name in plan.current
            else 0
        )
        if kept := (*every[:since], *(p for p in every[since:] if p.version.digest in known)):
            held[name] = kept
    return replace(plan, held=held)
