"""Operations of two contracts -> pairs of what is the same to a client, and those that are gone."""

from __future__ import annotations

from xds.contract.paths import overlap, precedes, same
from xds.model import Operation

from . import bodies, gateway, lifecycle, parameters, responses, security, selection
from .comparison import Comparison
from .sameness import Sameness

Key = tuple[str, tuple[tuple[str | None, ...], ...]]


def compare(work: Comparison) -> None:
    """Every operation of the old contract with its successor, which has the same method and path; names of variables and
    what of a path is the base path make no difference."""
    sameness = Sameness(work.old, work.new)
    fresh = _fresh(work)
    after = {_key(operation): operation for operation in work.new.contract.operations}
    for old in work.old.contract.operations:
        new = after.get(_key(old))
        work.about(*((old,) if new is None else (old, new)))
        if new is None:
            lifecycle.removed(work, old, [o for o in after.values() if same(o.path) == same(old.path)])
            continue
        _shadowed(work, old, new, fresh)
        unchanged = _unchanged(work, sameness, old, new)
        for rule in INHERITED if unchanged else ROOMS:
            rule(work, old, new)
    work.about()
    selection.compare(work)
    security.schemes(work)
    _webhooks(work)


def _fresh(work: Comparison) -> list[Operation]:
    """An operation of each path that only the new contract has."""
    known = {same(operation.path) for operation in work.old.contract.operations}
    paths = {same(operation.path): operation for operation in work.new.contract.operations}
    return [operation for path, operation in paths.items() if path not in known]


def _shadowed(work: Comparison, old: Operation, new: Operation, fresh: list[Operation]) -> None:
    """A path that is new and tried first takes requests away: `/things/special` from `/things/{id}`."""
    for other in fresh:
        if precedes(other.path, new.path) and (example := overlap(other.path, new.path)) is not None:
            at = work.new.at(other.place)
            words = f"a request for {example} means {other.path.text} now"
            work.add("api-path-shadowed", words, old.place, at.parent or at)


def _unchanged(work: Comparison, sameness: Sameness, old: Operation, new: Operation) -> bool:
    """Whether an operation, with the parameters of its path and all that it refers to, says the same in both contracts."""
    if old.query_open != new.query_open:
        return False
    before, after = work.old.at(old.place), work.new.at(new.place)
    above = [node.parent.get("parameters") if node.parent is not None else None for node in (before, after)]
    return sameness.same(before, after) and sameness.same(*above)


INHERITED = (lifecycle.compare, security.compare, gateway.compare)
"""What is also said of operations outside of them."""
ROOMS = (*INHERITED, parameters.compare, bodies.compare, responses.compare)


def _key(operation: Operation) -> Key:
    return operation.method, same(operation.path)


def _webhooks(work: Comparison) -> None:
    """What a client was told of and is not any more."""
    before, after = work.old.root.get("webhooks"), work.new.root.get("webhooks")
    for name, node in before.members() if before is not None else ():
        if after is None or after.get(name) is None:
            work.add("webhook-removed", f"the webhook {name} is gone", node, after or work.new.root)
