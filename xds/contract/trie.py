"""Path templates as a tree by segments: which of them share a path, found without comparing each with each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from xds.contract.paths import meet
from xds.model import Name, PathTemplate, Segment
from xds.paths import rank

T = TypeVar("T")
S = TypeVar("S")
Keys = tuple[str | tuple[str | None, ...], ...]


def keys_of(path: PathTemplate) -> Keys:
    """Equal for templates that differ in nothing but the names of their variables: a literal's text, or the parts of what
    is none, None for a variable."""
    return tuple(_key(segment) for segment in path.segments)


def _key(segment: Segment) -> str | tuple[str | None, ...]:
    literal = segment.literal
    return literal if literal is not None else tuple(None if isinstance(p, Name) else p for p in segment.parts)


_ROOT = Segment(("",))


@dataclass(slots=True)
class Node(Generic[T]):
    """Templates that begin alike: `count` of them, of which `ends` end here."""

    segment: Segment = _ROOT
    literals: dict[str, Node[T]] = field(default_factory=dict)
    patterns: dict[object, Node[T]] = field(default_factory=dict)
    count: int = 0
    ends: list[T] = field(default_factory=list)

    def put(self, path: PathTemplate, keys: Keys, value: T) -> list[T]:
        """Add a template, of which `keys` are those. Returns what ends there, the newcomer last."""
        node = self
        node.count += 1
        for segment, key in zip(path.segments, keys, strict=True):
            children: dict[str, Node[T]] | dict[object, Node[T]] = (
                node.literals if isinstance(key, str) else node.patterns
            )
            child = children.get(key)  # type: ignore[arg-type]
            if child is None:
                child = children[key] = Node(segment)  # type: ignore[index]
            node = child
            node.count += 1
        node.ends.append(value)
        return node.ends


def pairs(a: Node[S], b: Node[T]) -> Iterator[tuple[Node[S], Node[T], int]]:
    """Children of two nodes that one segment's text leads to, and which was the more special one there: 0 neither, 1 the
    first, 2 the second."""
    if len(a.literals) <= len(b.literals):
        texts = [text for text in a.literals if text in b.literals]
    else:
        texts = [text for text in b.literals if text in a.literals]
    for text in texts:
        yield a.literals[text], b.literals[text], 0
    for one in a.literals.values() if b.patterns else ():
        for other in b.patterns.values():
            if meet(one.segment, other.segment) is not None:
                yield one, other, 1
    for mine in a.patterns.values():
        if a is not b:
            for theirs in b.literals.values():
                if meet(mine.segment, theirs.segment) is not None:
                    yield mine, theirs, 2
        for theirs in b.patterns.values():
            if mine is theirs:
                yield mine, theirs, 0
            elif meet(mine.segment, theirs.segment) is not None:
                yield mine, theirs, 1 if rank(mine.segment) < rank(theirs.segment) else 2
