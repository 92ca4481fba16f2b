"""two Revisions -> the changes between their contracts that break clients, as diagnostics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from xds.contract import Cache, compile_contract
from xds.contract.diff import CHANGES, Change, Side, differences, open_side, retired, unmatched
from xds.diagnostics import Code, Diagnostic, Severity, Span, renamed
from xds.revisions.revision import Revision
from xds.source import span


@dataclass(frozen=True, slots=True)
class Breaking(Diagnostic):
    """A change as a diagnostic. `allowed` is the reason by which the contract lets it pass, if it does."""

    operations: tuple[str, ...] = ()
    allowed: str = ""

    @property
    def row(self) -> Code:
        row = CHANGES[self.code]
        return replace(row, severity=Severity.NOTE) if self.allowed else row

    @property
    def more(self) -> Mapping[str, object]:
        return {"operations": list(self.operations), "allowed": self.allowed or None}


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was found, with the files that the spans name, and how much was compared."""

    diagnostics: tuple[Diagnostic, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    contracts: int = 0
    operations: int = 0
    added: tuple[str, ...] = ()


def compared(old: Revision, new: Revision, now: float) -> Comparison:
    """Compare every contract of the old revision with that of the same service and version in the new one; where both hold
    one contract only, their names do not matter."""
    files = {old.shown(name): data for name, data in old.files.items()}
    files |= {new.shown(name): data for name, data in new.files.items()}
    single = len(old.roots) == len(new.roots) == 1
    after = dict(zip(old.roots, new.roots.values(), strict=True)) if single else new.roots
    found: list[Diagnostic] = [renamed(d, new.shown) for d in new.problems if d.is_error]
    operations = 0
    for key, root in sorted(old.roots.items()):
        if key not in after:
            side = open_side(old.files, root, *key)
            if side is None or not retired(side, now):
                found.append(_gone(*key, old, root))
            continue
        cache = Cache()  # what both have in common is read once
        first = open_side(old.files, root, *key, cache)
        second = open_side(new.files, after[key], *key, cache)
        if first is not None and second is not None:
            found += [diagnostic(c, (old, first), (new, second)) for c in differences(first, second, now)]
            found += [renamed(f.diagnostic(new.files), new.shown) for f in unmatched(first, second)]
            operations += len(first.contract.operations)
        found += _unread(old, new, first, second, root, after[key])
    added = () if single else tuple("/".join(key) for key in sorted(new.roots.keys() - old.roots.keys()))
    return Comparison(tuple(found), files, len(old.roots), operations, added)


def diagnostic(change: Change, old: tuple[Revision, Side], new: tuple[Revision, Side]) -> Breaking:
    """A change as a diagnostic, at its place in the new contract, with that in the old one beside it."""
    before, after = (_span(place, *at) for place, at in ((change.old, old), (change.new, new)))
    help_ = f"allowed: {change.allowed}" if change.allowed else None
    return Breaking(change.id, change.told, after, help_, ((before, "before"),), change.operations, change.allowed)


def _span(place: object, revision: Revision, side: Side) -> Span:
    at = span(side.library.files, place)  # type: ignore[arg-type]
    return replace(at, file=revision.shown(at.file))


def _gone(service: str, version: str, old: Revision, before: str) -> Breaking:
    at = Span(old.shown(before), 1, 1)
    return Breaking("contract-removed", f"version {version} of {service} is gone", at)


def _unread(
    old: Revision, new: Revision, first: Side | None, second: Side | None, before: str, after: str
) -> Iterator[Diagnostic]:
    """What is wrong with the new contract; of the old one only that it could not be read at all."""
    said = compile_contract(new.files, after, service="x", version="v1").diagnostics if second is None else _of(second)
    yield from (renamed(d, new.shown) for d in said if d.is_error)
    if first is None:
        words = "the former contract cannot be read, so nothing is compared"
        yield Diagnostic("diff-unread", words, Span(old.shown(before), 1, 1))


def _of(side: Side) -> Iterator[Diagnostic]:
    """What compiling says, and references that lead nowhere where only a comparison looks."""
    yield from side.contract.diagnostics
    yield from (finding.diagnostic(side.library.files) for finding in dict.fromkeys(side.report.findings))
