"""Schema, valid value -> values with one thing wrong, each confirmed by the library's judge."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.generate.schemas import Library

Path = tuple[str | int, ...]
WRONG = {"string": 7, "integer": "seven", "number": "seven", "boolean": "maybe", "array": {"a": 1}, "object": [1]}
"""A value of another type, by the type that a schema asks for."""
GONE = object()


@dataclass(frozen=True)
class Broken:
    """A value that its schema refuses: `kind` is the problem code to expect, `at` the place of what was changed."""

    kind: str
    at: Path
    value: Any


def broken(library: Library, uri: str, value: Any) -> Iterator[Broken]:
    """Every change of one place that the judge refuses; the value itself stays as it is."""
    for kind, at, new in _changes(library, {"$ref": uri}, value, (), 0):
        changed = _changed(value, at, new)
        if not library.accepts(uri, changed):
            yield Broken(kind, at, changed)


def _changes(library: Library, schema: Any, value: Any, at: Path, depth: int) -> Iterator[tuple[str, Path, Any]]:
    if not isinstance(schema, dict) or depth > 12:
        return
    if "$ref" in schema:
        yield from _changes(library, library.schema(schema["$ref"]), value, at, depth + 1)
    yield from _of_scalar(schema, value, at)
    for part in schema.get("allOf", ()):
        yield from _changes(library, part, value, at, depth + 1)
    for word in ("oneOf", "anyOf"):
        for part in schema.get(word, ()):
            if library.accepts_part(part, value):
                yield from _changes(library, part, value, at, depth + 1)
    if isinstance(value, dict):
        yield from _of_object(library, schema, value, at, depth)
    if isinstance(value, list):
        if "minItems" in schema:
            yield "min-items", at, value[: schema["minItems"] - 1]
        if "maxItems" in schema and value and schema["maxItems"] < 200:
            yield "max-items", at, [value[0]] * (schema["maxItems"] + 1)
        for index, item in enumerate(value[:1]):
            yield from _changes(library, schema.get("items"), item, (*at, index), depth + 1)


def _of_scalar(schema: dict[str, Any], value: Any, at: Path) -> Iterator[tuple[str, Path, Any]]:
    kind = schema.get("type")
    if isinstance(kind, str) and kind in WRONG:
        yield "type", at, WRONG[kind]
    if "enum" in schema:
        yield "enum", at, "no such value"
    if "const" in schema:
        yield "const", at, "no such value"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if "minimum" in schema:
            yield "minimum", at, schema["minimum"] - 1
        if "maximum" in schema:
            yield "maximum", at, schema["maximum"] + 1
        if "multipleOf" in schema:
            yield "multiple-of", at, value + 1
    if isinstance(value, str):
        if "maxLength" in schema and schema["maxLength"] < 5000:
            yield "max-length", at, "x" * (schema["maxLength"] + 1)
        if schema.get("minLength"):
            yield "min-length", at, value[: schema["minLength"] - 1]
        if "pattern" in schema:
            yield "pattern", at, "§"
        if "format" in schema:
            yield "format", at, "§ §"


def _of_object(
    library: Library, schema: dict[str, Any], value: dict[str, Any], at: Path, depth: int
) -> Iterator[tuple[str, Path, Any]]:
    for name in schema.get("required", ()):
        yield "required", (*at, name), GONE
    if schema.get("additionalProperties") is False:
        yield "unknown-property", (*at, "no-such-property"), 1
    for name, part in schema.get("properties", {}).items():
        if isinstance(part, dict) and part.get("readOnly"):
            yield "not-allowed", (*at, name), "read only"
        elif name in value:
            yield from _changes(library, part, value[name], (*at, name), depth + 1)


def _changed(value: Any, at: Path, new: Any) -> Any:
    """A copy with one place set, or taken out."""
    if not at:
        return new
    whole = copy.deepcopy(value)
    inner = whole
    for step in at[:-1]:
        inner = inner[step]
    if new is not GONE:
        inner[at[-1]] = new
    else:
        inner.pop(at[-1], None)
    return whole
