"""Lowered schema -> values that it accepts."""

from __future__ import annotations

import math
import random
import re
from dataclasses import dataclass, field
from typing import Any

from tests.generate import texts
from tests.generate.schemas import Library

ALL = frozenset({"array", "boolean", "null", "number", "object", "string"})
DEPTH = 4
"""Below this depth only what is required is made."""
TRIES = 60


class Unmade(ValueError):
    """No value was found."""


@dataclass
class Asked:
    """What several schemas ask of one value together."""

    types: frozenset[str] = ALL
    whole: bool = False
    allowed: list[list[Any]] = field(default_factory=list)
    required: dict[str, None] = field(default_factory=dict)
    members: dict[str, list[Any]] = field(default_factory=dict)
    others: list[Any] = field(default_factory=list)
    items: list[Any] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    step: float | None = None
    patterns: list[str] = field(default_factory=list)
    formats: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)


class Values:
    """Draws values for the schemas of a library. `wide` says whether texts may hold any character, or plain ones only."""

    def __init__(self, library: Library, rng: random.Random, wide: bool = True) -> None:
        self.library = library
        self.rng = rng
        self.alphabet = texts.WIDE if wide else texts.PLAIN

    def valid(self, uri: str, nonempty: bool = False) -> Any:
        """A value that the library's judge accepts. Raises `Unmade` if none was found in `TRIES` draws."""
        for _ in range(TRIES):
            try:
                value = self.draw({"$ref": uri}, 0)
            except Unmade:
                continue
            if self.library.accepts(uri, value) and not (nonempty and value in ("", [], {}, [""])):
                return value
        raise Unmade(uri)

    def draw(self, schema: Any, depth: int) -> Any:
        """A value for a schema, likely but not certain to be valid."""
        asked = Asked()
        self._merge(schema, asked)
        if asked.allowed:
            return self.rng.choice(_common(asked.allowed))
        kinds = sorted(asked.types)
        if asked.members and "object" in kinds:
            kinds = ["object"]
        if len(kinds) > 1:
            kinds = [k for k in kinds if k != "null"]
        if not kinds:
            raise Unmade
        draw = {
            "array": self._array,
            "object": self._object,
            "string": self._string,
            "number": self._number,
            "boolean": lambda *_: self.rng.random() < 0.5,
            "null": lambda *_: None,
        }[self.rng.choice(kinds)]
        return draw(asked, depth)

    def _merge(self, schema: Any, into: Asked, depth: int = 0) -> None:
        if schema is True:
            return
        if schema is False or schema.get("not") == {} or depth > 30:
            raise Unmade
        if "$ref" in schema:
            self._merge(self.library.schema(schema["$ref"]), into, depth + 1)
        _merge_own(schema, into)
        parts = schema.get("allOf", [])
        taken = self.rng.choice([part for part in parts if _is_choice(part)] or [None])
        for part in parts:
            # A row of conditions is a discriminator's dispatch, of which exactly one holds.
            if not _is_choice(part) or part is taken:
                self._merge(part, into, depth + 1)
        for word in ("oneOf", "anyOf"):
            if word in schema:
                self._merge(self.rng.choice(schema[word]), into, depth + 1)
        if "if" in schema:
            self._merge(schema["if"], into, depth + 1)
            self._merge(schema.get("then", True), into, depth + 1)

    def _object(self, asked: Asked, depth: int) -> dict[str, Any]:
        value: dict[str, Any] = {}
        for name in {**asked.members, **asked.required}:
            needed = name in asked.required
            if not needed and (depth >= DEPTH or self.rng.random() > (0.7, 0.5, 0.3, 0.2)[depth]):
                continue
            parts = asked.members.get(name) or asked.others or [True]
            try:
                value[name] = self.draw({"allOf": parts}, depth + 1)
            except Unmade:
                if needed:
                    raise
        free = [part for part in asked.others if part is not True]
        if free and depth < DEPTH and False not in free:
            value[texts.text(self.rng, texts.PLAIN, 1, 8)] = self.draw({"allOf": free}, depth + 1)
        return value

    def _array(self, asked: Asked, depth: int) -> list[Any]:
        least = asked.counts.get("minItems", 0)
        most = min(asked.counts.get("maxItems", least + 3), least + 3)
        count = least if depth >= DEPTH else self.rng.randint(min(max(least, 1), most), max(most, least))
        return [self.draw({"allOf": asked.items}, depth + 1) for _ in range(count)]

    def _string(self, asked: Asked, depth: int) -> str:
        if asked.formats and asked.formats[0] in texts.FORMATS:
            return self.rng.choice(texts.FORMATS[asked.formats[0]])
        least, most = asked.counts.get("minLength", 0), asked.counts.get("maxLength")
        if not asked.patterns:
            return texts.text(self.rng, self.alphabet, least, most)
        for _ in range(TRIES):
            value = texts.matching(self.rng, asked.patterns[0])
            value += "" if least <= len(value) else value[-1:] * (least - len(value))
            if len(value) <= (most or len(value)) and all(re.search(p, value) for p in asked.patterns):
                return value
        raise Unmade

    def _number(self, asked: Asked, depth: int) -> float:
        low = max(asked.low, default=min(asked.high, default=100.0) - 100)
        high = max(min(asked.high, default=low + 100), low)
        if asked.whole or asked.step:
            step = asked.step or 1
            first, last = math.ceil(low / step), math.floor(high / step)
            if first > last:
                raise Unmade
            found = self.rng.choice((first, last, self.rng.randint(first, last))) * step
            return int(found) if asked.whole else found
        return self.rng.choice((low, high, round(self.rng.uniform(low, high), 2)))


def _is_choice(schema: Any) -> bool:
    return isinstance(schema, dict) and "if" in schema


def _merge_own(schema: dict[str, Any], into: Asked) -> None:
    """A schema's own keywords, those that apply other schemas to the same value aside."""
    if "type" in schema:
        types = {schema["type"]} if isinstance(schema["type"], str) else set(schema["type"])
        into.whole |= "integer" in types and "number" not in types
        into.types &= frozenset("number" if t == "integer" else t for t in types)
    if "enum" in schema:
        into.allowed.append(schema["enum"])
    if "const" in schema:
        into.allowed.append([schema["const"]])
    into.required |= dict.fromkeys(schema.get("required", ()))
    for name, part in schema.get("properties", {}).items():
        into.members.setdefault(name, []).append(part)
    for word, parts in (("additionalProperties", into.others), ("items", into.items)):
        if word in schema:
            parts.append(schema[word])
    into.low += [schema[w] for w in ("minimum",) if w in schema]
    into.high += [schema[w] for w in ("maximum",) if w in schema]
    into.low += [math.nextafter(schema[w], math.inf) for w in ("exclusiveMinimum",) if w in schema]
    into.high += [math.nextafter(schema[w], -math.inf) for w in ("exclusiveMaximum",) if w in schema]
    into.step = schema.get("multipleOf", into.step)
    into.patterns += [schema["pattern"]] if "pattern" in schema else []
    into.formats += [schema["format"]] if "format" in schema else []
    for word in ("minItems", "minLength"):
        into.counts[word] = max(into.counts.get(word, 0), schema.get(word, 0))
    for word in ("maxItems", "maxLength"):
        if word in schema:
            into.counts[word] = min(into.counts.get(word, schema[word]), schema[word])


def _common(lists: list[list[Any]]) -> list[Any]:
    found = [value for value in lists[0] if all(any(_same(value, v) for v in other) for other in lists[1:])]
    if not found:
        raise Unmade
    return found


def _same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and a == b
