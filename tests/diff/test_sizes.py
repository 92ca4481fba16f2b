"""What has no end, and what is too large: comparisons end, and say where they have not looked."""

from __future__ import annotations

from typing import Any

import pytest

from tests.diff.cases import PLACES, Document, document
from tests.diff.test_corpus import NOW, side
from xds.contract.diff import differences, solver

OK = {"200": {"description": "ok"}}


def ids(old: Document, new: Document) -> list[str]:
    return [change.id for change in differences(side(old), side(new), NOW)]


def recursive(bound: int, far: int) -> Document:
    """Three schemas that lead to each other in a ring, the last one to itself too."""
    schemas = {
        "A": {"type": "object", "properties": {"b": {"$ref": "#/components/schemas/B"}}},
        "B": {"type": "object", "properties": {"c": {"anyOf": [{"$ref": "#/components/schemas/C"}, {"type": "null"}]}}},
        "C": {
            "type": "object",
            "properties": {
                "a": {"$ref": "#/components/schemas/A"},
                "c": {"type": "array", "items": {"$ref": "#/components/schemas/C"}},
                "size": {"type": "integer", "maximum": bound},
            },
        },
        "Far": {
            "type": "object",
            "properties": {"c": {"$ref": "#/components/schemas/C"}, "far": {"type": "string", "maxLength": far}},
        },
    }
    body = {
        "content": {"application/json": {"schema": {"oneOf": [{"$ref": "#/components/schemas/A"}, {"type": "string"}]}}}
    }
    made = document({"requestBody": body, "responses": OK}, components={"schemas": schemas})
    made["paths"]["/far"] = {
        "post": {
            "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Far"}}}},
            "responses": OK,
        }
    }
    return made


def test_schemas_that_contain_themselves() -> None:
    assert ids(recursive(9, 9), recursive(9, 9)) == []
    assert ids(recursive(9, 9), recursive(10, 10)) == []
    [found] = differences(side(recursive(9, 9)), side(recursive(8, 9)), NOW)
    assert found.id == "request-property-max-decreased"
    assert set(found.operations) == {"POST /things", "POST /far"}, "one change, and both operations that it breaks"
    assert ids(recursive(9, 9), recursive(9, 8)) == ["request-property-max-length-decreased"]


def test_alternatives_whose_names_are_swapped() -> None:
    """What an alternative is called says nothing; what it allows does."""
    one, other = {"type": "object", "required": ["a"]}, {"type": "object", "required": ["b"]}

    def made(x: Any, y: Any) -> Document:
        parts = {"X": x, "Y": y}
        body = _body({"anyOf": [{"$ref": "#/components/schemas/X"}, {"$ref": "#/components/schemas/Y"}]})
        return document({"requestBody": body, "responses": OK}, components={"schemas": parts})

    assert ids(made(one, other), made(other, one)) == []


def _body(schema: Any) -> Document:
    return {"content": {"application/json": {"schema": schema}}}


def alternatives(lists: int, extra: int) -> Any:
    """So many lists of three alternatives that all apply, and as many more as is said."""
    three = [{"anyOf": [{"required": [f"{n}{i}"]} for i in range(3)]} for n in range(lists + extra)]
    return {"type": "object", "allOf": three}


@pytest.mark.parametrize("place", PLACES)
def test_too_many_alternatives_are_not_passed_over(place: str) -> None:
    make = PLACES[place]
    assert ids(make(alternatives(4, 0)), make(alternatives(4, 1))) == [f"{place}-not-comparable"]
    assert ids(make(alternatives(4, 0)), make(alternatives(4, 0))) == []


def test_too_many_pairs_are_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solver, "MOST_STEPS", 3)
    assert "request-property-not-comparable" in ids(recursive(9, 9), recursive(10, 10))


def test_every_layer_of_a_deep_schema_is_looked_at() -> None:
    def deep(last: Any) -> Any:
        for _ in range(50):
            last = {"type": "object", "properties": {"in": last}}
        return last

    make = PLACES["response-body"]
    assert ids(make(deep({"type": "string"})), make(deep({"type": "integer"}))) == ["response-property-type-changed"]
