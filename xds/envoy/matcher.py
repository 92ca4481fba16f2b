"""Patterns with their routes -> matcher tree.

A virtual host's list of routes is scanned in order; a matcher is not. First comes a map from literal prefixes: the longest
that the path starts with is taken, and no shorter one is tried after it, so each prefix holds every template that could match a
path which starts with it. Below a prefix a tree of regexes halves the templates until one is left: `log2(n)` regexes a
request, where a list would take `n`. Templates are in the order of their rank all the way, so the first that matches wins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from envoy_data_plane.envoy.type.matcher.v3 import HttpRequestHeaderMatchInput
from envoy_data_plane.xds.core.v3 import TypedExtensionConfig
from envoy_data_plane.xds.type.matcher.v3 import (
    Matcher,
    MatcherMatcherList,
    MatcherMatcherListFieldMatcher,
    MatcherMatcherListPredicate,
    MatcherMatcherListPredicateSinglePredicate,
    MatcherMatcherTree,
    MatcherMatcherTreeMatchMap,
    MatcherOnMatch,
    RegexMatcher,
    RegexMatcherGoogleRe2,
    StringMatcher,
)

from xds.envoy.codec import any_of, shared
from xds.envoy.make import maker
from xds.envoy.templates import QUERY, Pattern, alternation, may_start

LINEAR = 2
"""So many templates are tried one by one; more are halved first."""

CHUNK = 1024
"""One regex stands for at most so many templates: RE2 gives up on programs of more than a few megabytes."""

INHERITED = 64
"""A prefix that would repeat more templates than this of shorter prefixes is left out, and its own join those."""

Action = MatcherOnMatch

L = TypeVar("L")
_tree, _matcher, _matcher_list = maker(MatcherMatcherTree), maker(Matcher), maker(MatcherMatcherList)
_field_matcher, _on_match = maker(MatcherMatcherListFieldMatcher), maker(MatcherOnMatch)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A pattern and what is done with a path that matches it."""

    pattern: Pattern
    action: Action


def matcher(groups: MatcherMatcherTreeMatchMap | None, otherwise: Action) -> Matcher:
    """The matcher of a virtual host: the group of the longest prefix, or `otherwise` where none matches."""
    if groups is None:
        return Matcher(matcher_list=None, on_no_match=otherwise)
    return _matcher(matcher_tree=_tree(input=header_input(":path"), prefix_match_map=groups), on_no_match=otherwise)


def by_prefix(leaves: Sequence[L], pattern: Callable[[L], Pattern]) -> dict[str, list[L]]:
    """The prefixes of the map, each with every leaf that a path starting with it, and with no longer one, could match."""
    kept: dict[str, list[L]] = {}
    own: dict[str, list[L]] = {}
    for leaf in leaves:
        own.setdefault(pattern(leaf).prefix, []).append(leaf)
    for prefix in sorted(own, key=lambda p: (len(p), p)):
        parent = _longest(kept, prefix)
        inherited = [leaf for leaf in kept[parent] if may_start(pattern(leaf), prefix)] if parent else []
        if parent and len(inherited) > max(INHERITED, 4 * len(own[prefix])):
            kept[parent] = _merge(kept[parent], own[prefix], pattern)
        else:
            kept[prefix] = _merge(inherited, own[prefix], pattern)
    return dict(sorted(kept.items()))


def _longest(prefixes: Mapping[str, object], text: str) -> str | None:
    """The longest of the prefixes that the text properly starts with."""
    return next((text[:n] for n in range(len(text) - 1, 0, -1) if text[:n] in prefixes), None)


def _merge(left: list[L], right: list[L], pattern: Callable[[L], Pattern]) -> list[L]:
    return sorted([*left, *right], key=lambda leaf: pattern(leaf).rank)


def tree(leaves: Sequence[Leaf]) -> Matcher:
    """The decision tree over leaves in the order of their rank. Where none matches, the enclosing matcher goes on."""
    if len(leaves) <= LINEAR:
        return _choose([(leaf.pattern.path, leaf.action) for leaf in leaves])
    if len(leaves) > CHUNK:
        chunks = [leaves[start : start + CHUNK] for start in range(0, len(leaves), CHUNK)]
        return _choose([(_any(chunk), on(tree(chunk))) for chunk in chunks])
    middle = len(leaves) // 2
    first, second = leaves[:middle], leaves[middle:]
    left = first[0].action if len(first) == 1 else on(tree(first))
    return _choose([(_any(first), left)], on(tree(second)))


def _any(leaves: Sequence[Leaf]) -> str:
    return alternation(leaf.pattern.segments for leaf in leaves)


def _choose(rows: Sequence[tuple[str, Action]], otherwise: Action | None = None) -> Matcher:
    """The action of the first row whose regex matches the path."""
    matchers = [_field_matcher(predicate=matches(":path", regex + QUERY), on_match=action) for regex, action in rows]
    return _matcher(matcher_list=_matcher_list(matchers=matchers), on_no_match=otherwise)


def on(inner: Matcher) -> MatcherOnMatch:
    """Go on with another matcher."""
    return _on_match(matcher=inner)


def matches(header: str, regex: str) -> MatcherMatcherListPredicate:
    """The predicate that a header's whole value matches a regex."""
    value = _string(safe_regex=_regex(google_re2=_RE2, regex=regex))
    return _predicate(single_predicate=_single(input=header_input(header), value_match=value))


_RE2 = shared(RegexMatcherGoogleRe2())
_predicate, _single = maker(MatcherMatcherListPredicate), maker(MatcherMatcherListPredicateSinglePredicate)
_string, _regex = maker(StringMatcher), maker(RegexMatcher)


@cache
def header_input(name: str) -> TypedExtensionConfig:
    """A request header as a matcher's input."""
    return shared(TypedExtensionConfig(name=name, typed_config=any_of(HttpRequestHeaderMatchInput(header_name=name))))
