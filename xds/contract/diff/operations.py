"""Operations of two contracts -> pairs of what is the same to a client, and those that are gone."""

from __future__ import annotations

from xds.contract.paths import same
from xds.model import Operation

from . import bodies, lifecycle, parameters, responses, security
from .comparison import Comparison

Key = tuple[str, tuple[tuple[str | None, ...], ...]]


def compare(work: Comparison) -> None:
    """Every operation of the old contract with its successor, which has the same method and path; names of variables and
    what of a path is the base path make no difference."""
    after = {_key(operation): operation for operation in work.new.contract.operations}
    for old in work.old.contract.operations:
        new = after.get(_key(old))
        work.about(*((old,) if new is None else (old, new)))
        if new is None:
            lifecycle.removed(work, old, [o for o in after.values() if same(o.path) == same(old.path)])
            continue
        for rule in ROOMS:
            rule(work, old, new)
    work.about()


ROOMS = (lifecycle.compare, security.compare, parameters.compare, bodies.compare, responses.compare)


def _key(operation: Operation) -> Key:
    return operation.method, same(operation.path)
