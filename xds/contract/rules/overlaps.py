"""Path templates of one contract: no two alike, and a word on those of which neither is the more special one.

The rule of precedence: at the leftmost segment where two templates differ, a literal is tried before a variable
(`xds.contract.paths.precedes`). Where the two cross, as `/a/{x}/b` and `/a/c/{y}` do, that is a choice, so it is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from xds.contract.paths import overlap, precedes
from xds.contract.report import Report
from xds.contract.trie import Node, keys_of, pairs
from xds.model import PathTemplate, Place

_MAX_STEPS = 200_000
_MAX_FINDINGS = 50

_Templates = Node[PathTemplate]


def check(paths: Mapping[str, tuple[PathTemplate, Place]], report: Report) -> None:
    """Looks at path templates by their text. Codes: `path-duplicate`, `path-overlap`, `path-budget`."""
    trie: _Templates = Node()
    places = {text: place for text, (_, place) in paths.items()}
    for text, (path, place) in paths.items():
        twin, *more = trie.put(path, keys_of(path), path)
        if more:
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


class _Crossings:
    """Pairs of templates that share a path while each is the more special one somewhere.

    Walks pairs of nodes that one path leads to, with the signs of the ranks seen so far (1: the first node's branch was
    the more special, 2: the second's, 3: both). `stopped` says that there were too many to tell.
    """

    def __init__(self, trie: _Templates) -> None:
        self.trie, self.stopped = trie, False

    def __iter__(self) -> Iterator[tuple[PathTemplate, PathTemplate]]:
        stack: list[tuple[_Templates, _Templates, int]] = [(self.trie, self.trie, 0)]
        steps = found = 0
        while stack:
            a, b, sign = stack.pop()
            if sign == 3 and a.ends and b.ends:
                yield a.ends[0], b.ends[0]
                found += 1
            for one, other, bit in pairs(a, b):
                steps += 1
                if bit or one is not other or one.count > 1:
                    stack.append((one, other, sign | bit))
            if steps > _MAX_STEPS or found >= _MAX_FINDINGS:
                self.stopped = steps > _MAX_STEPS
                return
