"""What a request may bring: its parameters and its body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from xds.place import Place

from .schemas import SchemaRef, Shape


class Location(StrEnum):
    """OpenAPI's `in`. `QUERYSTRING` is 3.2's whole-query parameter."""

    PATH = "path"
    QUERY = "query"
    HEADER = "header"
    COOKIE = "cookie"
    QUERYSTRING = "querystring"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One effective parameter of an operation (OpenAPI, Parameter Object), path-item and operation level merged.

    `style` and `explode` have their defaults filled in. Exactly one of `style` and `media_type` is set: `media_type` is
    the key of a `content` parameter, whose text is one document of that type. `name` is lower case for headers.
    """

    name: str
    location: Location
    required: bool
    schema: SchemaRef | None
    shape: Shape
    style: str | None = "simple"
    explode: bool = False
    allow_reserved: bool = False
    allow_empty: bool = False
    media_type: str | None = None
    place: Place = Place("")


@dataclass(frozen=True, slots=True)
class Encoding:
    """How one property of a form or multipart body is written (OpenAPI, Encoding Object), defaults filled in."""

    content_types: tuple[str, ...]
    style: str | None = None
    explode: bool = True
    allow_reserved: bool = False
    headers: tuple[Parameter, ...] = ()


@dataclass(frozen=True, slots=True)
class MediaType:
    """One entry of a request body's `content`. `range` is the key, lower case, without parameters (`*/*` is one)."""

    range: str
    schema: SchemaRef | None
    shape: Shape | None
    encodings: Mapping[str, Encoding] = field(default_factory=dict)
    place: Place = Place("")


@dataclass(frozen=True, slots=True)
class Body:
    """OpenAPI's Request Body Object. `limit` is in bytes."""

    required: bool
    media: tuple[MediaType, ...]
    limit: int
    place: Place
