"""A module of tests -> the same, where a test's one input is the input, and not a `with`.

regopy 1.5.2 crashes where `with` replaces the input of a rule that refers to others; decisions never do that, they have an
input. So a test whose every `with input as ...` says the same is asked with that as its input, worked out first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from .tokens import Kind, Token

_OPEN, _CLOSE = "([{", ")]}"
PREFIX = "sidegate_input_"


@dataclass(frozen=True, slots=True)
class _With:
    """One `with input as`: where it stands in the text, and the words of its value."""

    start: int
    end: int
    value: str


def given(text: str, tokens: Sequence[Token]) -> tuple[str, dict[str, str]]:
    """The module's text, and by test the name of the rule in it that is the test's input. Other tests stay as they are."""
    names: dict[str, str] = {}
    cut: list[_With] = []
    added: list[str] = []
    for name, part in _tests(tokens):
        found = list(_withs(text, part))
        if found and len({each.value for each in found}) == 1 and not _others(part, found):
            names[name] = f"{PREFIX}{len(added)}"
            added.append(f"{names[name]} := {found[0].value}")
            cut += found
    for each in sorted(cut, key=lambda w: -w.start):
        text = text[: each.start] + text[each.end :]
    return "\n\n".join([text, *added, ""]), names


def _tests(tokens: Sequence[Token]) -> Iterator[tuple[str, Sequence[Token]]]:
    """Each definition of a test with its tokens. A name that is defined twice is left alone: both must hold their own."""
    starts = [i for i, t in enumerate(tokens) if t.column == 1 and t.kind is Kind.NAME] + [len(tokens)]
    firsts = [tokens[i].text for i in starts[:-1]]
    for at, (begin, end) in enumerate(pairwise(starts)):
        if firsts[at].startswith("test_") and firsts.count(firsts[at]) == 1:
            yield firsts[at], tokens[begin:end]


def _withs(text: str, tokens: Sequence[Token]) -> Iterator[_With]:
    words = [t.text for t in tokens]
    for i in range(len(tokens) - 3):
        if words[i : i + 3] == ["with", "input", "as"]:
            last = _last(tokens, i + 3)
            yield _With(tokens[i].offset, tokens[last].end, text[tokens[i + 3].offset : tokens[last].end])


def _last(tokens: Sequence[Token], at: int) -> int:
    """The index of the last token of the value that begins at one: it ends with its line, outside of brackets."""
    depth = 0
    for i in range(at, len(tokens)):
        token = tokens[i]
        if depth == 0 and i > at:
            ends = token.line > tokens[i - 1].line or token.text in (";", "with", *_CLOSE) or token.kind is Kind.COMMENT
            if ends or token.kind is Kind.END:
                return i - 1
        depth += (token.text in _OPEN) - (token.text in _CLOSE)
    return len(tokens) - 1


def _others(tokens: Sequence[Token], found: Sequence[_With]) -> bool:
    """Whether a `with` replaces something else, or the input is read outside of what is replaced."""
    withs = sum(t.text == "with" for t in tokens)
    inputs = sum(t.text == "input" and t.kind is Kind.NAME for t in tokens)
    return withs != len(found) or inputs != len(found)
