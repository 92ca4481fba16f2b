"""A contract in one document -> the same as one direction reads it, without what is readOnly or writeOnly there.

openapi-core knows that of OpenAPI 3.0 only, and there not behind a reference; JSON Schema takes both words for remarks. To the
gateway, and by OpenAPI's own words for them, such a property need not be there though it is `required`, and must not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

REFUSED: Mapping[str, Any] = {"not": {}}
"""The schema of a property that a direction has not."""

_DEPTH = 64
"""How many references and lists of parts lead on at most."""


def directed(document: Mapping[str, Any], word: str) -> dict[str, Any]:
    """The document for the direction in which `word` (`readOnly`: requests, `writeOnly`: answers) hides properties."""
    new = not str(document.get("openapi")).startswith("3.0")
    whole: dict[str, Any] = _Walk(document, word, new).of(document, frozenset())
    return whole


@dataclass(frozen=True, slots=True)
class _Walk:
    """`refuse`: properties that are hidden are refused here, since openapi-core does not do so itself."""

    document: Mapping[str, Any]
    word: str
    refuse: bool

    def of(self, value: Any, around: frozenset[str]) -> Any:
        """A part of the document; `around` are names that are hidden by what applies to the same object."""
        if isinstance(value, list):
            return [self.of(each, frozenset()) for each in value]
        if not isinstance(value, dict):
            return value
        hidden = around | frozenset(self._hidden(value, 0))
        found: dict[str, Any] = {
            key: [self.of(each, hidden) for each in inner]
            if key == "allOf" and isinstance(inner, list)
            else self.of(inner, frozenset())
            for key, inner in value.items()
        }
        if hidden and isinstance(value.get("required"), list):
            found["required"] = [name for name in value["required"] if name not in hidden]
        if hidden and self.refuse and isinstance(value.get("properties"), dict):
            refused = {name: {**REFUSED} for name in value["properties"] if name in hidden}
            found["properties"] = found["properties"] | refused
        return found

    def _hidden(self, schema: Any, depth: int) -> Iterator[str]:
        """Names of properties that an object's schema hides, also in what it refers to and is put together of."""
        schema = self._followed(schema)
        if not isinstance(schema, dict) or depth > _DEPTH:
            return
        properties, parts = schema.get("properties"), schema.get("allOf")
        for name, inner in properties.items() if isinstance(properties, dict) else ():
            if self._marked(inner, 0):
                yield name
        for part in parts if isinstance(parts, list) else ():
            yield from self._hidden(part, depth + 1)

    def _marked(self, schema: Any, depth: int) -> bool:
        if not isinstance(schema, dict) or depth > _DEPTH:
            return False
        if schema.get(self.word) is True:
            return True
        parts = schema.get("allOf")
        led = self._followed(schema)
        further = [*(parts if isinstance(parts, list) else ()), *([led] if led is not schema else ())]
        return any(self._marked(each, depth + 1) for each in further)

    def _followed(self, value: Any) -> Any:
        """What a reference inside the document leads to; the value itself where there is none, or none that leads anywhere."""
        reference = value.get("$ref") if isinstance(value, dict) else None
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return value
        found: Any = self.document
        for step in unquote(reference[2:]).split("/"):
            key = step.replace("~1", "/").replace("~0", "~")
            if isinstance(found, list) and key.isdigit() and int(key) < len(found):
                found = found[int(key)]
            elif isinstance(found, dict) and key in found:
                found = found[key]
            else:
                return value
        return found
