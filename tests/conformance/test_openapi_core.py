"""openapi-core as the independent judge: on generated contracts and requests the two agree but for listed differences."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_plus

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conformance.judges import judges, verdicts
from tests.validate.contracts import request

DIFFERENCES = {entry["id"]: entry for entry in yaml.safe_load((Path(__file__).parent / "differences.yaml").read_text())}
PROFILE = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def document(parameter: dict[str, Any] | None = None, body: Any = None) -> str:
    operation: dict[str, Any] = {"responses": {"200": {"description": "ok"}}}
    path = "/x"
    if parameter:
        operation["parameters"] = [parameter]
        path = "/x/{p}" if parameter["in"] == "path" else "/x"
    if body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return yaml.safe_dump({"paths": {path: {"post" if body is not None else "get": operation}}})


@pytest.mark.parametrize("name", DIFFERENCES)
def test_every_listed_difference_is_one(name: str) -> None:
    entry = DIFFERENCES[name]
    ours, theirs = verdicts(document(entry.get("parameter"), entry.get("body")), entry["request"])
    assert ours == (entry["ours"] == "pass")
    assert theirs != ours


# --- parameters ----------------------------------------------------------------------------------------------------------

SCALARS = st.sampled_from(
    [
        {"type": "integer", "minimum": 0, "maximum": 50},
        {"type": "integer", "multipleOf": 3},
        {"type": "number", "exclusiveMaximum": 2.5},
        {"type": "boolean"},
        {"type": "string", "minLength": 1, "maxLength": 4},
        {"type": "string", "pattern": "^[a-c]+$"},
        {"type": "string", "format": "uuid"},
        {"type": "string", "format": "date"},
        {"enum": ["a", "b", "true"]},
        {"type": ["integer", "null"]},
    ]
)
ARRAYS = st.builds(
    lambda items, most: {"type": "array", "items": items, "maxItems": most, "uniqueItems": True},
    SCALARS,
    st.integers(1, 3),
)
OBJECTS = st.builds(
    lambda member: {"type": "object", "properties": {"R": member}, "additionalProperties": False}, SCALARS
)
PLACES = [
    *[("query", "form", explode) for explode in (True, False)],
    ("query", "pipeDelimited", False),
    ("query", "spaceDelimited", False),
    *[("path", style, explode) for style in ("simple", "label") for explode in (True, False)],
    ("header", "simple", False),
    ("cookie", "form", False),
]
WORDS = [
    *[
        "1",
        "51",
        "3",
        "-1",
        "0",
        "2.4",
        "1e1",
        "a",
        "abc",
        "abcde",
        "true",
        "True",
        "null",
        "05",
        "+1",
        " 1",
        "1_0",
        "",
        "é",
    ],
    *[
        "2026-02-28",
        "2026-02-30",
        "123e4567-e89b-12d3-a456-426614174000",
        "R",
        "Z",
        "%zz",
        "%31",
        "a%2Cb",
        "nan",
        "yes",
    ],
]


LIKELY = {
    "integer": ["3", "6", "48"],
    "number": ["1", "2.4", "-1", "1e0"],
    "boolean": ["true", "false"],
    "string": ["abc", "a", "123e4567-e89b-12d3-a456-426614174000", "2026-02-28"],
    "None": ["a", "b", "true"],
    "['integer', 'null']": ["1"],
}


def leaf_of(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of the texts within an array or object."""
    found: dict[str, Any] = schema.get("items") or schema.get("properties", {}).get("R") or schema
    return found


@st.composite
def asked(draw: st.DrawFn) -> tuple[dict[str, Any], str, dict[str, Any]]:
    where, style, explode = draw(st.sampled_from(PLACES))
    schema = draw(ARRAYS if style.endswith("Delimited") else st.one_of(SCALARS, ARRAYS, OBJECTS))
    delimiter = {"pipeDelimited": "|", "spaceDelimited": "%20"}.get(style, ",")
    likely = st.sampled_from(LIKELY[str(leaf_of(schema).get("type"))])
    pieces = draw(st.lists(st.one_of(likely, likely, st.sampled_from(WORDS)), min_size=1, max_size=3))
    if schema.get("type") == "object":
        pieces = ["R", *pieces[:1]] if not explode else [f"R={pieces[0]}"]
    elif schema.get("type") != "array":
        pieces = pieces[:1]
    raw = delimiter.join(pieces)
    text = raw if where == "header" else quote(raw, safe="%,|=:-")
    parameter = {"name": "p", "in": where, "required": True, "style": style, "explode": explode, "schema": schema}
    row: dict[str, Any] = {
        "query": {"send": f"GET /x?p={text}"},
        "path": {"send": f"GET /x/{'.' if style == 'label' else ''}{text}"},
        "header": {"send": "GET /x", "headers": [["p", raw]]},
        "cookie": {"send": "GET /x", "headers": [["cookie", f"p={text}"]]},
    }[where]
    return parameter, text, row


def known(parameter: dict[str, Any], text: str) -> set[str]:
    """The listed differences that a parameter and its text fall under."""
    schema, where, style = parameter["schema"], parameter["in"], parameter["style"]
    leaf = leaf_of(schema)
    pieces = re.split(r"[,|=]|%20| ", text) + re.split(r"[,|=]", unquote_plus(text))
    written = leaf.get("type", "string")
    kind = written if isinstance(written, str) else "union"
    return {
        name
        for name, applies in {
            "numbers": kind in {"integer", "number"} and any(not _is_number(piece) for piece in pieces),
            "booleans": kind == "boolean",
            "escapes": re.search("%(?![0-9A-Fa-f]{2})", text) is not None,
            "delimiters": "%2C" in text or "%20" in text,
            "spaces": style == "spaceDelimited",
            "nothing": text == "" or (where != "query" and unquote_plus(text).strip() == ""),
            "unions": kind == "union",
            "members": schema.get("type") == "object" and not (parameter["explode"] and style == "form"),
            "spread": schema.get("type") == "object" and parameter["explode"] and style == "form",
            "cookies": where == "cookie" and "%" in text,
            "prefixes": style == "label",
        }.items()
        if applies
    }


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?", text) is not None


@PROFILE
@given(asked())
def test_parameters(case: tuple[dict[str, Any], str, dict[str, Any]]) -> None:
    parameter, text, row = case
    ours, theirs = verdicts(document(parameter), row)
    if ours != theirs:
        reasons = known(parameter, text)
        assert any((DIFFERENCES[name]["ours"] == "pass") == ours for name in reasons), (parameter, row, ours, reasons)


# --- bodies --------------------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", "a/b", "é"])
VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-5, 60), st.sampled_from([0.5, 1.0, 2.5, 1e20]), st.sampled_from(WORDS)
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=6,
)
SCHEMAS = st.recursive(
    st.one_of(
        SCALARS, st.sampled_from([{"type": "null"}, {"const": 1}, {"enum": [1, "a", None]}, {"minProperties": 1}, {}])
    ),
    lambda inner: st.one_of(
        st.builds(lambda items: {"type": "array", "items": items, "minItems": 1}, inner),
        st.builds(lambda a, b: {"prefixItems": [a], "items": b}, inner, inner),
        st.builds(
            lambda members, needed, rest: {
                "type": "object",
                "properties": members,
                "required": needed,
                "additionalProperties": rest,
            },
            st.dictionaries(NAMES, inner, max_size=2),
            st.lists(NAMES, unique=True, max_size=1),
            st.one_of(st.booleans(), inner),
        ),
        st.builds(
            lambda word, parts: {word: parts},
            st.sampled_from(["allOf", "anyOf", "oneOf"]),
            st.lists(inner, min_size=1, max_size=2),
        ),
        st.builds(lambda inner: {"not": inner}, inner),
        st.builds(lambda a, b, c: {"if": a, "then": b, "else": c}, inner, inner, inner),
    ),
    max_leaves=5,
)


@PROFILE
@given(SCHEMAS, st.lists(VALUES, min_size=1, max_size=5))
def test_bodies(schema: dict[str, Any], values: list[Any]) -> None:
    both = judges(document(body=schema))
    for value in values:
        sent = request({"send": "POST /x", "type": "application/json", "body": json.dumps(value, ensure_ascii=False)})
        assert both.ours(sent) == both.theirs(sent), (schema, value)
