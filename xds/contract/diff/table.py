"""CHANGES: the published table of ids, made of what can be said of a schema and of what schemas describe."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from xds.diagnostics import Code, Severity

from .subjects import Kind, name

_E, _W = Severity.ERROR, Severity.WARNING


@dataclass(frozen=True, slots=True)
class Row:
    """What a rule for schemas can find: how much it weighs in requests and in responses (None: not found there), and what it
    means. `inner` rows are about members of an object, so never about the subject itself."""

    request: Severity | None
    response: Severity | None
    meaning: str
    inner: bool = False


def _bounds() -> Iterator[tuple[str, Row]]:
    stems = ("length", "items", "properties", "contains", "")
    for stem in (f"-{s}" if s else "" for s in stems):
        for bound, tighter, looser in (("max", "decreased", "increased"), ("min", "increased", "decreased")):
            for prefix in ("", "exclusive-") if not stem else ("",):
                words = f"the bound {prefix}{bound}{stem}"
                yield f"{prefix}{bound}{stem}-{tighter}", Row(_E, None, f"{words} is tighter")
                yield f"{prefix}{bound}{stem}-set", Row(_E, None, f"{words} is new")
                yield f"{prefix}{bound}{stem}-{looser}", Row(None, _E, f"{words} is looser")
                yield f"{prefix}{bound}{stem}-unset", Row(None, _E, f"{words} is gone")


ROWS: dict[str, Row] = {
    **dict(_bounds()),
    "multiple-of-set": Row(_E, None, "multipleOf is new"),
    "multiple-of-unset": Row(None, _E, "multipleOf is gone"),
    "multiple-of-changed": Row(_E, _E, "multipleOf is another, and not every former value is a multiple of it"),
    "type-changed": Row(_E, _E, "the type or format is another"),
    "type-specialized": Row(_E, None, "another type, or fewer types, are taken"),
    "type-generalized": Row(None, _E, "more types may come"),
    "list-of-types-narrowed": Row(_E, None, "one of several types, listed as alternatives, is not taken any more"),
    "list-of-types-widened": Row(None, _E, "further types, listed as alternatives, may come"),
    "became-not-nullable": Row(_E, None, "null is refused"),
    "became-nullable": Row(None, _E, "null may come"),
    "schema-became-false": Row(_E, _E, "no value at all is right any more"),
    "schema-became-not-false": Row(None, _E, "what could not be there may be there"),
    "became-enum": Row(_E, None, "only listed values are taken"),
    "became-not-enum": Row(None, _E, "other values than those listed before may come"),
    "enum-value-removed": Row(_E, None, "a listed value is refused"),
    "enum-value-added": Row(None, _E, "a further value may come"),
    "const-added": Row(_E, None, "only one value is taken"),
    "const-removed": Row(None, _E, "other values than the one before may come"),
    "const-changed": Row(_E, _E, "the one value is another"),
    "x-extensible-enum-value-removed": Row(_E, None, "a value of x-extensible-enum is gone"),
    "pattern-added": Row(_E, None, "a pattern is new"),
    "pattern-removed": Row(None, _E, "a pattern is gone"),
    "pattern-changed": Row(_W, _W, "the pattern is another; whether it takes the same texts is not looked into"),
    "content-encoding-changed": Row(_E, _E, "contentEncoding is another"),
    "content-media-type-changed": Row(_E, _E, "contentMediaType is another"),
    "content-schema-added": Row(_E, None, "contentSchema is new"),
    "content-schema-removed": Row(None, _E, "contentSchema is gone"),
    "new-required": Row(_E, None, "a property is new and must be sent", True),
    "new-required-with-default": Row(_E, None, "a property with a default is new and must be sent", True),
    "became-required": Row(_E, None, "a property must be sent now", True),
    "became-required-with-default": Row(_E, None, "a property with a default must be sent now", True),
    "became-optional": Row(None, _E, "a property may be missing", True),
    "removed": Row(_W, None, "a property is gone; what is sent of it is not looked at", True),
    "refused": Row(_E, None, "a property is gone, and what is not described is refused", True),
    "required-property-removed": Row(None, _E, "a property that was always there is gone", True),
    "optional-property-removed": Row(None, _W, "a property that could be there is gone", True),
    "required-property-became-read-only": Row(_E, None, "a property that had to be sent is refused: readOnly", True),
    "optional-property-became-read-only": Row(_E, None, "a property that could be sent is refused: readOnly", True),
    "required-property-became-not-read-only": Row(_E, None, "a property that was readOnly must be sent", True),
    "required-property-became-write-only": Row(None, _E, "a property that was always there is writeOnly", True),
    "additional-properties-refused": Row(_E, None, "properties without a description are refused"),
    "unevaluated-properties-added": Row(_E, None, "unevaluatedProperties is new"),
    "unevaluated-properties-removed": Row(None, _E, "unevaluatedProperties is gone"),
    "unevaluated-items-added": Row(_E, None, "unevaluatedItems is new"),
    "unevaluated-items-removed": Row(None, _E, "unevaluatedItems is gone"),
    "pattern-property-added": Row(_E, None, "properties that match a pattern have a schema now"),
    "pattern-property-removed": Row(None, _E, "properties that match a pattern have no schema any more"),
    "property-names-added": Row(_E, None, "names of properties have a schema now"),
    "property-names-removed": Row(None, _E, "names of properties have no schema any more"),
    "dependent-required-added": Row(_E, None, "a property asks for others now"),
    "dependent-required-removed": Row(None, _E, "a property does not bring others any more"),
    "dependent-required-changed": Row(_E, _E, "a property asks for, or brings, others than before"),
    "dependent-schema-added": Row(_E, None, "a property asks for a schema now"),
    "dependent-schema-removed": Row(None, _E, "a property does not bring a schema any more"),
    "prefix-items-added": Row(_W, _W, "a position of a list has a schema of its own now"),
    "prefix-items-removed": Row(_W, _W, "a position of a list has no schema of its own any more"),
    "contains-added": Row(_E, None, "a list must contain something particular"),
    "contains-removed": Row(None, _E, "a list need not contain something particular any more"),
    "unique-items-set": Row(_E, None, "items must be different"),
    "unique-items-unset": Row(None, _E, "items may be equal"),
    "not-added": Row(_E, None, "what `not` describes is refused"),
    "not-removed": Row(None, _E, "what `not` excluded may come"),
    "not-changed": Row(_E, _E, "`not` describes something else"),
    "if-added": Row(_E, None, "`if` is new"),
    "if-removed": Row(None, _E, "`if` is gone"),
    "if-changed": Row(_W, _W, "`if` is another; whether it holds for the same values is not looked into"),
    "then-added": Row(_E, None, "`then` is new"),
    "then-removed": Row(None, _E, "`then` is gone"),
    "else-added": Row(_E, None, "`else` is new"),
    "else-removed": Row(None, _E, "`else` is gone"),
    "any-of-removed": Row(_E, None, "an alternative of anyOf is not taken any more"),
    "any-of-added": Row(None, _E, "a further alternative of anyOf may come"),
    "one-of-removed": Row(_E, None, "an alternative of oneOf is not taken any more"),
    "one-of-added": Row(None, _E, "a further alternative of oneOf may come"),
    "wrapped-in-one-of": Row(_E, _E, "it became a choice of oneOf that does not keep what was there"),
    "wrapped-in-any-of": Row(_E, _E, "it became a choice of anyOf that does not keep what was there"),
    "became-one-of": Row(_E, None, "exactly one alternative must match now, and a value can match several"),
    "became-not-one-of": Row(None, _E, "exactly one alternative matched, and what comes now may match several"),
    "one-of-overlaps": Row(
        _W, _W, "what matches two alternatives of oneOf, and so is not valid, is more now, or less in answers"
    ),
    "not-comparable": Row(_E, _E, "there is too much to compare, so that nobody knows whether it breaks clients"),
}
"""What can be found in a schema, wherever it is. The ids follow oasdiff's where that has the change."""

_OWN: dict[str, tuple[Severity, str]] = {
    "contract-removed": (_E, "A whole contract is gone."),
    "api-removed-without-deprecation": (_E, "An operation is gone that was not deprecated with an x-sunset."),
    "api-removed-before-sunset": (_E, "An operation is gone before its x-sunset."),
    "api-path-removed-without-deprecation": (_E, "A path is gone that was not deprecated with an x-sunset."),
    "api-path-removed-before-sunset": (_E, "A path is gone before its x-sunset."),
    "api-path-sunset-parse": (_E, "An operation is gone whose x-sunset is no date."),
    "api-deprecated-sunset-parse": (_E, "A deprecated operation's x-sunset is no date."),
    "api-sunset-date-changed-too-small": (_E, "A deprecated operation's x-sunset became earlier."),
    "sunset-deleted": (_E, "A deprecated operation has lost its x-sunset."),
    "api-stability-decreased": (_E, "An operation's x-stability-level became lower."),
    "api-invalid-stability-level": (_E, "An operation's x-stability-level is no level."),
    "api-security-anonymous-access-removed": (_E, "Whoever brings nothing is refused."),
    "api-security-removed": (_E, "A credential that was enough is not any more."),
    "api-security-scope-added": (_E, "A credential must have a further scope."),
    "api-security-component-type-changed": (_E, "A security scheme is of another type."),
    "api-security-component-http-scheme-changed": (_E, "A security scheme uses another HTTP scheme."),
    "api-security-component-api-key-in-changed": (_E, "An API key is carried in another place."),
    "api-security-component-api-key-name-changed": (_E, "An API key is carried under another name."),
    "api-security-component-oauth-url-changed": (_W, "People are sent elsewhere to get a token."),
    "api-security-component-oauth-token-url-changed": (_W, "Tokens come from another place."),
    "api-security-component-oauth-refresh-url-changed": (_W, "Tokens are refreshed elsewhere."),
    "api-security-component-openid-connect-url-changed": (_W, "An issuer describes itself elsewhere."),
    "new-required-request-parameter": (_E, "A parameter is new and must be sent."),
    "request-parameter-removed": (_E, "A query parameter is gone, and the gateway refuses it."),
    "request-parameter-ignored": (_W, "A parameter is gone; what is sent of it is not looked at."),
    "request-parameter-removed-before-sunset": (_E, "A deprecated parameter is gone before its x-sunset."),
    "request-parameter-sunset-parse": (_E, "A deprecated parameter's x-sunset is no date."),
    "request-parameter-sunset-deleted": (_E, "A deprecated parameter has lost its x-sunset."),
    "request-parameter-sunset-date-changed-too-small": (_E, "A deprecated parameter's x-sunset became earlier."),
    "request-parameter-became-required": (_E, "A parameter must be sent now."),
    "request-parameter-empty-value-refused": (_E, "A query parameter without a value is refused."),
    "request-parameter-style-changed": (_E, "A parameter is written in another way."),
    "request-parameter-content-changed": (_E, "A parameter is written in another media type."),
    "request-query-closed": (_E, "Query parameters that are not described are refused."),
    "new-required-request-header-property": (_E, "A property of a header is new and must be sent."),
    "request-header-property-became-required": (_E, "A property of a header must be sent now."),
    "request-header-property-became-enum": (_E, "Of a property of a header only listed values are taken."),
    "request-body-added-required": (_E, "A body must be sent where none was taken."),
    "request-body-removed": (_E, "A body is not taken any more."),
    "request-body-became-required": (_E, "A body must be sent now."),
    "request-body-media-type-removed": (_E, "A body's media type is not taken any more."),
    "request-body-media-type-schema-added": (_E, "A body without a schema has one now."),
    "request-body-encoding-changed": (_E, "A property of a form is written in another way."),
    "response-success-status-removed": (_E, "A 2xx response is gone."),
    "required-response-header-removed": (_E, "A response header that was always there is gone."),
    "optional-response-header-removed": (_W, "A response header that could be there is gone."),
    "response-header-became-optional": (_E, "A response header may be missing."),
    "response-media-type-removed": (_E, "A response does not come in a media type any more."),
    "response-media-type-name-generalized": (_E, "A response comes in a wider range of media types."),
    "response-media-type-name-changed": (_W, "A response comes as a special kind of its media type."),
    "response-media-type-parameter-removed": (_E, "A response's media type has lost a parameter."),
    "response-media-type-parameter-changed": (_E, "A response's media type has another parameter."),
    "response-body-media-type-schema-removed": (_E, "A response's schema is gone."),
    "version-named-otherwise": (_E, "What clients name a version by does not mean it any more."),
    "version-default-removed": (_E, "Requests that name no version do not mean this one any more."),
    "api-path-shadowed": (_W, "A new path is tried first, and takes some of the requests of another one."),
    "request-condition-added": (
        _E,
        "Only requests with a certain header or parameter mean the operation now (`match`).",
    ),
    "request-body-limit-decreased": (_E, "Smaller bodies are taken (`bodyLimit`)."),
    "api-enforced": (_E, "What breaks the contract was not looked at, and is refused now (`mode`)."),
    "api-enforced-after-report": (_W, "What breaks the contract was only reported, and is refused now (`mode`)."),
    "api-redirected": (_W, "Clients are sent elsewhere (`redirect`)."),
    "upgrade-removed": (_E, "An operation does not become a WebSocket any more (`upgrade`)."),
    "cors-narrowed": (_E, "Pages of other origins may do less (`cors`)."),
    "webhook-removed": (_E, "A webhook is gone."),
}

_SUBJECTS = {
    "request-body": "Request body",
    "request-property": "Inside a request body",
    "request-parameter": "Parameter",
    "request-parameter-property": "Inside a parameter",
    "response-body": "Response body",
    "response-property": "Inside a response body",
    "response-header": "Response header",
    "response-header-property": "Inside a response header",
}


def _codes() -> Iterator[tuple[str, Code]]:
    for kind in Kind:
        for what, row in ROWS.items():
            severity = row.request if kind.request else row.response
            for inside in (True,) if row.inner else (False, True):
                if severity is not None:
                    yield name(kind, what, inside), Code(severity, f"{_SUBJECTS[kind.value[inside]]}: {row.meaning}.")
    for id_, (severity, meaning) in _OWN.items():
        yield id_, Code(severity, meaning)


CHANGES: dict[str, Code] = dict(sorted(dict(_codes()).items()))
"""Every id that a comparison can find, with its weight: an error breaks clients, a warning may."""
