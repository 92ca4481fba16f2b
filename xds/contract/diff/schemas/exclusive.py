"""`oneOf`: what matches more than one alternative is refused, so what came through must match no second one."""

from __future__ import annotations

from collections.abc import Sequence

from xds.contract.diff.form import Form, canonical
from xds.contract.diff.found import Choice, Findings, Issue, Part, Two
from xds.contract.node import Node

from .apart import apart
from .branches import Nodes, alike, branches, combinations, common, name, pieces

_MOST = 2_500
"""Pairs of alternatives of one list that are looked at."""


def overlapping(two: Two, sources: Sequence[Node], target: Node) -> Findings:
    """Values of the writer's that two alternatives of one of the reader's lists may match. `sources` are the writer's lists in
    its place: a `oneOf` among them has kept such values out already."""
    if target.key != "oneOf" or len(target.value) < 2:
        return
    kept = next((group for group in sources if group.key == "oneOf"), None)
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
    """Both sides ask for exactly one: an alternative must not take in more of what another one is for."""
    mine = branches(two.source, source, True)
    if not two.request or len(mine) * len(theirs) > _MOST:
        return
    beside = common(two.target)
    wanted = [two.target.of((*beside, *branch)) for branch in theirs]
    twins = _twins(mine, theirs)
    for index, branch in enumerate(mine):
        hit = _hit(two.source.of((*common(two.source), *branch)), wanted)
        others = [at for at in hit if twins.get(at) != index]
        if len(others) == len(hit):
            others = others[1:]
        for at in others:
            names = _called(theirs[at], at), _called(branch, index)
            words = f"what {names[0]} of oneOf takes now, {names[1]} may take too, and what matches both is refused"
            issue = Issue("one-of-overlaps", words, branch[0], theirs[at][0])
            twin = twins.get(at)
            options = ((Part(None, mine[twin], theirs[at], turned=True),),) if twin is not None else ()
            yield Choice(options, issue)


def _twins(mine: Sequence[Nodes], theirs: Sequence[Nodes]) -> dict[int, int]:
    """Which of the writer's alternatives each of the reader's was: of the same name, or the same text, or the same position."""
    found: dict[int, int] = {}
    for same in (alike, _equal, None):
        for at, other in enumerate(theirs):
            free = (i for i in range(len(mine)) if i not in found.values())
            if (
                at not in found
                and (index := next((i for i in free if (same(mine[i], other) if same else i == at)), None)) is not None
            ):
                found[at] = index
    return found


def _equal(one: Nodes, other: Nodes) -> bool:
    return "$ref" not in canonical(one[0].value) and canonical(one[0].value) == canonical(other[0].value)
