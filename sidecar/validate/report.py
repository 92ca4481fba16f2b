"""Report: the violations of one request, up to a cap."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sidecar.codes import CODES
from sidecar.message import Violation

from .explain import Checked

CAP = 32
_LONGEST_NAME = 64


class Report:
    """Collects violations in the order in which they are found; past `CAP` they are dropped."""

    __slots__ = ("violations",)

    def __init__(self) -> None:
        self.violations: list[Violation] = []

    def add(self, location: str, pointer: str, code: str, detail: str, schema: str | None = None) -> None:
        """Add one violation, unless it is already there; the status is that of the code's row."""
        told = (location, pointer, detail)
        if len(self.violations) < CAP and all((v.location, v.pointer, v.detail) != told for v in self.violations):
            self.violations.append(Violation(location, pointer, code, detail, CODES[code].status, schema))

    def add_findings(self, location: str, base: str, check: Checked, value: Any, size: int) -> None:
        """Add what a schema says of a value that is not valid: `base` is the value's own pointer, `size` its length."""
        for finding in check.explain(value, size):
            self.add(location, base + pointer(finding.path), finding.code, finding.detail, finding.schema)
            if len(self.violations) >= CAP:
                return


def pointer(path: Iterable[str | int]) -> str:
    """An RFC 6901 pointer. Long names, which only a request can bring, are cut."""
    return "".join(["/" + _escaped(str(step)) for step in path])


def _escaped(name: str) -> str:
    if len(name) > _LONGEST_NAME:
        name = name[: _LONGEST_NAME - 1] + "…"
    return name.replace("~", "~0").replace("/", "~1")
