"""Event of the decision log -> the event without what nobody may read there (OPA, "Decision Logs", masking)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from xds.compile import Compilation
from xds.model import JwtScheme
from xds.source.pointer import escape

HTTP = "/input/attributes/request/http"
PARAMS = "/input/sidegate/params"
ALWAYS = ("authorization", "cookie", "proxy-authorization")
"""Headers that hold credentials, whatever a contract says."""
HIDDEN = "***"

RULE = "system/log/mask"
"""OPA's rule that says what else is masked: pointers, or objects with `op`, `path` and `value`."""

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Mask:
    """What is taken out of every event: `pointers`, and in the text of the path the values of the `queries` of these names.

    `own` are the project's pointers: what they name is taken out wherever it stands.
    """

    pointers: tuple[str, ...] = ()
    queries: frozenset[str] = frozenset()
    own: tuple[str, ...] = ()


def mask_of(compilation: Compilation, own: Iterable[str] = ()) -> Mask:
    """The mask of a project: where its contracts carry credentials and verified claims, and its own pointers."""
    gateway = compilation.gateway
    operations = (o for s in gateway.services for v in s.versions for o in v.operations)
    credentials = {(c.place, c.name) for o in operations for a in o.security for c in a.credentials if c.place}
    headers = {name for place, name in credentials if place == "header"}
    headers |= {name.lower() for s in gateway.schemes if isinstance(s, JwtScheme) for name, _ in s.headers}
    pointers = [f"{HTTP}/headers/{escape(name)}" for name in sorted({*ALWAYS, *headers})]
    pointers += [f"{PARAMS}/{place}/{escape(name)}" for place, name in sorted(credentials)]
    queries = frozenset(name for place, name in credentials if place == "query")
    pointers += [f"/input/parsed_query/{escape(name)}" for name in sorted(queries)]
    return Mask(tuple(pointers), queries, tuple(own))


def masked(event: Event, mask: Mask) -> Event:
    """The event after the mask: what was removed is listed in `erased`, what was changed in `masked`, if there is any."""
    for pointer in mask.pointers:
        event = removed(event, pointer)
    event = _hidden(event, mask.queries)
    for pointer in mask.own:
        event = _everywhere(removed(event, pointer), event, pointer)
    return event


def _everywhere(event: Event, before: Event, pointer: str) -> Event:
    """The event without the other places of what a pointer named: a body is there as a text too, a query in the path, and
    headers and queries are parameters. `before` is the event in which it was looked for."""
    match _tokens(pointer):
        case ["input", "parsed_body", *_]:  # of what is no JSON nobody knows where it stands in the text
            named = event is not before or at(before, "/input/parsed_body") is None
            return removed(event, f"{HTTP}/body") if named and at(event, f"{HTTP}/body") else event
        case ["input", "parsed_query", name, *_]:
            return _hidden(removed(event, f"{PARAMS}/query/{escape(name)}"), frozenset((name,)))
        case ["input", "sidegate", "params", "query", name, *_]:
            return _hidden(removed(event, f"/input/parsed_query/{escape(name)}"), frozenset((name,)))
        case ["input", "attributes", "request", "http", "headers", name]:
            return removed(event, f"{PARAMS}/header/{escape(name)}")
        case ["input", "sidegate", "params", "header", name, *_]:
            return removed(event, f"{HTTP}/headers/{escape(name)}")
        case ["input", "parsed_query"] | ["input", "sidegate", "params"] | ["input", "sidegate", "params", "query"]:
            event = removed(removed(event, f"{PARAMS}/query"), "/input/parsed_query")
            path = at(event, f"{HTTP}/path")
            bare = path.partition("?")[0] if isinstance(path, str) else path
            return upserted(event, f"{HTTP}/path", bare) if bare != path else event
    return event


def _hidden(event: Event, names: frozenset[str]) -> Event:
    path = at(event, f"{HTTP}/path")
    if names and isinstance(path, str) and (hidden := _without(path, names)) != path:
        return upserted(event, f"{HTTP}/path", hidden)
    return event


def by_policy(event: Event, rules: Any) -> Event:
    """The event after what the rule said. Raises ValueError for what is no mask, so that nothing goes out half masked."""
    if isinstance(rules, Mapping) or not isinstance(rules, Iterable) or isinstance(rules, str):
        raise ValueError("the mask is no set")
    for rule in rules:
        if isinstance(rule, str):
            event = _everywhere(removed(event, _allowed(rule)), event, rule)
        elif isinstance(rule, Mapping) and isinstance(rule.get("path"), str) and rule.get("op") == "remove":
            event = _everywhere(removed(event, _allowed(rule["path"])), event, rule["path"])
        elif isinstance(rule, Mapping) and isinstance(rule.get("path"), str) and rule.get("op") == "upsert":
            event = _everywhere(upserted(event, _allowed(rule["path"]), rule.get("value")), event, rule["path"])
        else:
            raise ValueError("a mask is neither a pointer nor an object with `op` and `path`")
    return event


def _allowed(pointer: str) -> str:
    if pointer.split("/")[:2] not in (["", "input"], ["", "result"]):
        raise ValueError("a mask begins with /input or /result")
    return pointer


def removed(event: Event, pointer: str) -> Event:
    """The event without the value at a pointer; itself where there is none. No value is changed in place."""
    changed, found = _changed(event, _tokens(pointer), None, True)
    return _listed(changed, "erased", pointer) if found else event


def upserted(event: Event, pointer: str, value: Any) -> Event:
    """The event with another value at a pointer, which need not be there but for what holds it."""
    changed, found = _changed(event, _tokens(pointer), value, False)
    return _listed(changed, "masked", pointer) if found else event


def at(event: Any, pointer: str) -> Any:
    """The value at a pointer, None if there is none."""
    for token in _tokens(pointer):
        event = event.get(token) if isinstance(event, Mapping) else None
    return event


def _tokens(pointer: str) -> list[str]:
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]


def _listed(event: Event, key: str, pointer: str) -> Event:
    return {**event, key: [*event.get(key, ()), pointer]}


def _changed(value: Any, tokens: list[str], new: Any, remove: bool) -> tuple[Any, bool]:
    token, *rest = tokens
    if isinstance(value, list | tuple):
        if not token.isdigit() or int(token) >= len(value):
            return value, False
        members: dict[str, Any] = {str(index): each for index, each in enumerate(value)}
        made, found = _changed(members, tokens, new, remove)
        return list(made.values()), found
    if not isinstance(value, Mapping):
        return value, False
    if rest:
        inner, found = _changed(value[token], rest, new, remove) if token in value else (None, False)
        return ({**value, token: inner}, True) if found else (value, False)
    if not remove:
        return {**value, token: new}, True
    return {key: each for key, each in value.items() if key != token}, token in value


def _without(path: str, names: frozenset[str]) -> str:
    """A path with its query, the values of some names hidden."""
    head, mark, query = path.partition("?")
    pairs = (pair.partition("=") for pair in query.split("&"))
    shown = (f"{n}{sign}{HIDDEN if sign and unquote_plus(n) in names else v}" for n, sign, v in pairs)
    return f"{head}{mark}{'&'.join(shown)}"
