"""Body, Schemas -> whether the body passes unread; MediaType, Schemas -> whether its schema asks anything of the bytes.

A body of arbitrary bytes has nothing to judge, and to hold it back until it is whole would bound its size by the proxy's
memory: it is forwarded as it comes, while everything else of the request is judged. Its `limit` applies only where the
operation asks for one (`bodyLimit`), to the length that it must announce then.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from xds.model import Body, MediaType, SchemaRef, Schemas

_UNREAD = (
    "application/grpc",
    "application/grpc+proto",
    "application/octet-stream",
    "application/zip",
    "application/gzip",
    "application/pdf",
)
_FAMILIES = ("image/", "audio/", "video/", "font/")
_IDLE = frozenset(
    (
        "type",
        "format",
        "description",
        "title",
        "default",
        "deprecated",
        "examples",
        "example",
        "contentMediaType",
        "$comment",
    )
)


def streams(body: Body, schemas: Schemas) -> bool:
    """Whether every media type of the body is binary, with a schema that says nothing about the bytes."""
    return bool(body.media) and all(_binary(media, schemas) for media in body.media)


def unread(body: Body) -> bool:
    """Whether the body streams if no schema says anything of it; else it never does."""
    return bool(body.media) and all(map(_unread, body.media))


def _binary(media: MediaType, schemas: Schemas) -> bool:
    return _unread(media) and says_nothing(media, schemas)


def _unread(media: MediaType) -> bool:
    kind = media.range.partition(";")[0].strip()
    return kind in _UNREAD or kind.startswith(_FAMILIES)


def says_nothing(media: MediaType, schemas: Schemas) -> bool:
    """Whether a media type asks nothing of its bytes: no schema, `true`, or text of any kind and length. False in doubt.

    What nothing parses can only be let through if this holds.
    """
    return media.schema is None or _says_nothing(resolved(media.schema, schemas))


def _says_nothing(schema: Any) -> bool:
    if schema is True:
        return True
    if not isinstance(schema, dict) or schema.get("type", "string") != "string":
        return False
    if schema.get("format", "binary") != "binary":
        return False
    return all(key in _IDLE or key.startswith("x-") for key in schema)


def resolved(reference: SchemaRef, schemas: Schemas) -> Any:
    """The schema that a reference names; None if it is not there."""
    uri, _, pointer = reference.uri.partition("#")
    value = schemas.resources.get(uri)
    for token in unquote(pointer).split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        elif isinstance(value, dict):
            value = value.get(key)
        else:
            return None
    return value
