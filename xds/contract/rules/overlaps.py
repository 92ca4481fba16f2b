"""Path templates of one contract: no two alike, and a word on those of which neither is the more special one.

The rule of precedence: at the leftmost segment where two templates differ, a literal is tried before a variable
(`xds.contract.paths.precedes`). Where the two cross, as `/a/{x}/b` and `/a/c/{y}` do, that is a choice, so it is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from xds.contract.paths import meet, overlap, precedes, same
from xds.contract.report import Report
from xds.model import PathTemplate, Place, Segment
from xds.paths import rank

_MAX_STEPS = 200_000
_MAX_FINDINGS = 50


@dataclass(slots=True)
class _Node:
    """Templates that begin alike: `count` of them, of which `last` ends here."""

    segment: Segment
    literals: dict[str, _Node] = field(default_factory=dict)
    patterns: dict[object, _Node] = field(default_factory=dict)
    count: int = 0
    last: PathTemplate | None = None


def check(paths: Mapping[str, tuple[PathTemplate, Place]], report: Report) -> None:
    """Looks at path templates by their text. Codes: `path-duplicate`, `path-overlap`, `path-budget`."""
    trie = _Node(Segment(("",)))
    places = {text: place for text, (_, place) in paths.items()}
    for text, (path, place) in paths.items():
        twin = _insert(trie, path)
        if twin is not None:
            related = [(places[twin.text], "first here")]
            message = f"{text} and {twin.text} match the same requests"
            report.add("path-duplicate", message, place, "make them one path item", related)
    crossings = _Crossings(trie)
    for a, b in crossings:
        first, second = (a, b) if precedes(a, b) else (b, a)
        message = f"{first.text} and {second.text} both match {overlap(a, b)}"
        help = f"{first.text} is taken: the leftmost literal wins"
        report.add("path-overlap", message, places[second.text], help, [(places[first.text], "this one is taken")])
    if crossings.stopped:
        message = "the path templates overlap in too many ways to tell which requests they match"
        report.add("path-budget", message, next(iter(places.values())))


def _insert(trie: _Node, path: PathTemplate) -> PathTemplate | None:
    """Adds a template; returns the one that it equals, if there is one."""
    node = trie
    for segment, key in zip(path.segments, same(path), strict=True):
        node.count += 1
        literal = segment.literal
        if literal is not None:
            node = node.literals.setdefault(literal, _Node(segment))
        else:
            node = node.patterns.setdefault(key, _Node(segment))
    node.count += 1
    if node.last is None:
        node.last = path
        return None
    return node.last


class _Crossings:
    """Pairs of templates that share a path while each is the more special one somewhere.

    Walks pairs of nodes that one path leads to, with the signs of the ranks seen so far (1: the first node's branch was
    the more special, 2: the second's, 3: both). `stopped` says that there were too many to tell.
    """

    def __init__(self, trie: _Node) -> None:
        self.trie, self.stopped = trie, False

    def __iter__(self) -> Iterator[tuple[PathTemplate, PathTemplate]]:
        stack: list[tuple[_Node, _Node, int]] = [(self.trie, self.trie, 0)]
        steps = found = 0
        while stack:
            a, b, sign = stack.pop()
            if sign == 3 and a.last is not None and b.last is not None:
                yield a.last, b.last
                found += 1
            for one, other, bit in _pairs(a, b):
                steps += 1
                if bit or one is not other or one.count > 1:
                    stack.append((one, other, sign | bit))
            if steps > _MAX_STEPS or found >= _MAX_FINDINGS:
                self.stopped = steps > _MAX_STEPS
                return


def _pairs(a: _Node, b: _Node) -> Iterator[tuple[_Node, _Node, int]]:
    """Children of two nodes that one segment's text leads to."""
    few, many = (a, b) if len(a.literals) <= len(b.literals) else (b, a)
    for text in few.literals:
        if text in many.literals:
            yield a.literals[text], b.literals[text], 0
    for one in a.literals.values():
        for other in b.patterns.values():
            if meet(one.segment, other.segment) is not None:
                yield one, other, 1
    for one in a.patterns.values():
        if a is not b:
            for other in b.literals.values():
                if meet(one.segment, other.segment) is not None:
                    yield one, other, 2
        for other in b.patterns.values():
            if one is other:
                yield one, other, 0
            elif meet(one.segment, other.segment) is not None:
                yield one, other, 1 if rank(one.segment) < rank(other.segment) else 2
