"""Law: compiling after any edits gives what compiling the same files for the first time gives, and what did not change is
the same object."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from unittest.mock import patch

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xds.compile import Compilation, Compiler
from xds.model import Operation
from xds.passes import kept as passes_kept
from xds.source import Tree, blocks, members

FOLDER = "contracts/svc/v1/"
PARTS = ("a.yaml", "b.yaml", "c.json", "path.yaml")
FIXED = {
    "sidegate.yaml": b"services: {svc: {upstream: 'http://127.0.0.1:9'}, two: {upstream: 'http://127.0.0.1:9'}}\n",
    "policies/svc/authz.rego": b'package svc.authz\n\ndefault allow := false\n\nallow if input.parsed_path[0] == "a"\n',
    "policies/two/authz.rego": b'package two.authz\n\ndefault allow := false\n\nallow if input.parsed_path[0] == "a"\n',
}
TARGETS = [
    *(f"{file}#/{key}" for file in PARTS[:3] for key in "xy"),
    "a.yaml",
    "b.yaml",
    "#/components/schemas/A",
    "openapi.yaml#/components/schemas/B",
    "#/x",
    "none.yaml",
]
RARE = [
    {"$ref": "openapi.yaml#/paths/~1a/get/parameters/0/schema"},
    {"$id": "https://example.com/named", "type": "string"},
    {"$anchor": "here", "type": "integer"},
    {"$ref": "https://example.com/named"},
    {"$ref": "b.yaml#here"},
    {"nonsense": 1, "typ": "string"},
]
PLAIN: list[Any] = [
    {"type": "string", "maxLength": 3},
    {"type": "string", "readOnly": True},
    {"type": "integer", "default": 1},
    {"type": "integer", "default": True},
    {"enum": [1]},
    {"enum": [True]},
]
LEAVES = st.sampled_from(PLAIN) | st.sampled_from(TARGETS).map(lambda to: {"$ref": to})
SCHEMAS = st.recursive(
    st.one_of(LEAVES, LEAVES, LEAVES, st.sampled_from(RARE)),
    lambda inner: (
        st.fixed_dictionaries({"properties": st.dictionaries(st.sampled_from("abc"), inner, max_size=2)})
        | st.fixed_dictionaries({"allOf": st.lists(inner, min_size=1, max_size=2)})
    ),
    max_leaves=3,
)


@st.composite
def items(draw: st.DrawFn) -> dict[str, Any]:
    item: dict[str, Any] = {}
    for method in draw(st.lists(st.sampled_from(["get", "post"]), unique=True, min_size=1, max_size=2)):
        schema = draw(SCHEMAS)
        item[method] = {"responses": {}, "parameters": [{"name": "q", "in": "query", "schema": schema}]}
        if (name := draw(st.sampled_from([None, "one", "two", "some name", "three"]))) is not None:
            item[method]["operationId"] = name
        if (mode := draw(st.sampled_from([None, None, "report", "wrong"]))) is not None:
            item[method]["x-sidegate"] = {"mode": mode}
        if method == "post":
            item[method]["requestBody"] = {"content": {"application/json": {"schema": draw(SCHEMAS)}}}
    return item


@st.composite
def roots(draw: st.DrawFn) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for path in draw(st.lists(st.sampled_from(["/a", "/b", "/c/d", "/{x}", "/e/"]), unique=True, max_size=4)):
        paths[path] = draw(st.one_of(items(), items(), st.just({"$ref": "path.yaml"}), st.just({"$ref": "a.yaml#/x"})))
    schemas = {"A": draw(SCHEMAS), "B": draw(st.sampled_from(PLAIN))}
    around: list[dict[str, Any]] = [{}, {}, {"servers": [{"url": "/s"}, {"url": "/t"}]}, {"security": []}]
    extra = draw(st.sampled_from(around))
    version = draw(st.sampled_from(["3.0.4", "3.1.1"]))
    info = {"title": "t", "version": "1"}
    return {"openapi": version, "info": info, **extra, "paths": paths, "components": {"schemas": schemas}}


PIECES = st.fixed_dictionaries({"x": SCHEMAS, "y": SCHEMAS}) | SCHEMAS
CONTENTS: dict[str, st.SearchStrategy[Any]] = {
    FOLDER + "openapi.yaml": roots(),
    "contracts/two/v1.json": roots(),
    **{FOLDER + name: PIECES for name in PARTS[:3]},
    FOLDER + "path.yaml": items(),
}


@st.composite
def edits(draw: st.DrawFn) -> tuple[str, Any]:
    """A file and what it says now: None if it is gone, bytes if it is nothing that can be read."""
    file = draw(st.sampled_from(sorted(CONTENTS)))
    return file, draw(st.one_of(*[CONTENTS[file]] * 4, st.none(), st.just(b"\tno: [")))


def text(file: str, content: Any) -> bytes:
    if isinstance(content, bytes):
        return content
    return json.dumps(content, indent=1).encode() if file.endswith(".json") else yaml.safe_dump(content).encode()


def by_id(compilation: Compilation) -> dict[tuple[str, str], Operation]:
    versions = [v for s in compilation.gateway.services for v in s.versions]
    return {(v.service, o.id): o for v in versions for o in v.operations}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.fixed_dictionaries(CONTENTS), st.lists(edits(), min_size=1, max_size=5))
def test_kept_compilations_are_those_made_anew(start: Mapping[str, Any], history: list[tuple[str, Any]]) -> None:
    # A pass remembers some compilers side by side; here two come anew with every edit.
    aside = patch.object(passes_kept, "_ASIDE", 3 + 2 * len(history))
    with patch.object(blocks, "_WORTH", 0), patch.object(members, "_WORTH", 0), aside:
        edited(dict(start), history)


def edited(now: dict[str, Any], history: list[tuple[str, Any]]) -> None:
    kept, last = Compiler(), None
    for file, content in [("", None), *history]:
        now[file] = content
        files = {f: text(f, c) for f, c in now.items() if c is not None}
        tree = Tree(dict(sorted((files | FIXED).items())))
        found = kept.compile(tree)
        assert found == Compiler().compile(tree)
        assert repr(found.gateway) == repr(Compiler().compile(tree).gateway)  # `==` takes 1 and true for equal
        operations = by_id(found)
        before: dict[tuple[str, str], Operation] = by_id(last) if last else {}
        for key, operation in before.items():
            if repr(operations.get(key)) == repr(operation):
                assert operations[key] is operation
        last = found


def query(schema: Any) -> Any:
    return {"get": {"responses": {}, "parameters": [{"name": "q", "in": "query", "schema": schema}]}}


def root_of(**paths: Any) -> Any:
    there = {f"/{path}": item for path, item in paths.items()}
    return {"openapi": "3.1.1", "info": {"title": "t", "version": "1"}, "security": [], "paths": there}


def test_a_change_three_references_away() -> None:
    files: dict[str, Any] = dict.fromkeys(CONTENTS) | {
        FOLDER + "openapi.yaml": root_of(a=query({"$ref": "a.yaml#/x"}), b=query({"type": "integer"})),
        FOLDER + "a.yaml": {"x": {"properties": {"y": {"$ref": "b.yaml#/x"}}}},
        FOLDER + "b.yaml": {"x": {"properties": {"z": {"$ref": "c.json#/x"}}}},
        FOLDER + "c.json": {"x": {"type": "string"}},
    }
    changes = [{"x": {"type": "integer"}}, {"y": {}}, None, {"x": {"$ref": "a.yaml#/x"}}, {"x": {"type": "string"}}]
    edited(files, [(FOLDER + "c.json", change) for change in changes])


def test_a_name_that_comes_and_goes() -> None:
    files: dict[str, Any] = dict.fromkeys(CONTENTS) | {
        FOLDER + "openapi.yaml": root_of(a=query({"$ref": "a.yaml"}), b=query({"$ref": "https://example.com/named"})),
        FOLDER + "a.yaml": {"type": "string"},
    }
    named = {"$id": "https://example.com/named", "type": "integer"}
    edited(files, [(FOLDER + "a.yaml", named), (FOLDER + "a.yaml", {"type": "string"})])


def test_what_is_gone_is_let_go() -> None:
    root = {"openapi": "3.1.1", "info": {"title": "t", "version": "1"}, "security": [], "paths": {}}
    own = {"type": "string", "x-here": "only in this part"}
    item = {"get": {"responses": {}, "parameters": [{"name": "q", "in": "query", "schema": {"$ref": "a.yaml#/x"}}]}}
    files = {
        FOLDER + "openapi.yaml": text("y", root | {"paths": {"/a": item, "/b": {"get": {"responses": {}}}}}),
        FOLDER + "a.yaml": text("y", {"x": own}),
        "contracts/two/v1.json": text("j.json", root | {"paths": {"/two": item}}),
    }
    kept = Compiler()
    kept.compile(Tree(files | FIXED))
    assert "only in this part" in repr(kept)
    assert "/two" in repr(kept)
    plain = {FOLDER + "openapi.yaml": text("y", root | {"paths": {"/b": {"get": {"responses": {}}}}})}
    kept.compile(Tree(plain | FIXED))
    assert "only in this part" not in repr(kept)
    assert "/two" not in repr(kept)
    assert "a.yaml" not in repr(kept)
