"""Shown: what a contract shows of an operation, its responses and its examples with what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xds.model import Place


@dataclass(frozen=True, slots=True)
class Broken:
    """One way in which an example breaks its schema: `pointer` leads into the value, `schema` is the violated keyword."""

    pointer: str
    message: str
    schema: Place


@dataclass(frozen=True, slots=True)
class Shown:
    """One example: its name (empty if it has none), its value, and what is wrong with it by its own schema."""

    name: str
    value: Any
    place: Place
    broken: tuple[Broken, ...] = ()


@dataclass(frozen=True, slots=True)
class ShownContent:
    """One media type of a body or a response. `range` is lower case, without parameters."""

    range: str
    examples: tuple[Shown, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class ShownResponse:
    """One entry of the Responses Object; `status` is `200`, `2XX` or `default`, `headers` are by lower-case name."""

    status: str
    contents: tuple[ShownContent, ...]
    headers: Mapping[str, tuple[Shown, ...]]
    place: Place


@dataclass(frozen=True, slots=True)
class ShownOperation:
    """What is shown of one Operation Object. `place` is that of the model's `Operation`, `parameters` are by location and
    name (lower case for headers), `security` has the places of the alternatives in their order."""

    place: Place
    parameters: Mapping[tuple[str, str], tuple[Shown, ...]]
    bodies: tuple[ShownContent, ...]
    responses: tuple[ShownResponse, ...]
    security: tuple[Place, ...] = ()
