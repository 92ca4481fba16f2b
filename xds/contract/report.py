"""Findings: diagnostics whose places are not yet lines, and the questions that lead to them.

A finding keeps a `Place`, so that it stays true while its operation is reused and lines move above it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from xds.diagnostics import Diagnostic
from xds.model import Place
from xds.source import span

from .node import Node

_TYPES: dict[type, str] = {
    dict: "a mapping",
    list: "a list",
    str: "text",
    bool: "true or false",
    int: "an integer",
    float: "a number",
    type(None): "null",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """A diagnostic in the making; see `xds.diagnostics.Diagnostic`."""

    code: str
    message: str
    place: Place
    help: str | None = None
    related: tuple[tuple[Place, str], ...] = ()

    def diagnostic(self, files: Mapping[str, bytes]) -> Diagnostic:
        related = tuple((span(files, place), printable(word)) for place, word in self.related)
        help = None if self.help is None else printable(self.help)
        return Diagnostic(self.code, printable(self.message), span(files, self.place), help, related)


def printable(text: str) -> str:
    """Text with control characters, and those that change the direction of writing, as escapes; cut at 500 characters."""
    text = text if len(text) <= 500 else text[:497] + "..."
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


@dataclass(slots=True)
class Report:
    """The findings of one piece of work, in the order they were made."""

    findings: list[Finding] = field(default_factory=list)

    def add(
        self,
        code: str,
        message: str,
        at: Node | Place,
        help: str | None = None,
        related: Iterable[tuple[Node | Place, str]] = (),
    ) -> None:
        places = tuple((_place(where), word) for where, word in related)
        self.findings.append(Finding(code, message, _place(at), help, places))

    def expect(self, node: Node | None, kind: type, what: str) -> Any:
        """The node's value if it is of the type; None, after a finding `wrong-type`, if it is of another; None if absent."""
        if node is None:
            return None
        if type(node.value) is kind:
            return node.value
        found = _TYPES.get(type(node.value), "something else")
        self.add("wrong-type", f"{what} must be {_TYPES[kind]}, not {found}", node)
        return None

    def text(self, node: Node, key: str, default: str = "") -> str:
        value = self.expect(node.get(key), str, f"`{key}`")
        return default if value is None else value

    def flag(self, node: Node, key: str, default: bool = False) -> bool:
        value = self.expect(node.get(key), bool, f"`{key}`")
        return default if value is None else value

    def mapping(self, node: Node, key: str) -> Node | None:
        child = node.get(key)
        return child if self.expect(child, dict, f"`{key}`") is not None else None

    def sequence(self, node: Node, key: str) -> Node | None:
        child = node.get(key)
        return child if self.expect(child, list, f"`{key}`") is not None else None

    def fields(self, node: Node, known: frozenset[str], what: str) -> None:
        """A finding for every member of an OpenAPI object that is neither known nor an extension."""
        for key in node.value:
            if key in known or (key.startswith("x-") and not key.lower().startswith("x-sidegat")):
                continue
            child = node.get(key) or node
            if key.startswith("x-"):
                here = "is not read here" if key == "x-sidegate" else "is not a word of ours"
                self.add("extension-misplaced", f"`{key}` {here}", child, _EXTENSION_HELP)
            else:
                self.add("unknown-field", f"{what} has no field `{key}`", child, suggestion(key, known))


_EXTENSION_HELP = "`x-sidegate` stands on the document, a path item or an operation"


def suggestion(word: str, known: Iterable[str]) -> str | None:
    """`did you mean ...`, if a known word is close."""
    close = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    return f"did you mean `{close[0]}`?" if close else None


def _place(at: Node | Place) -> Place:
    return at.place if isinstance(at, Node) else at
