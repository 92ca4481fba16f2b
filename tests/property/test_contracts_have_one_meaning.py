"""Law: a contract's meaning depends on what its files say: not on the order of mappings, on JSON or YAML, or on what was
compiled before."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xds.contract import Cache, Contract, compile_contract

SCHEMAS = st.recursive(
    st.sampled_from(
        [
            {"type": "string", "maxLength": 5},
            {"type": "integer", "format": "int32"},
            {"$ref": "#/components/schemas/A"},
            {"$ref": "#/components/schemas/B"},
            {"type": "string", "nullable": True, "enum": ["a", None]},
            {"type": "string", "readOnly": True},
        ]
    ),
    lambda inner: (
        st.fixed_dictionaries(
            {"type": st.just("object"), "properties": st.dictionaries(st.sampled_from("abc"), inner, max_size=3)}
        )
        | st.fixed_dictionaries({"type": st.just("array"), "items": inner})
    ),
    max_leaves=6,
)
PATHS = st.sampled_from(["/a", "/a/{x}", "/{x}", "/b/{x}.json", "/{x}/b", "/a/"])


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for path in draw(st.lists(PATHS, unique=True, max_size=4)):
        item: dict[str, Any] = {}
        if "{x}" in path:
            item["parameters"] = [{"name": "x", "in": "path", "required": True, "schema": draw(SCHEMAS)}]
        for method in draw(st.lists(st.sampled_from(["get", "post", "put"]), unique=True, max_size=2)):
            item[method] = {"responses": {}, "parameters": [{"name": "q", "in": "query", "schema": draw(SCHEMAS)}]}
            if method != "get":
                item[method]["requestBody"] = {"content": {"application/json": {"schema": draw(SCHEMAS)}}}
        paths[path] = item
    components = {"schemas": {"A": draw(SCHEMAS), "B": draw(SCHEMAS)}}
    return {
        "openapi": "3.0.4",
        "info": {"title": "t", "version": "1"},
        "security": [],
        "paths": paths,
        "components": components,
    }


def shuffled(value: Any, rng: random.Random) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        rng.shuffle(keys)
        return {key: shuffled(value[key], rng) for key in keys}
    return [shuffled(v, rng) for v in value] if isinstance(value, list) else value


def compiled(document: Any, cache: Cache | None = None, *, padding: str = "") -> Contract:
    text = yaml.safe_dump(document, sort_keys=False, width=10_000)
    return compile_contract(
        {"contracts/p/v1.yaml": (text + padding).encode()},
        "contracts/p/v1.yaml",
        service="p",
        version="v1",
        cache=cache,
    )


def meaning(contract: Contract) -> tuple[Any, ...]:
    said = sorted(
        (d.code, d.message, d.span.pointer if d.span else "") for d in contract.diagnostics if d.code != "ref-cycle"
    )
    cycles = any(d.code == "ref-cycle" for d in contract.diagnostics)  # said of any one member of a cycle
    return contract.operations, contract.schemas, contract.schemes, said, cycles


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(documents(), st.randoms(use_true_random=False))
def test_order_of_mappings(document: Any, rng: random.Random) -> None:
    """Duplicate templates and ids name the first one, which is the only thing that order decides."""
    assert meaning(compiled(document))[:3] == meaning(compiled(shuffled(document, rng)))[:3]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(documents())
def test_json_and_yaml(document: Any) -> None:
    data = json.dumps(document).encode()
    other = compile_contract({"contracts/p/v1.yaml": data}, "contracts/p/v1.yaml", service="p", version="v1")
    assert meaning(compiled(document)) == meaning(other)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(documents(), min_size=2, max_size=4), st.booleans(), st.data())
def test_what_was_compiled_before(history: list[Any], long: bool, data: st.DataObject) -> None:
    """Small edits and great ones, with and without the text in blocks: a cache never shows."""
    cache = Cache()
    padding = "x-padding: '" + "x" * 70_000 + "'\n" if long else ""
    for document in history:
        edited = copy.deepcopy(document)
        for _ in range(2):
            assert compiled(edited, cache, padding=padding) == compiled(edited, padding=padding)
            if edited["paths"]:
                path = data.draw(st.sampled_from(sorted(edited["paths"])))
                edited["paths"][path] = {**edited["paths"][path], "summary": "edited", "delete": {"responses": {}}}
