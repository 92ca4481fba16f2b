"""JSON Schema resources -> prepared checks. The only module that touches the JSON Schema engine.

The engine never retrieves: what is not among the resources does not resolve. Patterns run on its linear-time automaton,
which has no look-around and no back-references; the compiler has refused contracts that need them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jsonschema_rs as engine

from xds.contract import schema_place

from .wording import CODES_BY_KEYWORD, wording

_FALSE = {
    "additionalProperties": "unknown-property",
    "unevaluatedProperties": "unknown-property",
    "items": "unknown-item",
    "unevaluatedItems": "unknown-item",
}
"""What `false` means under these keywords."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One violated keyword: `path` leads into the value, `schema` is the keyword's place as `file#pointer`."""

    path: tuple[str | int, ...]
    code: str
    detail: str
    schema: str | None


class Check:
    """One schema, compiled. `is_valid(value)` is the engine's own method, to spare a call."""

    __slots__ = ("_validator", "is_valid")

    def __init__(self, validator: engine.Draft202012Validator) -> None:
        self._validator = validator
        self.is_valid = validator.is_valid

    def findings(self, value: Any, only_first: bool = False) -> Iterator[Finding]:
        """What is wrong with a value that is not valid. The engine collects all errors before it gives the first, about
        15 us each, those of alternatives too; `explain.py` knows when to ask for all, for the first, or for none."""
        if only_first:
            try:
                self._validator.validate(value)
            except engine.ValidationError as first:
                yield from _findings(first)
            return
        for error in self._validator.iter_errors(value):
            yield from _findings(error)


class Library:
    """The resources of one version, each schema in it compiled when it is first asked for."""

    def __init__(self, resources: Mapping[str, Any]) -> None:
        self.resources = resources
        self._registry: engine.Registry | None = None
        self._checks: dict[str, Check] = {}

    def check(self, uri: str) -> Check:
        """The check of the schema at an absolute URI.

        Raises `engine.ValidationError` or `engine.ReferencingError` for what is no schema, which the compiler rules out.
        """
        if (check := self._checks.get(uri)) is None:
            check = self._checks[uri] = compile_schema({"$ref": uri}, self._prepared())
        return check

    def _prepared(self) -> engine.Registry:
        if self._registry is None:
            self._registry = registry(self.resources)
        return self._registry


def registry(resources: Mapping[str, Any]) -> engine.Registry:
    """The resources as the engine wants them, by absolute URI without fragment."""
    return engine.Registry(list(resources.items()), draft=engine.Draft202012, retriever=_refuse)


def compile_schema(schema: Any, known: engine.Registry, formats: bool = True, base_uri: str | None = None) -> Check:
    """Compile one 2020-12 schema. `formats` says whether `format` is asserted or, as by default in 2020-12, noted."""
    return Check(
        engine.Draft202012Validator(
            schema,
            registry=known,
            validate_formats=formats,
            pattern_options=engine.RegexOptions(),
            retriever=_refuse,
            base_uri=base_uri,
            mask="value",
            email_options=engine.EmailOptions(allow_display_text=False),
        )
    )


def _refuse(uri: str) -> Any:
    raise LookupError(f"{uri} is not among the contract's resources")


def _findings(error: engine.ValidationError) -> Iterator[Finding]:
    """An error of the engine as findings: one for each unknown property, and an alternative's own errors if only one
    alternative can have been meant."""
    kind = error.kind
    where = place(error.absolute_keyword_location)
    path = tuple(error.instance_path)
    match kind:
        case kind.AdditionalProperties(unexpected) | kind.UnevaluatedProperties(unexpected):
            for name in unexpected:
                yield Finding((*path, name), "unknown-property", "is not a property that the schema allows", where)
        case kind.UnevaluatedItems(unexpected):
            for _ in unexpected:
                yield Finding(path, "unknown-item", "has more items than the schema allows", where)
        case kind.AnyOf(context) | kind.OneOfNotValid(context) if (branch := _meant(context, path)) is not None:
            for inner in branch:
                yield from _findings(inner)
        case kind.FalseSchema() if code := _FALSE.get(str(error.schema_path[-1]) if error.schema_path else ""):
            yield Finding(path, code, wording(kind), where)
        case kind.Not(schema) if schema in ({}, True):  # `readOnly` in a request, as the compiler writes it
            yield Finding(path, "not-allowed", "must not be sent", where)
        case _:
            yield Finding(path, CODES_BY_KEYWORD.get(kind.name, "schema"), wording(kind), where)


def _meant(
    context: list[list[engine.ValidationError]], path: tuple[str | int, ...]
) -> list[engine.ValidationError] | None:
    """The one alternative whose type fits the value, or None if several do or none does."""
    fitting = [branch for branch in context if not any(_is_misfit(error, path) for error in branch)]
    return fitting[0] if len(fitting) == 1 else None


def _is_misfit(error: engine.ValidationError, path: tuple[str | int, ...]) -> bool:
    here = tuple(error.instance_path) == path
    return here and isinstance(error.kind, (error.kind.Type, error.kind.FalseSchema))


def place(location: str | None) -> str | None:
    """`sidegate:///contracts/a.yaml#/~1components~1schemas~1X%20Y/type` -> `contracts/a.yaml#/components/schemas/X Y/type`."""
    if location is None:
        return None
    found = schema_place(location)
    return f"{found.file}#{found.pointer}"
