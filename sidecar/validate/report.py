"""Report: the violations of one request, up to a cap."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sidecar.codes import CODES
from sidecar.message import Violation

from .schema import Check

CAP = 32
LARGE = 16_384
"""Bytes of text from which only the first schema violation is asked for: the engine finds all before it gives one."""

_LONGEST_NAME = 64


class Report:
    """Collects violations in the order in which they are found; past `CAP` they are dropped."""

    __slots__ = ("violations",)

    def __init__(self) -> None:
        self.violations: list[Violation] = []

    def add(self, location: str, pointer: str, code: str, detail: str, schema: str | None = None) -> None:
        """Add one violation; the status is that of the code's row."""
        if len(self.violations) < CAP:
            self.violations.append(Violation(location, pointer, code, detail, CODES[code].status, schema))

    def add_findings(self, location: str, base: str, check: Check, value: Any, size: int = 0) -> None:
        """Add what a schema says of a value that is not valid: `base` is the value's own pointer, `size` its length.

        Always adds at least one: a value that the engine calls invalid is never without a violation.
        """
        before = len(self.violations)
        for finding in check.findings(value, only_first=size >= LARGE):
            self.add(location, base + pointer(finding.path), finding.code, finding.detail, finding.schema)
            if len(self.violations) >= CAP:
                return
        if len(self.violations) == before:
            self.add(location, base, "schema", "does not match the schema")


def pointer(path: Iterable[str | int]) -> str:
    """An RFC 6901 pointer. Long names, which only a request can bring, are cut."""
    return "".join(["/" + _escaped(str(step)) for step in path])


def _escaped(name: str) -> str:
    if len(name) > _LONGEST_NAME:
        name = name[: _LONGEST_NAME - 1] + "…"
    return name.replace("~", "~0").replace("/", "~1")
