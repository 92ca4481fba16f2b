"""Choice -> tests of a request's headers: whether it names a version, and in which order that is asked.

The proxy's matchers are made of these, and whoever answers in its place without one asks the same. All regexes are of RE2's
language and match a whole value; a header that comes several times is one value, joined with commas; `:path` has the query.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from xds.native.versions import SLOT, Choice, Kind


@dataclass(frozen=True, slots=True)
class Condition:
    """That a header is there and matches, or, if it does not `hold`, that this is not so."""

    header: str
    regex: str
    holds: bool = True


Tests = tuple[Condition, ...]
"""All of them hold."""


_Row = tuple[int, Tests, Choice]


@cache
def naming(choices: tuple[Choice, ...]) -> tuple[tuple[Tests, Choice], ...]:
    """When a request means which of `choices`, the newest first among them; the first row that holds is taken."""
    found = [row for choice in choices for row in _NAMED[choice.kind](choice)]
    # What is named with full weight goes before what is named with less; the sort is stable, so newer goes before older.
    ordered = [(tests, choice) for _, tests, choice in sorted(found, key=lambda row: row[0])]
    return (*ordered, *((_unnamed(choice), choice) for choice in choices if choice.default))


def meant(choices: Sequence[Choice], headers: Mapping[str, str]) -> Choice | None:
    """The version that a request means; None if it names one that there is not, or none where none is the default."""
    return next((choice for tests, choice in naming(tuple(choices)) if all(_holds(t, headers) for t in tests)), None)


def several(choice: Choice) -> str:
    """The regex, to be found anywhere, of an `Accept` that may name more than one version. It has no apostrophe, and is short,
    since CEL takes no long ones: what it finds beyond that is for the one version that was chosen all the same."""
    before = _literal(choice.name.partition(SLOT)[0][-_TELLING:])
    return f"(?i){before}.*,.*{before}"


_TELLING = 6


def _holds(test: Condition, headers: Mapping[str, str]) -> bool:
    value = headers.get(test.header)
    return (value is not None and _compiled(test.regex).fullmatch(value) is not None) is test.holds


_compiled = cache(re.compile)


def _header(choice: Choice) -> Iterator[_Row]:
    """Envoy joins a header that comes twice with a comma, so it names nothing."""
    yield 0, (Condition(choice.name, _literal(choice.value)),), choice


def _query(choice: Choice) -> Iterator[_Row]:
    """Once, and as it is written: services differ in which of two they take, and a name has many spellings."""
    named = rf"[^?]*\?(?:.*&)?{_literal(choice.name)}={_literal(choice.value)}(?:&.*)?"
    spelt = _spelt(choice.name)
    twice = rf"[^?]*\?(?:.*&)?{spelt}(?:=[^&]*)?&(?:.*&)?{spelt}(?:[=&].*)?"
    yield 0, (Condition(":path", named), Condition(":path", twice, holds=False)), choice


def _media_type(choice: Choice) -> Iterator[_Row]:
    """`Accept` with full weight, then with any but none (RFC 9110, section 12.4.2), then the type of the body."""
    element, parameter = _media(choice, _literal(choice.value))
    yield 0, (Condition("accept", _accept(element, parameter, _FULL)),), choice
    yield 1, (Condition("accept", _accept(element, parameter, _LESS)),), choice
    yield 2, (_unaccepted(choice), Condition("content-type", _sent(element, parameter))), choice


_NAMED = {Kind.HEADER: _header, Kind.QUERY: _query, Kind.MEDIA_TYPE: _media_type}


def _unnamed(choice: Choice) -> Tests:
    """That a request names no version at all."""
    match choice.kind:
        case Kind.HEADER:
            return (Condition(choice.name, ".*", holds=False),)
        case Kind.QUERY:
            return (Condition(":path", rf"[^?]*\?(?:.*&)?{_spelt(choice.name)}(?:[=&].*)?", holds=False),)
    return (_unaccepted(choice), Condition("content-type", _sent(*_media(choice, _ANY)), holds=False))


def _unaccepted(choice: Choice) -> Condition:
    """That `Accept` names no version, of whatever name."""
    return Condition("accept", _accept(*_media(choice, _ANY), _NOT_ZERO), holds=False)


_ANY = r"[^ \t;,+/\"]*"
_OTHERS = r"(?:[ \t]*;[ \t]*(?:[^q \t;=,\"][^ \t;=,\"]*|q[^ \t;=,\"]+)=(?:\"[^\"]*\"|[^ \t;,\"]*))*"
"""Parameters of a media type, the weight apart."""
_FULL = r"(?:[ \t]*;[ \t]*q=1(?:\.0{0,3})?)?"
_LESS = r"[ \t]*;[ \t]*q=0?\.(?:[1-9][0-9]{0,2}|0[1-9][0-9]?|00[1-9])"
_NOT_ZERO = rf"(?:{_FULL}|{_LESS})"


def _accept(element: str, parameter: str, weight: str) -> str:
    """The regex of an `Accept` that has an element among others."""
    return rf"(?i)(?:.*,)?[ \t]*{element}{_OTHERS}{parameter}{_OTHERS}{weight}{_OTHERS}[ \t]*(?:,.*)?"


def _sent(element: str, parameter: str) -> str:
    """The regex of a `Content-Type`."""
    return rf"(?i){element}{_OTHERS}{parameter}{_OTHERS}[ \t]*"


def _media(choice: Choice, value: str) -> tuple[str, str]:
    """The regexes of a media type and of the parameter that has the version, which is empty if the type has."""
    whole, _, parameter = choice.name.partition(";")
    if not parameter:
        before, after = whole.split(SLOT)
        return f"{_literal(before)}{value}{_literal(after)}", ""
    element = r"[^ \t;,/]+/[^ \t;,/]+" if whole == "*/*" else _literal(whole.strip())
    name = _literal(parameter.strip().partition("=")[0])
    return element, rf"[ \t]*;[ \t]*{name}=(?:{value}|\"{value}\")"


def _literal(text: str) -> str:
    """A text as a regex; the features' schemas leave it no sign but these."""
    return "".join(char if char.isalnum() or char in "_-/~!#&%'`=" else f"\\{char}" for char in text)


def _spelt(name: str) -> str:
    """A query parameter's name with any of its signs escaped (RFC 3986, section 2.1)."""
    return "".join(f"(?:{_literal(char)}|(?i:%{ord(char):02x}))" for char in name)
