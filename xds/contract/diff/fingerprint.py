"""A schema -> a text that is the same for the same schema written in another way: references, names of components, order.

It tells which parts of two lists were the same one, so that each is compared with its own; it never decides that nothing has
changed, so it may be wrong. What is too large has none.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from xds.contract.node import Node
from xds.contract.report import Report

from .form import Form, canonical

_MOST = 400
"""Values that are looked at for one text."""
_UNORDERED = frozenset({"required", "enum", "type", "allOf", "anyOf", "oneOf", "security"})
_NAMED = frozenset({"properties", "patternProperties", "dependentSchemas", "dependentRequired", "$defs"})
"""Keywords whose members are names, and no keywords."""
_SAID = frozenset({"title", "description", "example", "examples", "default", "deprecated", "$comment", "externalDocs"})
"""Keywords that no value is judged by."""

T = TypeVar("T")
S = TypeVar("S")


def fingerprint(node: Node, form: Form) -> str | None:
    """The text for a schema or a list of some, made once. `form` is one of its contract."""
    key = ("fingerprint", id(node.value))
    if key not in form.made:
        walk = _Walk(form)
        text = _text(walk.of(node, False, ()))
        form.made[key] = (text if walk.left >= 0 else None, node.value)  # with the value, so that its id stays its own
    found: str | None = form.made[key][0]
    return found


class _Walk:
    def __init__(self, form: Form) -> None:
        self.form, self.left = form, _MOST

    def of(self, node: Node, names: bool, above: tuple[int, ...]) -> Any:
        """A value as it counts. `names`: its members are names; `above` are what references have led to on the way here."""
        self.left -= 1
        if self.left < 0:
            return None
        if type(node.value) is list:
            items = [self.of(item, False, above) for item in node.items()]
            return sorted(items, key=_text) if node.key in _UNORDERED else items
        if type(node.value) is not dict:
            return canonical(node.value)
        found = {
            key: self.of(child, key in _NAMED and not names, above)
            for key, child in node.members()
            if names or key not in _SAID
        }
        text = None if names else node.value.get("$ref")
        return self._led(node, text, found, above) if isinstance(text, str) else found

    def _led(self, node: Node, text: str, beside: dict[str, Any], above: tuple[int, ...]) -> Any:
        """What a reference leads to, with what stands beside it; a place further up, where it leads back there."""
        target = self.form.library.resolve(node, text, Report())
        del beside["$ref"]
        if target is None:
            return {**beside, "$ref": text}
        mark = id(target.value)
        if mark in above:
            return {**beside, "$ref": len(above) - above.index(mark)}
        led = self.of(target, False, (*above, mark))
        return led if not beside or self.form.draft4 else {**beside, "$ref": led}


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def matched(
    one: Sequence[S], other: Sequence[T], *same: Callable[[S, T], bool], by_position: bool = False
) -> dict[int, int]:
    """Of each position of `other` that has a counterpart in `one`, its position there: by the first of the questions that any
    answers with yes, each counterpart once; `by_position`: by where they stand, where nothing else tells."""
    found: dict[int, int] = {}
    taken: set[int] = set()
    for alike in same:
        for at, theirs in enumerate(other):
            if at not in found:
                free = (index for index, mine in enumerate(one) if index not in taken and alike(mine, theirs))
                if (index := next(free, None)) is not None:
                    found[at] = index
                    taken.add(index)
    for at in range(min(len(one), len(other))) if by_position else ():
        if at not in found and at not in taken:
            found[at] = at
            taken.add(at)
    return found
