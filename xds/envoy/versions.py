"""Operations of versions that share a path -> the routes of the version that a request names, or that there is none.

The version is chosen before the method, so that 405 lists the methods of the version that is meant, and at each path that a
request could have: where the version meant does not have the path, the next template that matches is tried, as if the other
versions were not there. What matches nowhere comes to `remainder`: 404 for a version that is known, else `unknown-version`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from envoy_data_plane.xds.type.matcher.v3 import (
    Matcher,
    MatcherMatcherList,
    MatcherMatcherListFieldMatcher,
    MatcherMatcherListPredicate,
    MatcherMatcherListPredicatePredicateList,
    MatcherOnMatch,
)

from xds.envoy.codec import shared
from xds.envoy.matcher import matches, on
from xds.envoy.routed import Routed
from xds.native.versions import SLOT, VERSIONS, Choice, Kind, choice_of, newest_first

Predicate = MatcherMatcherListPredicate
Answer = Callable[[], MatcherOnMatch]


def versioned(by_method: Sequence[Routed]) -> bool:
    """Whether requests for a path name a version. All of the path's operations have one then, or none (`path-collision`)."""
    return any(routed.operation.native.version for routed in by_method)


def by_query(by_method: Sequence[Routed]) -> bool:
    """Whether the version is part of the URL."""
    choice = by_method[0].operation.native.version
    return choice is not None and choice.kind is Kind.QUERY


def chosen(
    by_method: Sequence[Routed], first: MatcherOnMatch | None, routes: Callable[[Sequence[Routed]], MatcherOnMatch]
) -> MatcherOnMatch:
    """What is done with a path: `first`, which does not depend on the version (preflights), then the version's `routes`."""
    rows = [(_preflight(), first)] if first is not None else []
    each = {routed.operation.native.version: routed.version for routed in by_method}
    versions = newest_first(each.values())
    actions = {
        choice: routes([routed for routed in by_method if routed.operation.native.version == choice])
        for version in versions
        if (choice := choice_of(version))
    }
    rows += [(predicate, actions[choice]) for predicate, choice in _predicates(tuple(actions))]
    return _tried(rows)


def remainder(siblings: Sequence[Choice], nowhere: MatcherOnMatch, unknown: MatcherOnMatch) -> MatcherOnMatch:
    """What is done with a request for a path that the version it names does not have; `siblings` are all of the service."""
    return _tried([*((predicate, nowhere) for predicate, _ in _predicates(tuple(siblings))), (_always(), unknown)])


def siblings(by_method: Sequence[Routed]) -> list[Choice]:
    """All versions of the path's service that are named in the same way, newest first."""
    one = by_method[0]
    service = next(service for service in one.gateway.services if service.name == one.version.service)
    choices = (choice_of(version) for version in newest_first(service.versions))
    mine = one.operation.native.version
    return [choice for choice in choices if choice and mine and choice.selector == mine.selector]


def told(service: str, known: Sequence[Choice]) -> dict[str, Any]:
    """What the route of `unknown-version` says: the problem document names the versions that there are."""
    return {"service": service, VERSIONS: [choice.shown for choice in known]}


def _tried(rows: Sequence[tuple[Predicate, MatcherOnMatch]]) -> MatcherOnMatch:
    """The first that holds; where none does, the enclosing matcher goes on with the next template."""
    matchers = [MatcherMatcherListFieldMatcher(predicate=predicate, on_match=action) for predicate, action in rows]
    return on(Matcher(matcher_list=MatcherMatcherList(matchers=matchers)))


@cache
def _predicates(choices: tuple[Choice, ...]) -> list[tuple[Predicate, Choice]]:
    """When a request means which version, in the order in which that is to be tried."""
    found = [row for choice in choices for row in _NAMED[choice.kind](choice)]
    # What is named with full weight goes before what is named with less; the sort is stable, so newer goes before older.
    ordered = [(predicate, choice) for _, predicate, choice in sorted(found, key=lambda row: row[0])]
    defaults = [(_unnamed(choice), choice) for choice in choices if choice.default]
    return [*((shared(predicate), choice) for predicate, choice in ordered), *defaults]


def _header(choice: Choice) -> list[tuple[int, Predicate, Choice]]:
    """Envoy joins a header that comes twice with a comma, so it names nothing."""
    return [(0, matches(choice.name, _literal(choice.value)), choice)]


def _query(choice: Choice) -> list[tuple[int, Predicate, Choice]]:
    """Once, and as it is written: services differ in which of two they take, and a name has many spellings."""
    named = rf"[^?]*\?(?:.*&)?{_literal(choice.name)}={_literal(choice.value)}(?:&.*)?"
    spelt = _spelt(choice.name)
    twice = rf"[^?]*\?(?:.*&)?{spelt}(?:=[^&]*)?&(?:.*&)?{spelt}(?:[=&].*)?"
    return [(0, _all(matches(":path", named), _not(matches(":path", twice))), choice)]


def _media_type(choice: Choice) -> list[tuple[int, Predicate, Choice]]:
    """`Accept` with full weight, then with any but none (RFC 9110, section 12.4.2), then the type of the body."""
    element, parameter = _media(choice, _literal(choice.value))
    no_accept = _not(matches("accept", _accept(*_media(choice, _ANY), _NOT_ZERO)))
    sent = matches("content-type", rf"(?i){element}{_OTHERS}{parameter}{_OTHERS}[ \t]*")
    return [
        (0, matches("accept", _accept(element, parameter, _FULL)), choice),
        (1, matches("accept", _accept(element, parameter, _LESS)), choice),
        (2, _all(no_accept, sent), choice),
    ]


_NAMED = {Kind.HEADER: _header, Kind.QUERY: _query, Kind.MEDIA_TYPE: _media_type}


def _unnamed(choice: Choice) -> Predicate:
    """That a request names no version at all."""
    match choice.kind:
        case Kind.HEADER:
            return _not(matches(choice.name, ".*"))
        case Kind.QUERY:
            return _not(matches(":path", rf"[^?]*\?(?:.*&)?{_spelt(choice.name)}(?:[=&].*)?"))
    element, parameter = _media(choice, _ANY)
    sent = matches("content-type", rf"(?i){element}{_OTHERS}{parameter}{_OTHERS}[ \t]*")
    return _all(_not(matches("accept", _accept(element, parameter, _NOT_ZERO))), _not(sent))


_ANY = r"[^ \t;,+/\"]*"
_OTHERS = r"(?:[ \t]*;[ \t]*(?:[^q \t;=,\"][^ \t;=,\"]*|q[^ \t;=,\"]+)=(?:\"[^\"]*\"|[^ \t;,\"]*))*"
"""Parameters of a media type, the weight apart."""
_FULL = r"(?:[ \t]*;[ \t]*q=1(?:\.0{0,3})?)?"
_LESS = r"[ \t]*;[ \t]*q=0?\.(?:[1-9][0-9]{0,2}|0[1-9][0-9]?|00[1-9])"
_NOT_ZERO = rf"(?:{_FULL}|{_LESS})"


def _accept(element: str, parameter: str, weight: str) -> str:
    """The regex of an `Accept` that has an element among others."""
    return rf"(?i)(?:.*,)?[ \t]*{element}{_OTHERS}{parameter}{_OTHERS}{weight}{_OTHERS}[ \t]*(?:,.*)?"


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


def _not(inner: Predicate) -> Predicate:
    return Predicate(not_matcher=inner)


def _all(*inner: Predicate) -> Predicate:
    return Predicate(and_matcher=MatcherMatcherListPredicatePredicateList(predicate=list(inner)))


@cache
def _always() -> Predicate:
    return shared(matches(":path", ".*"))


@cache
def _preflight() -> Predicate:
    """WHATWG Fetch, CORS-preflight request."""
    asks = (matches(":method", "OPTIONS"), matches("origin", ".+"), matches("access-control-request-method", ".+"))
    return shared(_all(*asks))
