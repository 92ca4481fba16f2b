"""For any contract: a request of an operation's plain form breaks nothing of what the companion would have judged it by."""

from __future__ import annotations

import re
from typing import Any

import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sidecar.message import Request
from sidecar.validate import Validators
from tests.projects import POLICY, SETTINGS, tree
from xds.compile import Compiler

TEXTS = st.one_of(st.text("abc.-_~:@,+=019", min_size=1, max_size=6), st.sampled_from(["a.b", "true", "1e3", "null"]))
STRINGS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({"type": "string"}),
    st.fixed_dictionaries(
        {"type": st.just("string")}, optional={"minLength": st.integers(0, 4), "maxLength": st.integers(0, 9)}
    ),
    st.builds(lambda e: {"type": "string", "enum": e}, st.lists(TEXTS, min_size=1, max_size=3, unique=True)),
    st.builds(
        lambda f: {"type": "string", "format": f}, st.sampled_from(["uuid", "date", "date-time", "email", "byte"])
    ),
    st.fixed_dictionaries(
        {
            "type": st.just("string"),
            "pattern": st.sampled_from(
                ["^a", "b$", "^[0-9]+$", "^[^a]{2,}$", "^(a|b[.])+$", "\\w", "[~@]", "^a|b$", "^.?$"]
            ),
        },
        optional={"minLength": st.integers(0, 4), "maxLength": st.integers(0, 9)},
    ),
)
NUMBERS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"type": st.sampled_from(["integer", "integer", "number"])},
    optional={
        "minimum": st.integers(-3, 3),
        "maximum": st.integers(0, 5000),
        "multipleOf": st.integers(1, 3),
        "exclusiveMinimum": st.integers(-1, 2),
        "format": st.sampled_from(["int32", "int64"]),
    },
)
OTHERS: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [{}, {"type": "boolean"}, {"type": ["string", "null"]}, {"type": "array", "items": {"type": "integer"}},
     {"anyOf": [{"type": "integer"}, {"type": "boolean"}]}, {"type": "string", "not": {"const": "a"}},
     {"type": "boolean", "enum": [True]}, {"type": "integer", "const": 3}, {"$ref": "#/components/schemas/S"}]
)  # fmt: skip
SCHEMAS = st.one_of(STRINGS, NUMBERS, OTHERS)


def _document(first: dict[str, Any], second: dict[str, Any], style: str, also: list[dict[str, Any]]) -> str:
    path = [{"in": "path", "name": n, "required": True, "schema": s} for n, s in (("v", first), ("w", second))]
    path[0]["style"] = style
    operation = {
        "operationId": "it",
        "parameters": [*path, *also],
        "x-sidegate": {"policy": "none", "reason": "for the test"},
        "responses": {"200": {"description": "ok"}},
    }
    document = {
        "openapi": "3.1.0",
        "security": [],
        "info": {"title": "t", "version": "1"},
        "servers": [{"url": "/p"}],
        "paths": {"/x/{v}/{w}": {"get": operation}},
        "components": {"schemas": {"S": {"type": "string", "minLength": 3}}},
    }
    return yaml.safe_dump(document)


ALSO = st.lists(
    st.sampled_from(
        [
            {"in": "query", "name": "q", "schema": {"type": "integer"}},
            {"in": "header", "name": "X-H", "schema": {"type": "integer"}},
            {"in": "cookie", "name": "c", "required": True, "schema": {}},
            {"in": "header", "name": "Accept", "required": True, "schema": {}},
        ]
    ),
    max_size=2,
    unique_by=lambda p: str(p["name"]),
)
QUERIES = st.lists(
    st.fixed_dictionaries(
        {"in": st.just("query"), "name": st.sampled_from(["q", "a.b", "limit", "c", "b", "q2"]), "schema": SCHEMAS},
        optional={
            "required": st.booleans(),
            "explode": st.booleans(),
            "allowReserved": st.booleans(),
            "style": st.sampled_from(["form", "deepObject", "pipeDelimited"]),
        },
    ),
    max_size=6,
    unique_by=lambda p: str(p["name"]),
)


@settings(max_examples=120, deadline=None)
@given(SCHEMAS, SCHEMAS, st.sampled_from(["simple", "simple", "simple", "label"]), ALSO, QUERIES, st.data())
def test_a_plain_request_breaks_nothing(
    first: dict[str, Any],
    second: dict[str, Any],
    style: str,
    also: list[dict[str, Any]],
    queries: list[dict[str, Any]],
    data: st.DataObject,
) -> None:
    also = [*[p for p in also if p["name"] not in {q["name"] for q in queries}], *queries]
    files = {"contracts/pets/v1.yaml": _document(first, second, style, also), "policies/pets/authz.rego": POLICY}
    made = Compiler().compile(tree({**files, "sidegate.yaml": SETTINGS.split("security")[0]}))
    assume(not made.refused)  # bounds that nothing can meet are errors
    (version,) = made.gateway.services[0].versions
    (operation,) = version.operations
    form = operation.plain
    if form is None:
        return
    judged = Validators(version.schemas, version.operations)
    for _ in range(8):
        path = data.draw(st.from_regex(re.compile(form.path, re.ASCII), fullmatch=True))
        if (form.never and re.fullmatch(form.never, path)) or not all(re.fullmatch(each, path) for each in form.each):
            continue
        before, mark, query = path.partition("?")
        headers = (("accept", "*/*"), ("x-other", "1"))
        verdict = judged.judge(operation.id, Request("GET", before, query if mark else None, headers))
        assert verdict.violations == (), path
