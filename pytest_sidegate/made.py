"""A schema in a contract -> a value that it allows, always the same one: for answers of which the contract has no example.

Small on purpose: examples say more than anything made up. What comes out is judged as everything else, so that a schema which
asks for more than is understood here is told so, with its place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from posixpath import dirname, normpath
from typing import Any
from urllib.parse import unquote

from xds.model import Place
from xds.source import load

DEPTH = 12
"""How deep optional parts are made."""


class Unmade(LookupError):
    """No value can be made; the text says for which schema, and that an example would do."""


Files = Mapping[str, bytes]


def made(files: Files, owner: Place, key: str, root: str) -> Any:
    """A value for the schema at `key` (`schema`, `headers/x-page`) of a Media Type or Response Object. Raises `Unmade`."""
    maker = _Maker(files, {})
    at = _At(*maker.follow(maker.value(owner.file or root, owner.pointer), owner.file or root), owner)
    for step in key.split("/"):
        inner = at.value
        names = {name.lower(): name for name in inner} if isinstance(inner, dict) else {}
        if step.lower() not in names:
            raise Unmade(f"{owner.file}#{owner.pointer} has no `{step}` and no example: write an example there")
        at = _At(*maker.follow(inner[names[step.lower()]], at.file), owner)
    if key.startswith("headers/"):
        return made_of_header(maker, at)
    return maker.make(at.value, at.file, owner, 0)


def made_of_header(maker: _Maker, at: _At) -> Any:
    """A value of a Header Object."""
    schema = at.value.get("schema") if isinstance(at.value, dict) else None
    if schema is None:
        raise Unmade(f"{at.owner.file}#{at.owner.pointer} has a header without schema and example")
    return maker.make(schema, at.file, at.owner, 0)


def header_of(files: Files, owner: Place, name: str, root: str) -> Mapping[str, Any]:
    """The Header Object of a Response Object, by its name in lower case; nothing where there is none."""
    maker = _Maker(files, {})
    response, file = maker.follow(maker.value(owner.file or root, owner.pointer), owner.file or root)
    headers = response.get("headers") if isinstance(response, dict) else None
    listed = headers.items() if isinstance(headers, dict) else ()
    found, _ = maker.follow(next((value for key, value in listed if key.lower() == name), None), file)
    return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True)
class _At:
    value: Any
    file: str
    owner: Place


@dataclass(slots=True)
class _Maker:
    files: Files
    known: dict[str, Any]

    def value(self, file: str, pointer: str) -> Any:
        """What is written at a place."""
        if file not in self.known:
            document, _ = load(file, self.files[file]) if file in self.files else (None, ())
            self.known[file] = document.value if document is not None else None
        found = self.known[file]
        for step in unquote(pointer).split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            found = found[int(key)] if isinstance(found, list) else found.get(key) if isinstance(found, dict) else None
        return found

    def follow(self, value: Any, file: str) -> tuple[Any, str]:
        """A value without the `$ref` that leads to it, and its file."""
        for _ in range(64):
            reference = value.get("$ref") if isinstance(value, dict) else None
            if not isinstance(reference, str):
                return value, file
            target, _, pointer = reference.partition("#")
            file = normpath(f"{dirname(file)}/{unquote(target)}") if target else file
            value = self.value(file, pointer)
        raise Unmade(f"{file}: a reference leads to itself")

    def make(self, schema: Any, file: str, owner: Place, depth: int) -> Any:
        """A value for a schema."""
        schema, file = self.follow(schema, file)
        if not isinstance(schema, dict):
            return None
        if depth > 4 * DEPTH:
            raise Unmade(f"{owner.file}#{owner.pointer}: the schema holds itself without end: write an example there")
        for word in ("const", "example", "default"):
            if word in schema:
                return schema[word]
        for word in ("examples", "enum"):
            if isinstance(schema.get(word), list) and schema[word]:
                return schema[word][0]
        if schema.get("allOf"):
            return self._merged(schema, file, owner, depth)
        for word in ("oneOf", "anyOf"):
            if schema.get(word):
                return self.make(schema[word][0], file, owner, depth + 1)
        return self._of_type(schema, file, owner, depth)

    def _merged(self, schema: Mapping[str, Any], file: str, owner: Place, depth: int) -> Any:
        rest = {name: value for name, value in schema.items() if name != "allOf"}
        parts = [self.make(part, file, owner, depth + 1) for part in schema["allOf"]]
        parts += [self._of_type(rest, file, owner, depth + 1)] if "properties" in rest or not parts else []
        if all(isinstance(part, dict) for part in parts):
            return {name: value for part in parts for name, value in part.items()}
        return parts[0]

    def _of_type(self, schema: Mapping[str, Any], file: str, owner: Place, depth: int) -> Any:
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = next((each for each in kind if each != "null"), "null")
        if kind is None:
            kind = "object" if "properties" in schema else "array" if "items" in schema else "string"
        match kind:
            case "object":
                return self._object(schema, file, owner, depth)
            case "array":
                items = range(schema.get("minItems", 1 if depth < DEPTH and "items" in schema else 0))
                return [self.make(schema.get("items", {}), file, owner, depth + 1) for _ in items]
            case "integer" | "number":
                return _number(schema, kind)
            case "boolean":
                return True
            case "null":
                return None
        return _text(schema, owner)

    def _object(self, schema: Mapping[str, Any], file: str, owner: Place, depth: int) -> dict[str, Any]:
        required = schema.get("required", ())
        properties = schema.get("properties", {})
        found = {}
        for name, inner in properties.items():
            whole, _ = self.follow(inner, file)
            hidden = isinstance(whole, dict) and whole.get("writeOnly")
            if not hidden and (name in required or depth < 2):
                found[name] = self.make(inner, file, owner, depth + 1)
        for name in required:
            if name not in properties:
                found[name] = "text"
        return found


_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


def _number(schema: Mapping[str, Any], kind: str) -> Any:
    least, most, above, below = (schema.get(name) for name in _BOUNDS)
    if above is True:  # OpenAPI 3.0: whether the minimum itself is out
        least, above = None, least
    if below is True:
        most, below = None, most
    step = schema.get("multipleOf")
    highest = most if most is not None else below - 1 if below else 1
    lowest = least if least is not None else above + 1 if above else None
    value: Any = min(1, highest)
    value = value if lowest is None else max(value, lowest)
    if step:
        value = -(-value // step) * step
    return int(value) if kind == "integer" else value


_FORMATS = {
    "uuid": "1c9d3a52-4e0b-4a52-8f43-2f4b6f0a7c11",
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "P1D",
    "email": "ada@example.com",
    "idn-email": "ada@example.com",
    "hostname": "example.com",
    "idn-hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uri-reference": "/example",
    "iri": "https://example.com/",
    "iri-reference": "/example",
    "json-pointer": "/a",
    "byte": "YWJj",
}


def _text(schema: Mapping[str, Any], owner: Place) -> str:
    text = _FORMATS.get(str(schema.get("format")), "text")
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    if "format" not in schema:
        text = text.ljust(least, "x")[: most if most is not None else None]
    pattern = schema.get("pattern")
    if isinstance(pattern, str) and not re.search(pattern, text):
        candidates = (each * max(least, 1) for each in ("a", "A", "0", "x1", "-"))
        text = next((each for each in candidates if re.search(pattern, each)), "")
        if not text:
            raise Unmade(f"{owner.file}#{owner.pointer}: no text is made for a pattern: write an example there")
    return text
