"""Diagnostics -> nothing, or the refusal to test a project that does not compile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from xds.diagnostics import Diagnostic
from xds.failure import CannotRun

_TOLD = 10


def sound(root: Path, diagnostics: Iterable[Diagnostic]) -> None:
    """Raises `CannotRun` with the errors among diagnostics, a line each."""
    if errors := [each for each in diagnostics if each.is_error]:
        lines = [line for each in errors[:_TOLD] for line in _lines(each)]
        more = [f"  and {len(errors) - _TOLD} more"] if len(errors) > _TOLD else []
        raise CannotRun("\n".join([f"{root} does not compile:", *lines, *more, f"Next: sidegate check {root}"]))


def _lines(found: Diagnostic) -> Iterator[str]:
    place = f"{found.span}: " if found.span else ""
    yield f"  {place}error[{found.code}]: {found.message}"
    if found.help:
        yield f"    help: {found.help}"
