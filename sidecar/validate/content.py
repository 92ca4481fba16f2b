"""Text of one media type -> value, for `content` parameters and the parts of forms."""

from __future__ import annotations

from typing import Any

from xds.model import Shape

from . import strictjson
from .text import Decode, Malformed, scalar


def is_json(media_type: str) -> bool:
    """Whether a type is JSON by name or by structured suffix (RFC 6839, section 3.1). `media_type` is lower case."""
    return media_type == "application/json" or media_type.endswith("+json")


def json_value(data: bytes) -> Any:
    """Parse JSON, with `Malformed` for what is not."""
    try:
        return strictjson.read(data)
    except strictjson.NotJson as error:
        raise Malformed(error.detail, error.code) from None


def content_reading(media_type: str, shape: Shape, unescape: Decode) -> Decode:
    """How a text is read that holds a document of `media_type` (OpenAPI, Parameter Object, `content`)."""
    if is_json(media_type):
        return lambda raw: json_value(unescape(raw).encode("utf-8", "surrogatepass"))
    if media_type.startswith("text/"):
        decode = scalar(shape)
        return lambda raw: decode(unescape(raw))
    return unescape
