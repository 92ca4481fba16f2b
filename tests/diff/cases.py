"""Pairs of contracts, each with the ids that a comparison must find: a row of `schemas.yaml` in every place where a schema can
stand, and the rows of `operations.yaml`, which replace parts of one contract."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent
Document = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """`ids` are all that is found, errors and warnings."""

    name: str
    old: Document
    new: Document
    ids: frozenset[str]


def document(operation: Document, **more: Any) -> Document:
    """A contract of one operation, POST /things."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Things", "version": "1"},
        "security": [],
        "paths": {"/things": {"post": {"operationId": "make", **operation}}},
        **more,
    }


OK: Document = {"200": {"description": "ok"}}


def _body(schema: Any) -> Document:
    content = {"application/json": {"schema": schema}}
    return document({"requestBody": {"required": True, "content": content}, "responses": OK})


def _parameter(schema: Any, content: bool = False) -> Document:
    how = {"content": {"application/json": {"schema": schema}}} if content else {"schema": schema}
    return document({"parameters": [{"name": "which", "in": "query", **how}], "responses": OK})


def _response(schema: Any) -> Document:
    content = {"application/json": {"schema": schema}}
    return document({"responses": {"200": {"description": "ok", "content": content}}})


def _header(schema: Any) -> Document:
    headers = {"X-Which": {"required": True, "schema": schema}}
    return document({"responses": {"200": {"description": "ok", "headers": headers}}})


def _inside(schema: Any) -> Document:
    return {"type": "object", "required": ["part"], "properties": {"part": schema}}


PLACES: dict[str, Callable[[Any], Document]] = {
    "request-body": _body,
    "request-property": lambda schema: _body(_inside(schema)),
    "request-parameter": _parameter,
    "request-parameter-property": lambda schema: _parameter(_inside(schema)),
    "response-body": _response,
    "response-property": lambda schema: _response(_inside(schema)),
    "response-header": _header,
    "response-header-property": lambda schema: _header(_inside(schema)),
}


def cases() -> Iterator[Case]:
    """All pairs."""
    yield from schemas()
    yield from operations()


def schemas() -> Iterator[Case]:
    """Every row in every place of its direction; one with `harmless` in the place of `what` finds nothing.

    `ids` of a row say what it is called in a place where that is special; a row with `property` is about a member, so that it
    has the name for what is inside wherever the object is.
    """
    for row in (*yaml.safe_load((FOLDER / "schemas.yaml").read_text()), *_bounds()):
        for direction in ("request", "response"):
            if direction not in row:
                continue
            old, new = row[direction]
            for place, make in PLACES.items():
                if place.startswith(direction) and place not in row.get("not", ()):
                    stem = f"{place}-property" if row.get("property") and not place.endswith("property") else place
                    stem = stem.replace("-body-property", "-property")
                    ids = row.get("ids", {}).get(stem, f"{stem}-{row['what']}") if "what" in row else ""
                    pair = (make(old), make(new))
                    if row.get("content") and place == "request-parameter":
                        pair = (_parameter(old, True), _parameter(new, True))
                    elif row.get("content") and place == "request-parameter-property":
                        pair = (_parameter(_inside(old), True), _parameter(_inside(new), True))
                    yield Case(f"{place}: {row.get('what') or row['harmless']}", *pair, frozenset(ids.split()))


def _bounds() -> Iterator[Document]:
    """The bounds of numbers, texts, lists and objects: tighter, new, looser, gone."""
    rows = (
        ("max-length", "maxLength", {"type": "string"}, 5, 9),
        ("min-length", "minLength", {"type": "string"}, 9, 5),
        ("max-items", "maxItems", {"type": "array", "items": {"type": "string"}}, 5, 9),
        ("min-items", "minItems", {"type": "array", "items": {"type": "string"}}, 9, 5),
        ("max-properties", "maxProperties", {"type": "object"}, 5, 9),
        ("min-properties", "minProperties", {"type": "object"}, 9, 5),
        ("max", "maximum", {"type": "number"}, 5, 9),
        ("min", "minimum", {"type": "number"}, 9, 5),
        ("exclusive-max", "exclusiveMaximum", {"type": "number"}, 5, 9),
        ("exclusive-min", "exclusiveMinimum", {"type": "number"}, 9, 5),
        ("max-contains", "maxContains", {"type": "array", "contains": {"type": "string"}}, 5, 9),
        ("min-contains", "minContains", {"type": "array", "contains": {"type": "string"}}, 9, 5),
    )
    for stem, keyword, schema, tight, loose in rows:
        tighter, looser = ("decreased", "increased") if tight < loose else ("increased", "decreased")
        narrow, wide = schema | {keyword: tight}, schema | {keyword: loose}
        yield {"what": f"{stem}-{tighter}", "request": [wide, narrow]}
        yield {"what": f"{stem}-set", "request": [schema, narrow]}
        yield {"what": f"{stem}-{looser}", "response": [narrow, wide]}
        yield {"what": f"{stem}-unset", "response": [narrow, schema]}


def operations() -> Iterator[Case]:
    """The rows of `operations.yaml`: a contract of their own, or the common one, with what is replaced (null takes out)."""
    table = yaml.safe_load((FOLDER / "operations.yaml").read_text())
    for row in table["rows"]:
        base = merged(table["base"], row.get("base", {}))
        old, new = (merged(base, row.get(side, {})) for side in ("old", "new"))
        yield Case(row["name"], old, new, frozenset(row["ids"]))


def merged(one: Any, other: Any) -> Any:
    """`other` over `one`: mappings key by key, null takes out."""
    if not isinstance(one, dict) or not isinstance(other, dict):
        return copy.deepcopy(other)
    found = {key: copy.deepcopy(value) for key, value in one.items() if key not in other}
    return found | {key: merged(one.get(key), value) for key, value in other.items() if value is not None}


def unfound() -> dict[str, str]:
    """Rows of the published table that are not found under their id, each with the reason."""
    found: dict[str, str] = {}
    for reason, ids in yaml.safe_load((FOLDER / "unfound.yaml").read_text()).items():
        found |= dict.fromkeys(ids, reason)
    return found
