"""Path -> the leaf that a matcher tree takes, by Envoy's rules; and the same without a tree."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from xds.envoy.templates import QUERY, Pattern


def walk(matcher: dict[str, Any], headers: dict[str, str]) -> str | None:
    """The name of the action that a rendered matcher takes. The longest prefix is final; regexes match the whole value;
    where nothing below matches, the enclosing matcher's `on_no_match` is taken."""
    for on in _taken(matcher, headers):
        found = str(on["action"]["name"]) if "action" in on else walk(on["matcher"], headers)
        if found is not None:
            return found
    return None


def _taken(matcher: dict[str, Any], headers: dict[str, str]) -> Iterable[dict[str, Any]]:
    if "matcher_tree" in matcher:
        rows: dict[str, Any] = matcher["matcher_tree"]["prefix_match_map"]["map"]
        found = [prefix for prefix in rows if headers[":path"].startswith(prefix)]
        if found:
            yield rows[max(found, key=len)]
    else:
        for row in matcher["matcher_list"]["matchers"]:
            if _holds(row["predicate"], headers):
                yield row["on_match"]
    if "on_no_match" in matcher:
        yield matcher["on_no_match"]


def _holds(predicate: dict[str, Any], headers: dict[str, str]) -> bool:
    if "not_matcher" in predicate:
        return not _holds(predicate["not_matcher"], headers)
    single = predicate["single_predicate"]
    value = headers[single["input"]["typed_config"]["header_name"]]
    return re.fullmatch(single["value_match"]["safe_regex"]["regex"], value) is not None


def naive(patterns: dict[str, Pattern], path: str) -> str:
    """The best of all templates that match, one after the other; `404` if none does."""
    matching = [(p.rank, name) for name, p in patterns.items() if re.fullmatch(p.path + QUERY, path)]
    return min(matching)[1] if matching else "404"
