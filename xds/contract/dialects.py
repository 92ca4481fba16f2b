"""OpenAPI 3.0, 3.1 and 3.2: every difference that Sidegate knows of, in one place."""

from __future__ import annotations

from dataclasses import dataclass

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")

_DOCUMENT = frozenset({"openapi", "info", "servers", "paths", "components", "security", "tags", "externalDocs"})
_PATH_ITEM = frozenset({"$ref", "summary", "description", "servers", "parameters", *_METHODS})
_OPERATION = frozenset(
    {
        "tags",
        "summary",
        "description",
        "externalDocs",
        "operationId",
        "parameters",
        "requestBody",
        "responses",
        "callbacks",
        "deprecated",
        "security",
        "servers",
    }
)
_PARAMETER = frozenset(
    {
        "name",
        "in",
        "description",
        "required",
        "deprecated",
        "allowEmptyValue",
        "style",
        "explode",
        "allowReserved",
        "schema",
        "example",
        "examples",
        "content",
    }
)
_MEDIA_TYPE = frozenset({"schema", "example", "examples", "encoding"})
_ENCODING = frozenset({"contentType", "headers", "style", "explode", "allowReserved"})

_FORMATS_30 = frozenset(
    {"date", "date-time", "email", "hostname", "ipv4", "ipv6", "uri", "uri-reference", "uuid", "byte", "float"}
)
_FORMATS_31 = _FORMATS_30 | {
    "time",
    "duration",
    "idn-email",
    "idn-hostname",
    "iri",
    "iri-reference",
    "uri-template",
    "json-pointer",
    "relative-json-pointer",
    "regex",
}


@dataclass(frozen=True, slots=True)
class Dialect:
    """One minor version of OpenAPI.

    `draft4` says that Schema Objects are 3.0's own: `nullable`, boolean `exclusiveMinimum`, one `type`, siblings of
    `$ref` ignored. Otherwise they are JSON Schema 2020-12. `formats` are those asserted in requests.
    """

    name: str
    draft4: bool
    methods: tuple[str, ...] = _METHODS
    document: frozenset[str] = _DOCUMENT
    path_item: frozenset[str] = _PATH_ITEM
    operation: frozenset[str] = _OPERATION
    parameter: frozenset[str] = _PARAMETER
    media_type: frozenset[str] = _MEDIA_TYPE
    encoding: frozenset[str] = _ENCODING
    formats: frozenset[str] = _FORMATS_30
    paths_required: bool = True
    http_roles: bool = False  # scopes may stand beside an `http` scheme (3.1: "a list of role names")
    querystring: bool = False
    additional_operations: bool = False
    cookie_style: bool = False
    multipart_styles: bool = False  # `style` and `explode` of encodings count for multipart too
    mutual_tls: bool = False


V30 = Dialect("3.0", draft4=True)
V31 = Dialect(
    "3.1",
    draft4=False,
    document=_DOCUMENT | {"jsonSchemaDialect", "webhooks"},
    formats=_FORMATS_31,
    paths_required=False,
    http_roles=True,
    multipart_styles=True,
    mutual_tls=True,
)
V32 = Dialect(
    "3.2",
    draft4=False,
    methods=(*_METHODS, "query"),
    document=_DOCUMENT | {"jsonSchemaDialect", "webhooks", "$self"},
    path_item=_PATH_ITEM | {"query", "additionalOperations"},
    media_type=_MEDIA_TYPE | {"itemSchema", "prefixEncoding", "itemEncoding", "description"},
    encoding=_ENCODING | {"encoding", "prefixEncoding", "itemEncoding"},
    formats=_FORMATS_31,
    paths_required=False,
    http_roles=True,
    querystring=True,
    additional_operations=True,
    cookie_style=True,
    multipart_styles=True,
    mutual_tls=True,
)

_KNOWN = {d.name: d for d in (V30, V31, V32)}


def dialect(version: str) -> Dialect | None:
    """The dialect of an `openapi` field such as `3.0.3`; None if Sidegate does not read it."""
    major, dot, rest = version.partition(".")
    return _KNOWN.get(f"{major}.{rest.partition('.')[0]}") if dot else None


COMPONENTS = frozenset(
    {
        "schemas",
        "responses",
        "parameters",
        "examples",
        "requestBodies",
        "headers",
        "securitySchemes",
        "links",
        "callbacks",
        "pathItems",
        "mediaTypes",
    }
)
