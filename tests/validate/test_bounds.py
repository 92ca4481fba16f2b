"""Time and size: nothing that fits into the body limit costs seconds. Limits are generous; powers of anything miss them."""

from __future__ import annotations

import json
from time import process_time
from typing import Any

import pytest

from sidecar.message import Request
from sidecar.validate import Validators
from sidecar.validate.report import CAP
from tests.validate.contracts import compiled

SECONDS = 2.0


def judge_of(schema: dict[str, Any], schemas: dict[str, Any] | None = None) -> Validators:
    body = {"content": {"application/json": {"schema": schema}}}
    operation = {"operationId": "op", "requestBody": body, "responses": {"200": {"description": "ok"}}}
    contract = compiled({"paths": {"/x": {"post": operation}}, "components": {"schemas": schemas or {}}})
    return Validators(contract.schemas, contract.operations)


def told(validators: Validators, body: bytes) -> list[str]:
    began = process_time()
    judgement = validators.judge("op", Request("POST", "/x", None, (("content-type", "application/json"),), body))
    assert process_time() - began < SECONDS
    assert len(judgement.violations) <= CAP
    return [f"{v.pointer} {v.code}" for v in judgement.violations]


def nested(depth: int, inner: str) -> bytes:
    return ('{"c":' * depth + inner + "}" * depth).encode()


@pytest.mark.parametrize("keyword", ["anyOf", "oneOf", "allOf"])
@pytest.mark.parametrize("depth", [1, 5, 12, 20, 40, 99])
def test_recursion_through_alternatives(keyword: str, depth: int) -> None:
    """The engine's own list of errors doubles with every level here."""
    branch = {"type": "object", "properties": {"c": {"$ref": "#/components/schemas/T"}}, "required": ["c"]}
    leaf = {"type": "null"}
    parts = [branch, {**branch, "minProperties": 1}, *([] if keyword == "allOf" else [leaf])]
    assert told(judge_of({"$ref": "#/components/schemas/T"}, {"T": {keyword: parts}}), nested(depth, "5"))


def test_a_tree_of_depth_100_is_valid_and_deeper_is_refused() -> None:
    tree = {
        "T": {"type": "object", "properties": {"c": {"$ref": "#/components/schemas/T"}}, "additionalProperties": False}
    }
    judge = judge_of({"$ref": "#/components/schemas/T"}, tree)
    assert told(judge, nested(99, "{}")) == []
    assert told(judge, nested(100, "{}")) == [" depth"]
    assert told(judge, nested(10_000, "{}")) == [" depth"]


def test_a_megabyte_of_wrong_items() -> None:
    judge = judge_of({"type": "array", "items": {"type": "integer"}})
    assert told(judge, json.dumps(["a"] * 100_000).encode())[0] == "/0 type"


def test_a_megabyte_of_wrong_items_within_an_alternative() -> None:
    judge = judge_of({"anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}]})
    assert told(judge, json.dumps(["a"] * 100_000).encode()) == [" schema"]


def test_one_wrong_member_far_inside_is_found() -> None:
    either = {"oneOf": [{"type": "integer"}, {"type": "null"}]}
    judge = judge_of(
        {"type": "object", "properties": {"list": {"type": "array", "items": {"properties": {"x": either}}}}}
    )
    value = {"list": [{"x": 1}] * 50_000 + [{"x": "no"}]}
    assert told(judge, json.dumps(value).encode()) == ["/list/50000/x one-of"]


def test_unique_items_of_many_objects() -> None:
    judge = judge_of({"type": "array", "uniqueItems": True})
    items = [{"a": n} for n in range(60_000)]
    assert told(judge, json.dumps(items).encode()) == []
    assert told(judge, json.dumps([*items, {"a": 1}]).encode()) == [" unique-items"]


def test_many_unknown_properties() -> None:
    judge = judge_of({"type": "object", "additionalProperties": False})
    assert told(judge, json.dumps({f"k{n}": 0 for n in range(60_000)}).encode())


def test_a_pattern_that_backtracks_elsewhere() -> None:
    judge = judge_of({"type": "string", "pattern": "^(a+)+$"})
    assert told(judge, json.dumps("a" * 500_000 + "!").encode()) == [" pattern"]


def test_an_unterminated_string_of_quotes() -> None:
    judge = judge_of({})
    assert told(judge, b"[" + b"," * 260_000 + b'"' + b'\\"' * 300_000)
