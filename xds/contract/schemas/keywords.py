"""The keywords of Schema Objects: what each holds, and in which dialect it means something."""

from __future__ import annotations

from enum import Enum, auto
from typing import Any

TYPES = frozenset({"null", "boolean", "object", "array", "number", "string", "integer"})


def types_of(value: Any) -> tuple[str, ...]:
    """The types that a JSON value has."""
    if value is None:
        return ("null",)
    if isinstance(value, bool):
        return ("boolean",)
    if isinstance(value, (int, float)):
        return ("integer", "number") if isinstance(value, int) or value.is_integer() else ("number",)
    return ("string" if isinstance(value, str) else "array" if isinstance(value, list) else "object",)


class Kind(Enum):
    """What a keyword's value is."""

    SCHEMA = auto()  # applied to a part of the value
    SCHEMA_HERE = auto()  # applied to the same value
    SCHEMAS = auto()  # a list, applied to parts
    SCHEMAS_HERE = auto()  # a list, applied to the same value
    SCHEMA_MAP = auto()  # by name, applied to parts
    SCHEMA_MAP_HERE = auto()  # by name, applied to the same value
    COUNT = auto()  # an integer from 0
    NUMBER = auto()
    POSITIVE = auto()
    FLAG = auto()
    NAMES = auto()  # a list of different texts
    NAME_LISTS = auto()  # lists of texts by name
    VALUE = auto()  # any JSON value
    TYPE = auto()
    ENUM = auto()
    PATTERN = auto()
    FORMAT = auto()
    REFERENCE = auto()
    BOUND = auto()  # 3.0: a boolean that makes `minimum` or `maximum` exclusive
    DROPPED = auto()  # says nothing about whether a request is right, or is read elsewhere


_COMMON = {
    "type": Kind.TYPE,
    "enum": Kind.ENUM,
    "multipleOf": Kind.POSITIVE,
    "maximum": Kind.NUMBER,
    "minimum": Kind.NUMBER,
    "maxLength": Kind.COUNT,
    "minLength": Kind.COUNT,
    "pattern": Kind.PATTERN,
    "maxItems": Kind.COUNT,
    "minItems": Kind.COUNT,
    "uniqueItems": Kind.FLAG,
    "maxProperties": Kind.COUNT,
    "minProperties": Kind.COUNT,
    "required": Kind.NAMES,
    "format": Kind.FORMAT,
    "properties": Kind.SCHEMA_MAP,
    "additionalProperties": Kind.SCHEMA,
    "items": Kind.SCHEMA,
    "allOf": Kind.SCHEMAS_HERE,
    "anyOf": Kind.SCHEMAS_HERE,
    "oneOf": Kind.SCHEMAS_HERE,
    "not": Kind.SCHEMA_HERE,
    **dict.fromkeys(
        ("title", "description", "default", "example", "deprecated", "readOnly", "writeOnly", "xml", "externalDocs"),
        Kind.DROPPED,
    ),
    "discriminator": Kind.DROPPED,
}

DRAFT4: dict[str, Kind] = {
    **_COMMON,
    "exclusiveMaximum": Kind.BOUND,
    "exclusiveMinimum": Kind.BOUND,
    "nullable": Kind.DROPPED,
}
"""OpenAPI 3.0.4, Schema Object."""

DRAFT2020: dict[str, Kind] = {
    **_COMMON,
    "$ref": Kind.REFERENCE,
    "$dynamicRef": Kind.REFERENCE,
    "exclusiveMaximum": Kind.NUMBER,
    "exclusiveMinimum": Kind.NUMBER,
    "const": Kind.VALUE,
    "prefixItems": Kind.SCHEMAS,
    "contains": Kind.SCHEMA,
    "minContains": Kind.COUNT,
    "maxContains": Kind.COUNT,
    "patternProperties": Kind.SCHEMA_MAP,
    "propertyNames": Kind.SCHEMA,
    "unevaluatedItems": Kind.SCHEMA,
    "unevaluatedProperties": Kind.SCHEMA,
    "dependentRequired": Kind.NAME_LISTS,
    "dependentSchemas": Kind.SCHEMA_MAP_HERE,
    "if": Kind.SCHEMA_HERE,
    "then": Kind.SCHEMA_HERE,
    "else": Kind.SCHEMA_HERE,
    **dict.fromkeys(
        ("$id", "$schema", "$anchor", "$dynamicAnchor", "$comment", "$defs", "$vocabulary", "examples"),
        Kind.DROPPED,
    ),
    **dict.fromkeys(
        ("contentEncoding", "contentMediaType", "contentSchema"),
        Kind.DROPPED,
    ),
}
"""JSON Schema 2020-12, core, applicator, unevaluated and validation vocabularies, with OpenAPI's own keywords."""

OLDER = {
    "definitions": "2020-12 calls it `$defs`; references to it still work",
    "dependencies": "2020-12 has `dependentRequired` and `dependentSchemas`",
    "additionalItems": "2020-12 has `prefixItems` and `items`",
    "$recursiveRef": "2020-12 has `$dynamicRef`",
    "$recursiveAnchor": "2020-12 has `$dynamicAnchor`",
    "nullable": 'from 3.1 on, write `type: [string, "null"]`',
    "id": "2020-12 calls it `$id`",
}
"""Words that older drafts gave a meaning, and what has taken their place in 2020-12."""

RANGES = (
    ("minLength", "maxLength"),
    ("minItems", "maxItems"),
    ("minProperties", "maxProperties"),
    ("minContains", "maxContains"),
    ("minimum", "maximum"),
)
"""Pairs of which the first must not be greater than the second."""
