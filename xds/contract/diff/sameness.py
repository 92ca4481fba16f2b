"""Parts of two contracts -> whether they say the same, references and all, so that nothing in them need be compared."""

from __future__ import annotations

from typing import Any

from xds.contract.node import Node
from xds.contract.report import Report

from .side import Side

_Pair = tuple[Any, str, Any, str]


class Sameness:
    """Looks at each pair of values once. Where schemas have names of their own (`$id`), nothing is taken for the same."""

    def __init__(self, old: Side, new: Side) -> None:
        self.old, self.new = old, new
        self._known: set[tuple[int, int]] = set()
        self._off = old.draft4 != new.draft4 or old.library.named() or new.library.named()

    def same(self, old: Node | None, new: Node | None) -> bool:
        """Whether two values are equal, and whatever they refer to is."""
        if old is None or new is None or self._off:
            return old is new
        seen: set[tuple[int, int]] = set()
        waiting: list[_Pair] = [(old.value, old.file, new.value, new.file)]
        while waiting:
            a, at, b, there = waiting.pop()
            if type(a) is not type(b) or at != there:
                return False
            if type(a) not in (dict, list):
                if a != b:
                    return False
                continue
            key = (id(a), id(b))
            if key in seen or key in self._known:
                continue
            seen.add(key)
            if len(a) != len(b):
                return False
            if type(a) is list:
                waiting += [(x, at, y, there) for x, y in zip(a, b, strict=True)]
                continue
            if a.keys() != b.keys() or not self._referred(a, at, b, there, waiting):
                return False
            waiting += [(value, at, b[name], there) for name, value in a.items()]
        self._known |= seen
        return True

    def _referred(self, a: dict[str, Any], at: str, b: dict[str, Any], there: str, waiting: list[_Pair]) -> bool:
        reference = a.get("$ref")
        if not isinstance(reference, str) or reference != b.get("$ref"):
            return reference == b.get("$ref")
        one = self.old.library.resolve(Node(a, at), reference, Report())
        other = self.new.library.resolve(Node(b, there), reference, Report())
        if one is None or other is None:
            return False
        waiting.append((one.value, one.file, other.value, other.file))
        return True
