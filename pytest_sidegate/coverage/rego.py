"""Policies, their tests, the questions they were asked -> which of their lines ran, as OPA counts them.

The embedded engine does not say what it ran. OPA does: it runs the policies' own tests and, in the same run, every question
that was put to the policies while contract tests ran, whichever engine answered it then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from xds.policy.outline import outline
from xds.policy.reasons import NAMES
from xds.policy.unit_tests import coverage

from .data import Asked
from .report import Lines, Mark

MOST = 1000
"""Questions that are put again."""

_MODULE = "policies/sidegate_asked_test.rego"


def ran(files: Mapping[str, bytes], opa: Path, asked: Collection[Asked] = ()) -> tuple[Lines, ...]:
    """The lines of every policy that could run, each with whether it did. Raises `xds.policy.unit_tests.OpaError`."""
    with_asked = {**files, _MODULE: _module(sorted(asked, key=_order)[:MOST], _rules(files)).encode()}
    found = coverage(with_asked if asked else files, opa)
    return tuple(
        _lines(file, files[file].decode("utf-8-sig", "replace"), lines.lacking, lines.ran)
        for file, lines in found.items()
        if file in files
    )


def _order(asked: Asked) -> tuple[str, str]:
    return asked.rule, asked.input


def _module(asked: Iterable[Asked], known: frozenset[str]) -> str:
    """A module of tests that puts the questions, and those for the reasons beside them, as the companion does."""
    lines = ["package sidegate_asked_test", ""]
    for number, each in enumerate(asked):
        package = each.rule.rpartition("/")[0]
        rules = [r for r in (each.rule, *(f"{package}/{name}" for name in NAMES)) if r in known]
        for rule in dict.fromkeys(rules):
            question = f"data.{rule.replace('/', '.')} with input as {each.input}"
            lines.append(f"test_{number}_{rule.rpartition('/')[2]} if count([x | x := {question}]) >= 0")
    return "\n".join([*lines, ""])


def _rules(files: Mapping[str, bytes]) -> frozenset[str]:
    found: set[str] = set()
    for file, data in files.items():
        if file.startswith("policies/") and file.endswith(".rego") and not file.endswith("_test.rego"):
            read, _ = outline(file, data.decode("utf-8", "replace"))
            found.update(rule.path for rule in (read.rules if read else ()) if not rule.function)
    return frozenset(found)


def _lines(file: str, text: str, missed: Iterable[int], covered: Iterable[int]) -> Lines:
    """A line on which something ran and something did not is seen in part."""
    seen, not_seen = set(covered), set(missed)
    marks = {n: Mark.SOME if n in seen & not_seen else Mark.SEEN if n in seen else Mark.MISSED for n in seen | not_seen}
    words = {n: ("something on this line did not run" if n in seen else "did not run",) for n in not_seen}
    return Lines(file, text, dict(sorted(marks.items())), words)
