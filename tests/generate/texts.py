"""pattern, format, lengths -> a text that fits them."""

from __future__ import annotations

import random
import re
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

FORMATS = {
    "date-time": ["2026-02-28T10:20:30Z", "2024-02-29T23:59:59.123+02:00"],
    "date": ["2026-02-28", "2024-02-29"],
    "time": ["10:20:30Z"],
    "uuid": ["123e4567-e89b-12d3-a456-426614174000", "00000000-0000-0000-0000-000000000000"],
    "email": ["ada@example.com"],
    "hostname": ["example.com", "a-1.example.org"],
    "ipv4": ["192.0.2.1"],
    "ipv6": ["2001:db8::1"],
    "uri": ["https://example.com/a?b=c#d"],
}
PLAIN = "abcXYZ0189-_"
WIDE = PLAIN + " .,:;/+&=%?#@\"'\\<>()é€中𝄞"
MANY = 4
"""How often a repetition without an end is repeated at most."""


def text(rng: random.Random, alphabet: str, least: int, most: int | None) -> str:
    """Any text of a length; short ones if the length is left open."""
    end = max(least, least + 12 if most is None else min(most, least + 12))
    return "".join(rng.choice(alphabet) for _ in range(rng.randint(least, end)))


def matching(rng: random.Random, pattern: str) -> str:
    """A text that has a match of an expression somewhere, drawn from the expression's own syntax tree."""
    return _sample(rng, _parser.parse(pattern))


def _sample(rng: random.Random, tokens: Any) -> str:
    return "".join(_token(rng, name, value) for name, value in tokens)


def _token(rng: random.Random, name: Any, value: Any) -> str:
    if name is sre.LITERAL:
        return chr(value)
    if name is sre.NOT_LITERAL:
        return "b" if chr(value) == "a" else "a"
    if name is sre.ANY:
        return rng.choice(PLAIN)
    if name is sre.IN:
        return _member(rng, value)
    if name is sre.BRANCH:
        return _sample(rng, rng.choice(value[1]))
    if name is sre.SUBPATTERN:
        return _sample(rng, value[3])
    if name in (sre.MAX_REPEAT, sre.MIN_REPEAT):
        least, most, inner = value
        count = rng.randint(least, max(least, min(int(most), least + MANY)))
        return "".join(_sample(rng, inner) for _ in range(count))
    if name is sre.AT:
        return ""
    raise NotImplementedError(f"{name} in a pattern")


def _member(rng: random.Random, items: Any) -> str:
    """One character of a class."""
    if items[0][0] is sre.NEGATE:
        inside = re.compile("[" + "".join(map(_class_text, items[1:])) + "]")
        return next(c for c in "a0-_Zb !" if not inside.match(c))
    name, value = rng.choice(items)
    if name is sre.RANGE:
        return chr(rng.randint(*value))
    if name is sre.LITERAL:
        return chr(value)
    return {sre.CATEGORY_DIGIT: "7", sre.CATEGORY_SPACE: " ", sre.CATEGORY_WORD: "w"}.get(value, "x")


def _class_text(item: Any) -> str:
    name, value = item
    if name is sre.RANGE:
        return f"{re.escape(chr(value[0]))}-{re.escape(chr(value[1]))}"
    if name is sre.LITERAL:
        return re.escape(chr(value))
    return {sre.CATEGORY_DIGIT: r"\d", sre.CATEGORY_SPACE: r"\s", sre.CATEGORY_WORD: r"\w"}[value]
