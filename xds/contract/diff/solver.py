"""Pairs of schemas -> which of them differ, through recursion and choices, and the issues that are reached from one.

A pair is taken for the same until something shows that it is not; that then goes to all pairs that build on it. So schemas that
contain themselves end, and nothing is compared twice (a greatest fixed point).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from xds.contract.node import Node

from .change import Direction
from .found import Choice, Found, Issue, Part, Two
from .side import Side

MOST_STEPS = 200_000
"""How often one comparison of contracts looks at a pair of schemas: some seconds. Alternatives below alternatives are tried
each with each, and a control plane that compares must not be held up by them."""


@dataclass(slots=True, eq=False)
class Pair:
    """Two forms under comparison; `differs` is true once an issue is in them or in what they build on."""

    two: Two
    issues: list[Issue] = field(default_factory=list)
    parts: list[tuple[str | None, Pair]] = field(default_factory=list)
    choices: list[Open] = field(default_factory=list)
    differs: bool = False
    waiting: list[Pair | Open] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Open:
    """A choice that a pair has: the option that holds so far is at `at`."""

    choice: Choice
    pair: Pair
    at: int = -1
    exhausted: bool = False


@dataclass(frozen=True, slots=True)
class Reached:
    """An issue with the way to it from where the search began, and the nearest places known there."""

    issue: Issue
    path: tuple[str, ...]
    old: Node | None
    new: Node | None


class Solver:
    """Compares schemas of two contracts by `rules`."""

    def __init__(self, old: Side, new: Side, rules: Callable[[Two], Iterator[Found]]) -> None:
        self.old, self.new, self.rules = old, new, rules
        self._pairs: dict[tuple[int, int, Direction, bool, bool], Pair] = {}
        self._queue: deque[Pair] = deque()
        self._steps = 0

    def compare(
        self, old: tuple[Node, ...], new: tuple[Node, ...], direction: Direction, text: bool = False
    ) -> Iterator[Reached]:
        """The issues between two conjunctions of schemas and all that is below them, the nearest first, each pair once."""
        root = self._pair(old, new, direction, text, False)
        self._solve()
        return self._reached(root, old[0] if old else None, new[0] if new else None)

    def _pair(
        self, old: tuple[Node, ...], new: tuple[Node, ...], direction: Direction, text: bool, strict: bool
    ) -> Pair:
        self._steps += 1
        two = Two(self.old.form(old), self.new.form(new), direction, text, strict)
        key = (id(two.old), id(two.new), direction, text, strict)
        if (known := self._pairs.get(key)) is None:
            known = self._pairs[key] = Pair(two)
            self._queue.append(known)
        return known

    def _solve(self) -> None:
        while self._queue:
            pair = self._queue.popleft()
            if self._steps > MOST_STEPS:
                words = f"schemas would have to be compared more than {MOST_STEPS:,} times"
                pair.issues.append(Issue("not-comparable", words))
                self._differs(pair)
                continue
            for found in self.rules(pair.two):
                self._take(pair, found)

    def _take(self, pair: Pair, found: Found) -> None:
        if isinstance(found, Issue):
            pair.issues.append(found)
            self._differs(pair)
        elif isinstance(found, Part):
            part = self._part(pair, found)
            pair.parts.append((found.step, part))
            part.waiting.append(pair)
            if part.differs:
                self._differs(pair)
        else:
            opened = Open(found, pair)
            pair.choices.append(opened)
            if not self._holds(opened):
                self._differs(pair)

    def _part(self, pair: Pair, part: Part) -> Pair:
        direction = pair.two.direction.other if part.turned else pair.two.direction
        return self._pair(part.old, part.new, direction, pair.two.text, pair.two.strict or part.turned)

    def _holds(self, opened: Open) -> bool:
        """Go on to the next option that is not known to differ; whether there is one."""
        while opened.at + 1 < len(opened.choice.options):
            opened.at += 1
            parts = [self._part(opened.pair, part) for part in opened.choice.options[opened.at]]
            if not any(part.differs for part in parts):
                for part in parts:
                    part.waiting.append(opened)
                return True
        opened.exhausted = True
        return False

    def _differs(self, pair: Pair) -> None:
        waiting: list[Pair | Open] = [pair]
        while waiting:
            each = waiting.pop()
            if isinstance(each, Open):
                if not each.exhausted and self._fell(each) and not self._holds(each):
                    waiting.append(each.pair)
            elif not each.differs:
                each.differs = True
                waiting += each.waiting
                each.waiting.clear()

    def _fell(self, opened: Open) -> bool:
        """Whether the option that a choice rests on differs by now."""
        return any(self._part(opened.pair, part).differs for part in opened.choice.options[opened.at])

    def _reached(self, root: Pair, old: Node | None, new: Node | None) -> Iterator[Reached]:
        queue: deque[tuple[Pair, tuple[str, ...], Node | None, Node | None]] = deque([(root, (), old, new)])
        seen = {root} if root.differs else set()
        while queue:
            pair, path, old, new = queue.popleft()
            if not pair.differs:
                continue
            old, new = pair.two.old.at or old, pair.two.new.at or new
            shown = list(pair.parts)
            for issue in pair.issues:
                yield Reached(issue, path, old, new)
            for opened in pair.choices:
                if opened.exhausted and opened.choice.shown:
                    shown += [(part.step, self._part(pair, part)) for part in opened.choice.shown]
                elif opened.exhausted:
                    yield Reached(opened.choice.issue, path, old, new)
            for step, part in shown:
                if part.differs and part not in seen:
                    seen.add(part)
                    queue.append((part, path if step is None else (*path, step), old, new))
