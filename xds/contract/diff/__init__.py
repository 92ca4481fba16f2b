"""Two contracts -> the changes that break clients."""

from __future__ import annotations

from dataclasses import replace

from xds.contract.report import Finding

from . import allowances, operations
from .change import Change
from .comparison import Comparison
from .lifecycle import retired
from .side import Side, open_side
from .table import CHANGES

__all__ = ["CHANGES", "Change", "Side", "differences", "open_side", "retired", "unmatched"]


def differences(old: Side, new: Side, now: float) -> tuple[Change, ...]:
    """What breaks clients of the old contract that meet the new one, by operation in the old contract's order.

    A change in something that operations share is one change, with all of them. `now` is what dates of sunset are measured
    by, in seconds of the epoch.
    """
    work = Comparison(old, new, now)
    operations.compare(work)
    return _merged(work.changes)


def unmatched(old: Side, new: Side) -> tuple[Finding, ...]:
    """Entries of the new contract that are to let an operation go, and name none."""
    return tuple(allowances.unmatched(new.root, old.contract.operations, new.contract.operations))


def _merged(changes: list[Change]) -> tuple[Change, ...]:
    """Changes at the same places are one, unless one of them is allowed and the other is not."""
    found: dict[tuple[object, ...], Change] = {}
    for change in changes:
        key = (change.id, change.old, change.new, bool(change.allowed))
        first = found.get(key)
        if first is None:
            found[key] = change
        elif change.operation not in first.operations:
            found[key] = replace(first, others=(*first.others, change.operation))
    return tuple(found.values())
