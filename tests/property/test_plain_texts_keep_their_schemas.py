"""The regexes of plain texts take no text that the schema's engine refuses, and every one over their alphabet that it takes."""

from __future__ import annotations

import random
import re

import pytest

from xds.contract.schemas.patterns import found_in, refusal
from xds.passes.form import between
from xds.passes.patterns import PLAIN, plain_texts

PATTERNS = [
    "^[a-c]+$", "^a", "b$", "[0-9]", "^[A-Z]{2}[0-9]{1,3}$", "^(?:ab|c)+$", "^(red|green)$", "^\\d{4}-\\d{2}$", "^\\w+$",
    "^[^a]+$", "^.+$", "^a.c$", "a|b", "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "^\\S+$", "^[\\w.-]{2,4}$", "^(a|b){2}c?$",
    "x{3}", "^ab?$", "^[A-Za-z_][A-Za-z0-9_]*$", "^(?<y>a)(b|cd)$", "^[a\\-c]+$", "^a\\.b$", "^1+?$", "^[+-]?1$", "^=~:@,$",
]  # fmt: skip
UNREAD = [
    "^a|b$",
    "^(?=a)b$",
    "(a)\\1",
    "\\bx",
    "^$",
    "a*",
    "^a*b*$",
    "[é]",
    "^[é-ü]$",
    "^(a{100}){100}$",
    "^\\u0061$",
    "^{a}$",
]
UNREAD += [
    "^[[:alpha:]]$",
    "(?i)a",
    "^a$b",
    "^(a$|b)$",
    "\\s",
    "^[/&]$",
    "^[a-z&&\\d]+$",
    "^[a--b]$",
    "^[+--]$",
    "^[a~~b]$",
]


def _texts(made: random.Random, pattern: str) -> set[str]:
    """Short texts of the characters that the pattern is about, and of all others."""
    signs = [sign for sign in pattern if sign in PLAIN] + list("abcdx019._-AZ")
    found = {"".join(made.choices(signs, k=made.randint(1, 6))) for _ in range(150)}
    found |= {"ab" * 3, "abc", "red", "2026-01", "a.b", "xxx", "=~:@,", "AB12", "11", "-1", "acd"}
    return found | {text + made.choice(sorted(PLAIN)) for text in list(found)[:40]}


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("bounds", [(1, 1 << 16), (2, 4), (1, 64)])
def test_exactly_the_patterns_texts(pattern: str, bounds: tuple[int, int]) -> None:
    made = random.Random(pattern)
    regex = plain_texts(pattern, *bounds)
    assert regex is not None or bounds != (1, 1 << 16), "it is read"
    for text in _texts(made, pattern):
        kept = found_in(pattern, text) and bounds[0] <= len(text) <= bounds[1]
        assert regex is None or (re.fullmatch(regex, text) is not None) == kept, (regex, text)


@pytest.mark.parametrize("pattern", UNREAD)
def test_what_is_not_read_is_left_to_others(pattern: str) -> None:
    assert plain_texts(pattern) is None


def test_generated_patterns() -> None:
    made = random.Random(7)
    pieces = [
        "a",
        "b",
        "1",
        ".",
        "\\d",
        "\\w",
        "[a-c]",
        "[^b]",
        "[\\d.]",
        "(a|b1)",
        "(?:ab)",
        "-",
        "\\-",
        "_",
        "(b+|c{2})",
    ]
    counts = ["", "", "", "+", "*", "?", "{2}", "{1,2}", "{2,}", "+?"]
    read = 0
    for _ in range(600):
        body = "".join(made.choice(pieces) + made.choice(counts) for _ in range(made.randint(1, 4)))
        pattern = made.choice(["^{}$", "^{}$", "^{}", "{}$", "{}", "^({})$"]).format(body)
        if refusal(pattern) is not None:
            continue
        least, most = made.choice([(1, 1 << 16), (2, 5), (1, 8)])
        regex = plain_texts(pattern, least, most)
        read += regex is not None
        for text in list(_texts(made, pattern))[:40] if regex is not None else ():
            kept = found_in(pattern, text) and least <= len(text) <= most
            assert (re.fullmatch(regex or "", text) is not None) == kept, (pattern, regex, text)
    assert read > 200


def test_integers_in_a_range() -> None:
    made = random.Random(1)
    ranges = [(0, 0), (0, 9), (1, 100), (0, 100), (5, 5), (7, 1234), (99, 101), (100, 999), (10, 10_000), (999, 1000)]
    ranges += [tuple(sorted((made.randrange(12_000), made.randrange(12_000)))) for _ in range(40)]  # type: ignore[misc]
    for low, high in ranges:
        regex = re.compile("|".join(between(low, high)))
        assert [n for n in range(13_000) if regex.fullmatch(str(n))] == list(range(low, high + 1)), (low, high)
        assert not regex.fullmatch("")
        assert not regex.fullmatch("01")


def test_what_was_read_is_not_read_again() -> None:
    """Every operation of a version that changed is given its form anew."""
    between(17, 4711), plain_texts("^[a-c]{7}$", 1, 7)
    reads = [between.cache_info().misses, plain_texts.cache_info().misses]
    between(17, 4711), plain_texts("^[a-c]{7}$", 1, 7)
    assert [between.cache_info().misses, plain_texts.cache_info().misses] == reads
