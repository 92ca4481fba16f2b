"""Law: whatever one form of a schema takes and the other does not is found, and what is the same in other words is no change.

The judge is a JSON Schema engine that the comparison has no part in: values at random, valid for whoever writes them and not
for whoever reads them. What a contract that is read by people leaves open is not made here: objects of answers that are closed,
and properties that get a name where any was taken. The chance is always the same one.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from xds.contract.diff import Side, differences, open_side

Schema = dict[str, Any]
_FILE = "contracts/things/v1.json"
_NAMES = "abk"
_SEEDS = 200
_SCALARS: tuple[Schema, ...] = (
    {},
    {"type": "string"},
    {"type": "string", "maxLength": 1},
    {"type": "string", "minLength": 2},
    {"type": "integer"},
    {"type": "integer", "minimum": 1},
    {"type": "integer", "maximum": 1},
    {"type": "number"},
    {"type": "boolean"},
    {"type": ["string", "null"]},
    {"type": ["integer", "string"]},
    {"enum": ["x", "xy", 1]},
    {"const": "x"},
    {"type": "string", "not": {"const": "x"}},
)
_PLAIN: tuple[Any, ...] = ("x", "y", "xy", "xyz", "", 0, 1, 2, -1, 1.5, True, None, [], {})


def _schema(chance: random.Random, depth: int, closed: bool) -> Schema:
    """A schema at random; `closed`: an object may be."""
    kind = (
        chance.choice(("scalar", "object", "object", "oneOf", "oneOf", "anyOf", "allOf", "ref")) if depth else "scalar"
    )
    if kind == "scalar":
        return copy.deepcopy(chance.choice(_SCALARS))
    if kind == "ref":
        return {"$ref": f"#/components/schemas/{chance.choice('CD')}"}
    if kind == "object":
        names = chance.sample(_NAMES, chance.randint(1, 3))
        made: Schema = {"type": "object", "properties": {name: _schema(chance, depth - 1, closed) for name in names}}
        if chance.random() < 0.5:
            made["required"] = chance.sample(names, chance.randint(1, len(names)))
        return made | ({"additionalProperties": False} if closed and chance.random() < 0.3 else {})
    return {kind: [_schema(chance, depth - 1, closed) for _ in range(chance.randint(1, 3))]}


def _inner(schema: Schema) -> Iterator[Schema]:
    """A schema and all that are in it, references apart."""
    yield schema
    for inner in (*schema.get("properties", {}).values(), *(p for k in _LISTS for p in schema.get(k, ()))):
        yield from _inner(inner)


_LISTS = ("oneOf", "anyOf", "allOf")


def _changed(chance: random.Random, schema: Schema, request: bool) -> Schema:
    """The schema with one change somewhere in it."""
    schema = copy.deepcopy(schema)
    at = chance.choice([*_inner(schema)])
    keyword = next((key for key in ("oneOf", "anyOf") if key in at), None)
    if keyword and chance.random() < 0.7:
        listed = at[keyword]
        if len(listed) > 1 and chance.random() < 0.5:
            listed.pop(chance.randrange(len(listed)))
        else:
            listed.insert(chance.randint(0, len(listed)), _schema(chance, 1, request))
        return schema
    if "properties" in at and chance.random() < 0.7:
        name = chance.choice([*at["properties"]])
        asked = at.pop("required", [])
        at |= {"required": [*asked, name]} if name not in asked else {}
        if request:  # an object of answers that opens is no change
            at["additionalProperties"] = not at.pop("additionalProperties", True)
        return schema
    before = copy.deepcopy(at)
    at.clear()
    at |= chance.choice(
        ({"oneOf": [before, _schema(chance, 1, request)]}, {"anyOf": [before, _schema(chance, 1, request)]})
    )
    return schema


def _in_other_words(chance: random.Random, schema: Schema, components: dict[str, Schema]) -> Schema:
    """The schema with parts extracted and inlined, and everything in another order whose order says nothing."""
    made: Schema = {}
    for key in chance.sample([*schema], len(schema)):
        value = schema[key]
        if key == "properties":
            names = chance.sample([*value], len(value))
            made[key] = {
                name: _elsewhere(chance, _in_other_words(chance, value[name], components), components) for name in names
            }
        elif key in _LISTS:
            parts = [_elsewhere(chance, _in_other_words(chance, part, components), components) for part in value]
            made[key] = chance.sample(parts, len(parts))
        else:
            made[key] = chance.sample(value, len(value)) if key in ("required", "enum") else value
    return made


def _elsewhere(chance: random.Random, schema: Schema, components: dict[str, Schema]) -> Schema:
    if chance.random() < 0.6:
        return schema
    if "$ref" in schema:
        return copy.deepcopy(components[schema["$ref"].rpartition("/")[2]])
    components[name := f"Extracted{len(components)}"] = schema
    return {"$ref": f"#/components/schemas/{name}"}


def _values(chance: random.Random) -> Iterator[Any]:
    yield from _PLAIN
    for _ in range(40):
        names = chance.sample(_NAMES + "z", chance.randint(1, 3))
        yield {n: chance.choice((*_PLAIN, {"a": chance.choice(_PLAIN)}, {"b": chance.choice(_PLAIN)})) for n in names}


def _side(schema: Schema, components: dict[str, Schema], request: bool) -> Side | None:
    """The side of a contract; None where the compiler refuses it (a schema that nothing can match, say)."""
    content = {"application/json": {"schema": schema}}
    answer = {"description": "ok"} if request else {"description": "ok", "content": content}
    operation = {"responses": {"200": answer}} | (
        {"requestBody": {"required": True, "content": content}} if request else {}
    )
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Things", "version": "1"},
        "security": [],
        "paths": {"/things": {"post": {"operationId": "make", **operation}}},
        "components": {"schemas": components},
    }
    found = open_side({_FILE: json.dumps(document).encode()}, _FILE, "things", "v1")
    return found if found is not None and not any(d.is_error for d in found.contract.diagnostics) else None


def _judge(schema: Schema, components: dict[str, Schema]) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator({"allOf": [schema], "components": {"schemas": components}})


@pytest.mark.parametrize("asked", [True, False], ids=["request", "answer"])
def test_what_one_form_takes_and_the_other_does_not_is_found(asked: bool) -> None:
    missed = {seed: found for seed in range(_SEEDS) if (found := _missed(random.Random(seed), asked))}
    assert missed == {}


def _missed(chance: random.Random, request: bool) -> list[Any]:
    """A change that nothing was said of, with values that it breaks."""
    parts = {name: _schema(chance, 1, request) for name in "CD"}
    before = _schema(chance, 3, request)
    after = _changed(chance, before, request)
    old, new = _side(before, parts, request), _side(after, parts, request)
    if old is None or new is None or differences(old, new, 0):
        return []
    writer, reader = _judge(before, parts), _judge(after, parts)
    if not request:
        writer, reader = reader, writer
    missed = [value for value in _values(chance) if writer.is_valid(value) and not reader.is_valid(value)]
    return [before, after, parts, *missed] if missed else []


@pytest.mark.parametrize("asked", [True, False], ids=["request", "answer"])
def test_the_same_in_other_words_is_no_change(asked: bool) -> None:
    wrong = {seed: found for seed in range(_SEEDS) if (found := _told(random.Random(seed), asked))}
    assert wrong == {}


def _told(chance: random.Random, request: bool) -> list[Any]:
    """What is said of a contract and its refactoring, with both."""
    parts = {name: _schema(chance, 1, request) for name in "CD"}
    before, others = _schema(chance, 2, request), copy.deepcopy(parts)
    after = _in_other_words(chance, before, others)
    old, new = _side(before, parts, request), _side(after, others, request)
    if old is None or new is None:
        return []
    found = [change.id for change in (*differences(old, new, 0), *differences(new, old, 0))]
    return [found, before, after, parts, others] if found else []


def test_changes_are_told_at_all() -> None:
    """The laws would hold too if everything, or nothing, were found."""
    told = 0
    for seed in range(_SEEDS):
        chance = random.Random(seed)
        before = _schema(chance, 2, True)
        old, new = (_side(each, {"C": {}, "D": {}}, True) for each in (before, _changed(chance, before, True)))
        told += old is not None and new is not None and bool(differences(old, new, 0))
    assert _SEEDS / 10 < told < _SEEDS * 0.9
