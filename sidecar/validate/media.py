"""Content-Type -> the entry of a request body's `content` that it falls under."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from xds.model import MediaType

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = r'"(?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[\t\x20-\x7e\x80-\xff])*"'
_PARAMETER = re.compile(rf"[ \t]*;[ \t]*(?:({_TOKEN})=({_TOKEN}|{_QUOTED}))?")
_TYPE = re.compile(rf"({_TOKEN})/({_TOKEN})")


@dataclass(frozen=True, slots=True)
class ContentType:
    """A parsed media type (RFC 9110, section 8.3.1): `name` is `type/subtype`; it and parameter names are lower case."""

    name: str
    parameters: tuple[tuple[str, str], ...] = ()

    def parameter(self, name: str) -> str | None:
        return next((value for key, value in self.parameters if key == name), None)

    @property
    def is_utf8(self) -> bool:
        """Whether the text may be read as UTF-8: no charset, UTF-8 or its subset US-ASCII."""
        return (self.parameter("charset") or "utf-8").lower() in {"utf-8", "utf8", "us-ascii"}


@lru_cache(maxsize=256)
def parse_content_type(text: str) -> ContentType | None:
    """Parse one field value, whole; None for anything else, such as a list or a parameter given twice."""
    text = text.strip(" \t")
    head = _TYPE.match(text)
    if head is None:
        return None
    parameters: dict[str, str] = {}
    at = head.end()
    while at < len(text):
        match = _PARAMETER.match(text, at)
        if match is None or (match[1] and match[1].lower() in parameters):
            return None
        if match[1]:
            parameters[match[1].lower()] = _unquoted(match[2])
        at = match.end()
    return ContentType(head[0].lower(), tuple(parameters.items()))


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text


def choose(media: Iterable[MediaType], name: str) -> MediaType | None:
    """The most specific entry for a type: itself, then `type/*`, then `*/*` (OpenAPI, Request Body Object)."""
    by_range = {entry.range: entry for entry in media}
    for candidate in (name, name.partition("/")[0] + "/*", "*/*"):
        if candidate in by_range:
            return by_range[candidate]
    return None


def falls_under(name: str, ranges: Iterable[str]) -> bool:
    """Whether a type is within one of the ranges, parameters of the ranges set aside."""
    allowed = {each.partition(";")[0].strip().lower() for each in ranges}
    return not allowed.isdisjoint((name, name.partition("/")[0] + "/*", "*/*"))
