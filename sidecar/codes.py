"""The published table of problem codes: the status each answers with, and what it means in one sentence."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """A row of the table. `status` is the HTTP status that the code answers with."""

    status: int
    meaning: str


CODES: dict[str, Code] = {
    # parameters (sidecar.validate)
    "missing-parameter": Code(400, "A required parameter is not there."),
    "unknown-parameter": Code(400, "The query holds a parameter that the contract does not declare."),
    "duplicate-parameter": Code(400, "A parameter that has one value is given more than once."),
    "empty-parameter": Code(400, "A parameter is given without a value, and the contract does not allow that."),
    "malformed-parameter": Code(400, "A parameter is not written in the style that the contract declares."),
    # security (sidecar.scopes)
    "insufficient-scope": Code(403, "The token lacks a scope that the contract asks for."),
    # request bodies (sidecar.validate)
    "missing-body": Code(400, "The operation needs a request body, and there is none."),
    "unexpected-body": Code(400, "The operation takes no request body, and there is one."),
    "body-too-large": Code(413, "The request body is larger than the operation's limit."),
    "too-many-values": Code(413, "The request body holds more values than the gateway reads."),
    "unsupported-media-type": Code(415, "The body's Content-Type is missing, ambiguous or not one of the contract's."),
    "unsupported-encoding": Code(415, "The body has a Content-Encoding, and the gateway does not decode any."),
    "malformed-json": Code(400, "The text is not JSON as RFC 8259 defines it."),
    "malformed-text": Code(400, "The text is not well-formed UTF-8."),
    "malformed-form": Code(400, "The body is not a form of the media type it names."),
    "duplicate-key": Code(400, "An object or form gives the same name twice."),
    "number-range": Code(400, "A number is not finite or has more digits than the gateway reads."),
    "depth": Code(400, "Arrays and objects are nested deeper than the gateway reads."),
    "unexpected-part": Code(400, "A form holds a file where the contract has a field, or a part of the wrong type."),
    # what a schema says, by keyword (JSON Schema 2020-12, Core and Validation)
    "type": Code(400, "A value has another type than the schema says."),
    "enum": Code(400, "A value is not one of those the schema lists."),
    "const": Code(400, "A value is not the one the schema fixes."),
    "minimum": Code(400, "A number is less than the schema's minimum."),
    "maximum": Code(400, "A number is greater than the schema's maximum."),
    "exclusive-minimum": Code(400, "A number is not above the schema's exclusive minimum."),
    "exclusive-maximum": Code(400, "A number is not below the schema's exclusive maximum."),
    "multiple-of": Code(400, "A number is not a multiple of the schema's step."),
    "min-length": Code(400, "A text is shorter than the schema says."),
    "max-length": Code(400, "A text is longer than the schema says."),
    "pattern": Code(400, "A text does not match the schema's pattern."),
    "format": Code(400, "A text is not written in the schema's format."),
    "min-items": Code(400, "An array has fewer items than the schema says."),
    "max-items": Code(400, "An array has more items than the schema says."),
    "unique-items": Code(400, "An array holds equal items, and the schema wants them unique."),
    "contains": Code(400, "An array holds too few or too many of the items that the schema looks for."),
    "required": Code(400, "An object lacks a property that the schema requires."),
    "unknown-property": Code(400, "An object has a property that the schema does not allow."),
    "unknown-item": Code(400, "An array has an item that the schema does not allow."),
    "property-name": Code(400, "An object has a property whose name the schema does not allow."),
    "min-properties": Code(400, "An object has fewer properties than the schema says."),
    "max-properties": Code(400, "An object has more properties than the schema says."),
    "any-of": Code(400, "A value matches none of the schema's alternatives."),
    "one-of": Code(400, "A value does not match exactly one of the schema's alternatives."),
    "not": Code(400, "A value matches what the schema excludes."),
    "not-allowed": Code(400, "The schema allows no value in this place."),
    "content": Code(400, "A text does not hold what contentEncoding or contentMediaType says."),
    "schema": Code(400, "A value breaks the schema in a way that has no code of its own."),
}


def status(code: str) -> int:
    """The HTTP status of a code of the table; KeyError if there is no such row."""
    return CODES[code].status
