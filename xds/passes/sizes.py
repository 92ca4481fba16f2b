"""Regex -> a bound on the program that RE2 makes of it, where repetitions are spelled out and classes are ranges."""

from __future__ import annotations

import re
from functools import lru_cache

LARGEST = 24_000
"""So large a program may be. Envoy's RE2 refuses a whole configuration for one of more than some 350,000, as counted here."""

_TOKEN = re.compile(r"\\.|\[\^?(?:\\.|[^\]\\])+\]|\(\?:|\{(?P<low>\d+),?(?P<high>\d*)\}|.", re.DOTALL)
_ASCII = "".join(map(chr, range(128)))
_WIDE = 12
"""What all characters beyond ASCII are in UTF-8, in ranges of bytes."""


@lru_cache(1 << 14)
def size(regex: str) -> int:
    """No fewer than the instructions of a regex as this package writes them: groups are `(?:`, and none is counted twice."""
    outside: list[int] = []
    total = last = 0
    for token in _TOKEN.finditer(regex):
        text = token[0]
        if text == "(?:":
            outside.append(total)
            total = last = 0
        elif text == ")":
            total, last = outside.pop() + total, total
        elif token["low"]:
            times = max(1, int(token["low"]), int(token["high"] or 0))
            total += last * (times - 1) + times
        else:
            last = _width(text)
            total += last
    return total


@lru_cache(1 << 12)
def _width(token: str) -> int:
    if token[0] not in "[.":
        return len(token.encode())
    held = [re.fullmatch(token, sign) is not None for sign in _ASCII]
    ranges = sum(one and not before for before, one in zip([False, *held], held, strict=False))
    return ranges + _WIDE * (token[0] == "." or token[1] == "^")
