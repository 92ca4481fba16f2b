"""Violated keyword -> code and words. Words come from the schema alone, never from the value."""

from __future__ import annotations

import json
from typing import Any

CODES_BY_KEYWORD = {
    "type": "type",
    "enum": "enum",
    "const": "const",
    "minimum": "minimum",
    "maximum": "maximum",
    "exclusiveMinimum": "exclusive-minimum",
    "exclusiveMaximum": "exclusive-maximum",
    "multipleOf": "multiple-of",
    "minLength": "min-length",
    "maxLength": "max-length",
    "pattern": "pattern",
    "format": "format",
    "minItems": "min-items",
    "maxItems": "max-items",
    "uniqueItems": "unique-items",
    "contains": "contains",
    "required": "required",
    "propertyNames": "property-name",
    "minProperties": "min-properties",
    "maxProperties": "max-properties",
    "anyOf": "any-of",
    "oneOf": "one-of",
    "not": "not",
    "falseSchema": "not-allowed",
    "contentEncoding": "content",
    "contentMediaType": "content",
}

_WORDS = {
    "minimum": "must be at least {limit}",
    "maximum": "must be at most {limit}",
    "exclusiveMinimum": "must be greater than {limit}",
    "exclusiveMaximum": "must be less than {limit}",
    "multipleOf": "must be a multiple of {multiple_of}",
    "minLength": "must be at least {limit} characters long",
    "maxLength": "must be at most {limit} characters long",
    "pattern": "must match {pattern}",
    "format": "must be in the format {format}",
    "minItems": "must have at least {limit} items",
    "maxItems": "must have at most {limit} items",
    "uniqueItems": "must not hold equal items",
    "contains": "holds too few or too many of the items that the schema looks for",
    "required": "must have the property {property}",
    "propertyNames": "has a property whose name is not allowed",
    "minProperties": "must have at least {limit} properties",
    "maxProperties": "must have at most {limit} properties",
    "anyOf": "must match at least one of the schema's alternatives",
    "not": "must not match the schema under `not`",
    "falseSchema": "must not be there",
    "contentEncoding": "must be encoded as {content_encoding}",
    "contentMediaType": "must hold a document of type {content_media_type}",
}

_LONGEST = 200


def wording(kind: Any) -> str:
    """What the schema expected, as a sentence without its subject. `kind` is the engine's error kind."""
    name = kind.name
    if template := _WORDS.get(name):
        return _short(template.format_map(_Fields(kind)))
    if name == "type":
        return "must be " + " or ".join(kind.types)
    if name == "enum":
        return _short("must be one of " + ", ".join(json.dumps(option, default=str) for option in kind.options))
    if name == "const":
        return _short("must be " + json.dumps(kind.expected_value, default=str))
    if name == "oneOf":
        several = isinstance(kind, kind.OneOfMultipleValid)
        return "must match exactly one of the schema's alternatives, " + (
            "and matches several" if several else "and matches none"
        )
    return "does not match the schema"


class _Fields(dict[str, Any]):
    """The fields of an error kind, as a mapping for `str.format_map`."""

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self._kind = kind

    def __missing__(self, name: str) -> Any:
        return getattr(self._kind, name)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
