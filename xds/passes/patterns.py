"""A JSON Schema `pattern` -> an RE2 regex, matched whole, of the texts of plain characters in which it is found.

A request's texts are not decoded where routes are chosen, so only characters that stand for themselves count: each character
class is cut to them, which leaves exactly the pattern's texts over that alphabet. Whatever else ECMA-262 has is not read: then
there is no regex, and others judge.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

PLAIN = frozenset(f"{string.ascii_letters}{string.digits}._~:@,=-")
"""Of what a parameter may have unescaped: all but `+`, which is a space in queries."""

_ENDLESS = 1 << 16
_LONGEST = 256
_LARGEST = 1000
"""So often a regex may repeat a character in all: RE2 spells repetitions out."""
_CLASSES = {
    "d": frozenset(string.digits),
    "w": frozenset(f"{string.ascii_letters}{string.digits}_"),
    "s": frozenset(""),
}
_TOKEN = re.compile(
    r"\\(?P<escape>.)|(?P<open>\((?:\?:|\?<[A-Za-z_]\w*>)?(?!\?))|(?P<count>[*+?]|\{\d{1,3}(?:,\d{0,3})?\})\??"
    r"|\[(?P<not>\^?)(?P<set>(?:\\.|[^\]\[\\])+)\]|(?P<sign>[)|^$.])|(?P<text>[^\[\](){}*+?\\^$.|])",
    re.DOTALL,
)
_OF_SETS = re.compile(r"&&|--|~~")
"""Operations on sets where the companion's engine reads classes (Rust's regex), and ordinary characters in ECMA-262."""
_MEMBER = re.compile(r"\\(?P<escape>.)|(?P<low>[^\\])-(?P<high>[^\\])|(?P<text>[^\\])", re.DOTALL)


class _Unread(Exception):
    """Something that is not read here."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """A regex with the lengths of its texts; `one` is the class that it repeats, if it is nothing else. `size` is the number of
    classes in it once repetitions are spelled out."""

    regex: str
    least: int
    most: int
    one: str = ""
    size: int = 1


@lru_cache(1 << 12)
def plain_texts(pattern: str, least: int = 1, most: int = _ENDLESS) -> str | None:
    """The regex of texts of `least` to `most` characters, never of none; None if there is no simple one."""
    body, start, end = pattern, pattern.startswith("^"), pattern.endswith("$") and not pattern.endswith("\\$")
    body = body[start : len(body) - end]
    try:
        found = _Reading(body, top=start or end).whole()
    except _Unread:
        return None
    if not (start and end):
        beside = f"{_class(PLAIN)}*"
        found = _Piece(f"{beside * (not start)}(?:{found.regex}){beside * (not end)}", found.least, _ENDLESS)
    least = max(least, 1)
    if found.one:
        low, high = max(found.least, least), min(found.most, most, _LONGEST)
        return f"{found.one}{{{low},{high}}}" if low <= high else None
    return f"(?:{found.regex})" if found.least >= least and found.most <= most else None


class _Reading:
    """One pass over a pattern; `top` says that it is anchored, so that alternatives at its top would each be half so."""

    def __init__(self, pattern: str, *, top: bool) -> None:
        self.tokens = list(_tokens(pattern))
        self.top = top
        self.at = 0

    def whole(self) -> _Piece:
        found = self._alternatives(self.top)
        if self.at < len(self.tokens):
            raise _Unread
        return found

    def _alternatives(self, single: bool) -> _Piece:
        found = [self._sequence()]
        while self._next("sign", "|"):
            found.append(self._sequence())
        if len(found) == 1:
            return found[0]
        if single:
            raise _Unread
        regex = "|".join(each.regex for each in found)
        least, most = min(each.least for each in found), max(each.most for each in found)
        return _Piece(f"(?:{regex})", least, most, size=sum(each.size for each in found))

    def _sequence(self) -> _Piece:
        found: list[_Piece] = []
        while (atom := self._atom()) is not None:
            found.append(self._counted(atom))
        if len(found) == 1:
            return found[0]
        regex, most = "".join(e.regex for e in found), min(sum(e.most for e in found), _ENDLESS)
        return _Piece(regex, sum(e.least for e in found), most, size=sum(e.size for e in found))

    def _atom(self) -> _Piece | None:
        if self.at == len(self.tokens) or self._peek("sign", ")") or self._peek("sign", "|"):
            return None
        token = self.tokens[self.at]
        self.at += 1
        if token["open"] is not None:
            inner = self._alternatives(single=False)
            if not self._next("sign", ")"):
                raise _Unread
            return _Piece(f"(?:{inner.regex})", inner.least, inner.most, size=inner.size)
        one = _class(_characters(token))
        return _Piece(one, 1, 1, one)

    def _counted(self, atom: _Piece) -> _Piece:
        if self.at == len(self.tokens) or (count := self.tokens[self.at]["count"]) is None:
            return atom
        self.at += 1
        low, high = _COUNTS.get(count) or _bounds(count)
        size = atom.size * max(1, low, high if high < _ENDLESS else 1)
        if low > high or size > _LARGEST:
            raise _Unread
        most = min(atom.most * high, _ENDLESS)
        return _Piece(f"(?:{atom.regex}){count}", atom.least * low, most, atom.one, size)

    def _peek(self, group: str, text: str) -> bool:
        return self.at < len(self.tokens) and self.tokens[self.at][group] == text

    def _next(self, group: str, text: str) -> bool:
        found = self._peek(group, text)
        self.at += found
        return found


_COUNTS = {"*": (0, _ENDLESS), "+": (1, _ENDLESS), "?": (0, 1)}


def _bounds(count: str) -> tuple[int, int]:
    low, comma, high = count[1:-1].partition(",")
    return int(low), int(high) if high else _ENDLESS if comma else int(low)


def _tokens(pattern: str) -> Iterator[re.Match[str]]:
    at = 0
    while at < len(pattern):
        token = _TOKEN.match(pattern, at)
        if token is None:
            raise _Unread
        yield token
        at = token.end()


def _characters(token: re.Match[str]) -> frozenset[str]:
    """The plain characters that a token stands for; one that stands for none of them is not read."""
    if token["set"] is not None:
        if _OF_SETS.search(token["set"]):
            raise _Unread
        inside = frozenset().union(*map(_member, _members(token["set"])))
        found = PLAIN - inside if token["not"] else inside & PLAIN
    elif token["sign"] == ".":
        found = PLAIN
    elif token["escape"] is not None:
        found = _escaped(token["escape"]) & PLAIN
    elif token["text"] is not None:
        found = frozenset(token["text"]) & PLAIN
    else:
        raise _Unread
    if not found:
        raise _Unread
    return found


def _members(text: str) -> Iterator[re.Match[str]]:
    at = 0
    while at < len(text):
        member = _MEMBER.match(text, at)
        if member is None:
            raise _Unread
        yield member
        at = member.end()


def _member(member: re.Match[str]) -> frozenset[str]:
    if member["escape"] is not None:
        return _escaped(member["escape"])
    if member["low"] is None:
        return frozenset(member["text"])
    low, high = ord(member["low"]), ord(member["high"])
    if low > high or high > 127:
        raise _Unread
    return frozenset(map(chr, range(low, high + 1)))


def _escaped(sign: str) -> frozenset[str]:
    if sign in _CLASSES:
        return _CLASSES[sign]
    if sign.lower() in _CLASSES:
        return PLAIN - _CLASSES[sign.lower()]
    if sign.isalnum() or not sign.isascii():
        raise _Unread
    return frozenset(sign)


def _class(characters: frozenset[str]) -> str:
    """A character class that RE2 reads as it stands."""
    signs = "".join(rf"\{sign}" if sign in "-" else sign for sign in sorted(characters))
    return f"[{signs}]"
