"""Outcome: what became of one test, whatever kind it is of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from xds.diagnostics import Span
from xds.policy.unit_tests import Result, Tested


class Suite(StrEnum):
    """The kinds of tests, in the order they run in."""

    EXAMPLES = "examples"
    REQUESTS = "requests"
    REGO = "rego"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One test. `group` is what it is about (`catalog/v1`, or a Rego package), `words` say in a line why it did not pass,
    `detail` shows it over more lines."""

    suite: Suite
    group: str
    name: str
    place: Span
    result: Result = Result.PASS
    words: str = ""
    detail: str = ""
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return self.result is Result.PASS


def of_rego(tested: Tested) -> Outcome:
    """A policy's unit test."""
    package, _, name = tested.rule.rpartition("/")
    words = tested.words or ("" if tested.result is Result.PASS else "the rule is not true")
    return Outcome(Suite.REGO, package.replace("/", "."), name, tested.place, tested.result, words)
