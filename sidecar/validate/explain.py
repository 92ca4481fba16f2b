"""Value that is not valid -> findings, in bounded time.

The engine answers `is_valid` in time linear in the value, recursion through alternatives included, because it remembers.
Its lists of errors do not: they hold those of every alternative at every level, so that a recursive `oneOf` costs powers
of the value's depth, and a megabyte of wrong items costs seconds. So the list is only asked for where it is known to be
short; elsewhere the wrong member is looked for with `is_valid` first, and what remains too costly is one finding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit

from xds.model import SchemaRef

from .schema import Finding, Library, place

BUDGET = 8_192
"""Errors that one list may hold, at about 15 us each."""

DEEPEST = 16
LIMIT = 64
"""Findings that are looked for; `report.CAP` is smaller."""

_SAME = ("allOf", "anyOf", "oneOf")
_SAME_ONE = ("if", "then", "else", "not")
_CHILD = ("items", "additionalProperties", "contains", "propertyNames", "unevaluatedItems", "unevaluatedProperties")
_CHILDREN = ("properties", "patternProperties")


class Checked:
    """One schema, prepared. `is_valid(value)` is the engine's own method, to spare a call."""

    __slots__ = ("_checks", "_uri", "is_valid")

    def __init__(self, uri: str, checks: Checks) -> None:
        self._uri = uri
        self._checks = checks
        self.is_valid = checks.library.check(uri).is_valid

    def explain(self, value: Any, size: int) -> Iterator[Finding]:
        """Why `value`, of about `size` characters of text, does not conform; 1 to `LIMIT` findings, lazily."""
        findings = islice(self._checks.findings(self._uri, value, size, ()), LIMIT)
        yield next(findings, _unexplained((), self._uri))
        yield from findings


class Checks:
    """The schemas of one version, each prepared when it is first asked for; remembers how ambiguous each is."""

    def __init__(self, resources: Mapping[str, Any]) -> None:
        self.library = Library(resources)
        self._ways: dict[tuple[str, int], int] = {}

    def check(self, schema: SchemaRef | None) -> Checked | None:
        """The prepared schema of a parameter or media type, None if it has none."""
        return Checked(canonical(schema.uri), self) if schema else None

    def findings(self, uri: str, value: Any, size: int, path: tuple[str | int, ...]) -> Iterator[Finding]:
        ways = self.ways(uri, depth(value))
        if ways * (size // 8 + 1) <= BUDGET:
            for finding in self.library.check(uri).findings(value):
                yield Finding((*path, *finding.path), finding.code, finding.detail, finding.schema)
            return
        wrong = list(self._wrong_members(uri, value, path)) if len(path) < DEEPEST else []
        for member_uri, member, step in wrong:
            yield from self.findings(member_uri, member, _share(size, value, member), (*path, *step))
        if not wrong and ways == 1:
            for finding in self.library.check(uri).findings(value, only_first=True):
                yield Finding((*path, *finding.path), finding.code, finding.detail, finding.schema)
        elif not wrong:
            yield _unexplained(path, uri)

    def _wrong_members(self, uri: str, value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str, Any, Any]]:
        """Subschemas that must hold and do not: (URI, value, further path), at most `LIMIT`."""
        found = 0
        for member_uri, member, step in self._members(uri, value):
            if not self.library.check(member_uri).is_valid(member):
                yield member_uri, member, step
                found += 1
                if found >= LIMIT:
                    return

    def _members(self, uri: str, value: Any) -> Iterator[tuple[str, Any, Any]]:
        schema = self._schema(uri)
        if not isinstance(schema, dict):
            return
        if target := self._target(uri, schema):
            yield target, value, ()
        for index in range(len(schema.get("allOf", ()))):
            yield f"{uri}/allOf/{index}", value, ()
        if isinstance(value, dict):
            for name in schema.get("properties", ()):
                if name in value:
                    yield f"{uri}/properties/{escaped(name)}", value[name], (name,)
        elif isinstance(value, list) and "items" in schema:
            for index in range(len(schema.get("prefixItems", ())), len(value)):
                yield f"{uri}/items", value[index], (index,)

    def ways(self, uri: str, levels: int) -> int:
        """In how many ways the schema can come to look at one place of a value `levels` deep: 1 if it has no
        alternatives, and no more than `BUDGET` + 1."""
        if levels > DEEPEST:
            return BUDGET + 1
        key = (uri, levels)
        if (known := self._ways.get(key)) is None:
            self._ways[key] = 1  # for a schema that leads to itself at the same place, which the compiler refuses
            known = self._ways[key] = self._count(uri, levels)
        return known

    def _count(self, uri: str, levels: int) -> int:
        schema = self._schema(uri)
        if not isinstance(schema, dict):
            return 1
        if "$dynamicRef" in schema:
            return BUDGET + 1
        total = 0
        for inner in self._same(uri, schema):
            total += self.ways(inner, levels)
            if total > BUDGET:
                return BUDGET + 1
        below = [self.ways(inner, levels - 1) for inner in _children(uri, schema)] if levels else []
        return max(1, min(total + max(below, default=0), BUDGET + 1))

    def _same(self, uri: str, schema: dict[str, Any]) -> Iterator[str]:
        if target := self._target(uri, schema):
            yield target
        for keyword in _SAME:
            for index in range(len(schema.get(keyword, ()))):
                yield f"{uri}/{keyword}/{index}"
        for keyword in _SAME_ONE:
            if keyword in schema:
                yield f"{uri}/{keyword}"
        for name in schema.get("dependentSchemas", ()):
            yield f"{uri}/dependentSchemas/{escaped(name)}"

    def _target(self, uri: str, schema: dict[str, Any]) -> str | None:
        reference = schema.get("$ref")
        return canonical(joined(uri, reference)) if isinstance(reference, str) else None

    def _schema(self, uri: str) -> Any:
        """The schema at a URI with a pointer; a reference by anchor is followed by the engine only, hence ambiguous."""
        resource, _, fragment = uri.partition("#")
        value: Any = self.library.resources.get(resource, _DYNAMIC)
        if fragment and not fragment.startswith("/"):
            return _DYNAMIC
        for step in unquote(fragment).split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            try:
                value = value[int(name)] if isinstance(value, list) else value[name]
            except (LookupError, TypeError, ValueError):
                return _DYNAMIC
        return value


_DYNAMIC: dict[str, Any] = {"$dynamicRef": "#"}


def _children(uri: str, schema: dict[str, Any]) -> Iterator[str]:
    for keyword in _CHILD:
        if isinstance(schema.get(keyword), dict):
            yield f"{uri}/{keyword}"
    for keyword in _CHILDREN:
        for name in schema.get(keyword, ()):
            yield f"{uri}/{keyword}/{escaped(name)}"
    for index in range(len(schema.get("prefixItems", ()))):
        yield f"{uri}/prefixItems/{index}"


def canonical(uri: str) -> str:
    """A schema's URI with a fragment that members' pointers can be appended to."""
    return uri if "#" in uri else uri + "#"


def joined(base: str, reference: str) -> str:
    """A reference resolved against a base URI (RFC 3986, section 5), also for schemes that `urljoin` does not know."""
    if reference.startswith("#"):
        return base.partition("#")[0] + reference
    scheme, colon, rest = base.partition(":")
    if colon and urlsplit(reference).scheme == "":
        return scheme + urljoin("http:" + rest, reference).removeprefix("http")
    return reference


def escaped(name: str) -> str:
    """A property name as one step of a pointer in a URI fragment (RFC 6901, section 6)."""
    return quote(name.replace("~", "~0").replace("/", "~1"), safe="~")


def depth(value: Any) -> int:
    """How many arrays and objects enclose the innermost value."""
    levels, level = 0, [value]
    while level := [
        item
        for parent in level
        if isinstance(parent, (dict, list))
        for item in (parent.values() if isinstance(parent, dict) else parent)
    ]:
        levels += 1
    return levels


def _share(size: int, parent: Any, member: Any) -> int:
    """The size of a member, given its parent's: that of a text is known, arrays and objects are taken to be alike."""
    if isinstance(member, (dict, list)):
        return size if member is parent else size // (len(parent) or 1)
    return len(member) if isinstance(member, str) else 0


def _unexplained(path: tuple[str | int, ...], uri: str) -> Finding:
    return Finding(path, "schema", "does not match the schema", place(uri))
