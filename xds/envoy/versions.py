"""Operations of versions that share a path -> the routes of the version that a request names, or that there is none.

The version is chosen before the method, so that 405 lists the methods of the version that is meant, and at each path that a
request could have: where the version meant does not have the path, the next template that matches is tried, as if the other
versions were not there. What matches nowhere comes to `remainder`: 404 for a version that is known, else `unknown-version`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from envoy_data_plane.envoy.config.core.v3 import HeaderValue, HeaderValueOption, HeaderValueOptionHeaderAppendAction
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
from xds.native.naming import Condition, naming, several
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


def spoken(routed: Routed) -> list[HeaderValueOption]:
    """What the service is told of the choice where it could make another one: a service of several versions would answer in
    one that the request was not judged by."""
    choice = routed.operation.native.version
    if choice is None or choice.kind is Kind.QUERY:
        return []
    if choice.kind is Kind.HEADER:
        header = HeaderValue(key=choice.name, value=choice.value)
        return [HeaderValueOption(header=header, append_action=_Action.ADD_IF_ABSENT)] if choice.default else []
    accept = "request.headers['accept']"
    one = f"{accept}.matches(r'{several(choice)}') ? '{choice.name.replace(SLOT, choice.value)}' : {accept}"
    header = HeaderValue(key="accept", value=f"%CEL({one})%")
    return [HeaderValueOption(header=header, append_action=_Action.OVERWRITE_IF_EXISTS)]


_Action = HeaderValueOptionHeaderAppendAction


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
    return [(shared(_all(*map(_holds, tests))), choice) for tests, choice in naming(choices)]


def _holds(test: Condition) -> Predicate:
    there = matches(test.header, test.regex)
    return there if test.holds else _not(there)


def _not(inner: Predicate) -> Predicate:
    return Predicate(not_matcher=inner)


def _all(*inner: Predicate) -> Predicate:
    if len(inner) == 1:
        return inner[0]
    return Predicate(and_matcher=MatcherMatcherListPredicatePredicateList(predicate=list(inner)))


@cache
def _always() -> Predicate:
    return shared(matches(":path", ".*"))


@cache
def _preflight() -> Predicate:
    """WHATWG Fetch, CORS-preflight request."""
    asks = (matches(":method", "OPTIONS"), matches("origin", ".+"), matches("access-control-request-method", ".+"))
    return shared(_all(*asks))
