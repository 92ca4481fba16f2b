"""`oneOf`: what matches more than one alternative is refused, so what came through must match no second one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from xds.contract.diff.fingerprint import fingerprint, matched
from xds.contract.diff.form import Form
from xds.contract.diff.found import Choice, Findings, Issue, Part, Two
from xds.contract.node import Node

from .apart import apart
from .branches import Nodes, alike, branches, combinations, common, name, pieces

_MOST = 2_500
"""Pairs of alternatives of one list that are looked at."""
_FEW = 64
"""Pairs up to which every other alternative may be the one that keeps a value out, and not its counterpart alone."""


def overlapping(two: Two, sources: Sequence[Node], target: Node) -> Findings:
    """Values of the writer's that two alternatives of one of the reader's lists may match. `sources` are the writer's lists in
    its place: a `oneOf` among them has kept such values out already."""
    if target.key != "oneOf" or len(target.value) < 2:
        return
    kept = _counterpart(two, [group for group in sources if group.key == "oneOf"], target)
    theirs = branches(two.target, target, False)
    if kept is not None:
        yield from _grown(two, kept, target, theirs)
        return
    beside = common(two.target)
    wanted = [two.target.of((*beside, *branch)) for branch in theirs]
    for mine in _written(two, sources):
        hit = _hit(mine, wanted)
        if len(hit) > 1:
            yield _exclusive(two, sources, target, [_called(theirs[index], index) for index in hit[:2]])
            return


def _counterpart(two: Two, sources: Sequence[Node], target: Node) -> Node | None:
    """The writer's `oneOf` that a list of the reader's was: one with the same content, else the first."""
    mine = fingerprint(target, two.target) if len(sources) > 1 else None
    return next((each for each in sources if mine and fingerprint(each, two.source) == mine), None) or next(
        iter(sources), None
    )


def _written(two: Two, sources: Sequence[Node]) -> list[Form]:
    """What the writer may write, alternative by alternative."""
    found = combinations(two.source, True) if sources else list(pieces(two.source.nodes, two.source))
    return [two.source.of(nodes) for nodes in found or [common(two.source)]]


def _hit(mine: Form, wanted: Sequence[Form]) -> list[int]:
    return [index for index, form in enumerate(wanted) if not apart(mine, form)]


def _called(branch: Nodes, index: int) -> str:
    return name(branch[0]) or f"number {index + 1}"


def _exclusive(two: Two, sources: Sequence[Node], target: Node, names: Sequence[str]) -> Issue:
    words = f"a value can match {' and '.join(names)} of oneOf, and " + (
        "is refused then" if two.request else "may come now"
    )
    source = sources[0] if sources else None
    if two.request:
        return Issue("became-one-of" if sources else "wrapped-in-one-of", words, source, target)
    return Issue("became-not-one-of", words, target, source)


def _grown(two: Two, source: Node, target: Node, theirs: Sequence[Nodes]) -> Findings:
    """Both sides ask for exactly one. What matches one of the writer's, and of the reader's one more than that, must match a
    second one of the writer's too, so that nobody writes it: where not, an alternative of requests has come to take in what
    another one is for, or one of answers keeps out no longer what another one was for."""
    mine = branches(two.source, source, True)
    if len(mine) * len(theirs) > _MOST:
        return
    beside = common(two.target)
    wanted = [two.target.of((*beside, *branch)) for branch in theirs]
    twins = _twins(two, mine, theirs)
    for index, branch in enumerate(mine):
        hit = _hit(two.source.of((*common(two.source), *branch)), wanted)
        others = [at for at in hit if twins.get(at) != index]
        if len(others) == len(hit):
            others = others[1:]
        for at in others:
            seconds = _seconds(index, twins.get(at), len(mine) * len(theirs) <= _FEW)
            options = tuple((_kept_out(two, mine[k], theirs[at]),) for k in seconds if k < len(mine))
            yield Choice(options, _overlap(two, (branch, index), (theirs[at], at)))


def _seconds(index: int, twin: int | None, few: bool) -> list[int]:
    """The writer's alternatives that may keep a value out beside the one at `index`, the likeliest first."""
    first = [twin] if twin is not None and twin != index else []
    return [*first, *(k for k in range(_FEW if few else 0) if k not in (index, twin))]


def _kept_out(two: Two, mine: Nodes, theirs: Nodes) -> Part:
    """All that the reader's alternative takes is in the writer's."""
    return Part(None, *((mine, theirs) if two.request else (theirs, mine)), turned=True)


def _overlap(two: Two, mine: tuple[Nodes, int], theirs: tuple[Nodes, int]) -> Issue:
    one, other = _called(*theirs), _called(*mine)
    if two.request:
        words = f"what {one} of oneOf takes now, {other} may take too, and what matches both is refused"
        return Issue("one-of-overlaps", words, mine[0][0], theirs[0][0])
    words = f"what {one} of oneOf took, {other} may take too, and what matched both could not come; now it may"
    return Issue("one-of-overlaps", words, theirs[0][0], mine[0][0])


def _twins(two: Two, mine: Sequence[Nodes], theirs: Sequence[Nodes]) -> dict[int, int]:
    """Which of the writer's alternatives each of the reader's was: of the same name, or with the same content, or in the same
    position."""
    return matched(mine, theirs, alike, partial(_equal, two), by_position=True)


def _equal(two: Two, mine: Nodes, theirs: Nodes) -> bool:
    one = fingerprint(mine[0], two.source)
    return one is not None and one == fingerprint(theirs[0], two.target)
