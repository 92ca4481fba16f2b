"""Schemas, as requests are judged by them, and what text may be decoded to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from xds.place import Place


@dataclass(frozen=True, slots=True)
class SchemaRef:
    """A schema in `Schemas`: `uri` is absolute, with an RFC 6901 pointer as its fragment; `place` is where it was written."""

    uri: str
    place: Place


@dataclass(frozen=True, slots=True)
class Schemas:
    """All schemas that a version's requests are judged by, lowered to plain JSON Schema 2020-12 in request direction.

    `resources` maps an absolute URI without fragment (`sidegate:///contracts/catalog/v1.yaml`, or a schema's own `$id`)
    to a mapping whose keys are pointers in that file and whose values are the schemas written there: the URI of
    `/components/schemas/Pet` ends in `#/~1components~1schemas~1Pet`, so that no schema lies inside another. Dialect
    differences (3.0's `nullable`, boolean `exclusiveMinimum`, ignored siblings of `$ref`), `readOnly` and `discriminator`
    are already expressed in 2020-12 keywords; every `$ref` is absolute. What an engine says of a keyword's URI,
    `xds.contract.schema_place` turns into the place in the source file.
    """

    resources: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Shape:
    """What text may be decoded to, drawn from a parameter's or form field's schema (through `$ref` and `allOf`...).

    `types` are JSON Schema type names, all seven if the schema does not say; `items` is the shape of array items,
    `properties` of known object members, `additional` of the others (None: decode them as strings).
    """

    types: frozenset[str]
    items: Shape | None = None
    properties: Mapping[str, Shape] = field(default_factory=dict)
    additional: Shape | None = None
