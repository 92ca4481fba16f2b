"""Query or form text -> fields, by the parameters that are declared for it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from xds.model import Parameter, Shape

from .explain import Checks
from .parameters import Field, Reading, text_field
from .report import Report, pointer
from .styles import array_of, member, object_of
from .text import Malformed, form_decoded, scalars

Found = dict[str, list[str]]
"""Decoded name -> raw texts, in order; a name without `=` has the empty text."""


class Text:
    """A parameter that is written once: `name=text`."""

    def __init__(self, field: Field, twice: str = "duplicate-parameter") -> None:
        self.field = field
        self._twice = twice

    def judge(self, found: Found, into: dict[str, Any], report: Report) -> None:
        field = self.field
        texts = found.pop(field.name, None)
        if texts is None:
            field.absent(report)
        elif len(texts) > 1:
            field.refuse(report, self._twice, "may be given only once")
        elif not texts[0] and not _empty_text(field, into, report):
            return
        else:
            field.judge(texts[0], into, report)


class Repeated:
    """An exploded array: `name=a&name=b`."""

    def __init__(self, field: Field) -> None:
        self.field = field

    def judge(self, found: Found, into: dict[str, Any], report: Report) -> None:
        texts = found.pop(self.field.name, None)
        if texts is None:
            self.field.absent(report)
        elif texts == [""] and not _empty_text(self.field, into, report):
            return
        else:
            self.field.judge(texts, into, report)


class Spread:
    """An exploded form object: every property is a name of its own; undeclared ones belong to it if its schema says of
    what type they are."""

    def __init__(self, field: Field, shape: Shape) -> None:
        self.field = field
        self._names = tuple(shape.properties)
        self.takes_rest = shape.additional is not None

    def judge(self, found: Found, into: dict[str, Any], report: Report) -> None:
        names = [*found] if self.takes_rest else [name for name in self._names if name in found]
        pairs = [(name, text) for name in names for text in found.pop(name)]
        if pairs:
            self.field.judge(pairs, into, report)
        else:
            self.field.absent(report)


class Deep:
    """A `deepObject`: `name[property]=text`. What is nested deeper has no meaning in OpenAPI and is refused."""

    def __init__(self, field: Field) -> None:
        self.field = field
        self._prefix = field.name + "["

    def judge(self, found: Found, into: dict[str, Any], report: Report) -> None:
        prefix = self._prefix
        names = [name for name in found if name.startswith(prefix)]
        if not names:
            self.field.absent(report)
            return
        pairs = [(name[len(prefix) : -1], found.pop(name)) for name in names]
        if any(not name.endswith("]") or "[" in key or "]" in key for name, (key, _) in zip(names, pairs, strict=True)):
            self.field.refuse(report, "malformed-parameter", "must be written as name[property]=value")
        else:
            self.field.judge(pairs, into, report)


Query = tuple[Text | Repeated | Spread | Deep, ...]


def prepare(parameters: Iterable[Parameter], checks: Checks) -> Query:
    """The query parameters of an operation, those that take undeclared names last."""
    fields = [query_field(parameter, checks) for parameter in parameters]
    return tuple(sorted(fields, key=lambda field: isinstance(field, Spread) and field.takes_rest))


def query_field(
    parameter: Parameter, checks: Checks, location: str = "query", twice: str = "duplicate-parameter"
) -> Text | Repeated | Spread | Deep:
    """One parameter in the notation of queries; `location` is `body` for the fields of a form."""
    shape, check = parameter.shape, checks.check(parameter.schema)
    if parameter.style == "deepObject" and parameter.media_type is None:
        return Deep(Field(parameter, location, (_deep(shape),), check))
    if parameter.explode and parameter.media_type is None and "array" in shape.types:
        return Repeated(Field(parameter, location, _repeated(shape), check))
    if parameter.explode and parameter.media_type is None and shape.types & {"object", "array"} == {"object"}:
        return Spread(Field(parameter, location, (_spread(shape),), check), shape)
    field = text_field(parameter, checks)
    field.location = location
    return Text(field, twice)


def pairs_of(text: str, report: Report, location: str = "query") -> Found:
    """Split a query or form at `&` and `=`, names decoded (`;` is no separator: WHATWG URL, section 5.1)."""
    found: Found = {}
    for pair in text.split("&"):
        if not pair:
            continue
        name, _, raw = pair.partition("=")
        if "%" in name or "+" in name or not name.isascii():
            try:
                name = form_decoded(name)
            except Malformed as error:
                report.add(location, pointer((name,)), _named_badly(error), "a name " + error.detail)
                continue
        if name in found:
            found[name].append(raw)
        else:
            found[name] = [raw]
    return found


def _named_badly(error: Malformed) -> str:
    # No contract declares a name with NUL in it, so such a name is also unknown; that is the more useful thing to say.
    return "unknown-parameter" if "NUL" in error.detail else "malformed-parameter"


def _empty_text(field: Field, into: dict[str, Any], report: Report) -> bool:
    """What becomes of `name=`: refused, or, with `allowEmptyValue`, kept as the empty text and not checked (OpenAPI: it
    stands for a parameter that would otherwise be left out). Always False: there is nothing left to judge."""
    if field.allow_empty:
        into[field.name] = ""
    else:
        field.refuse(report, "empty-parameter", "must not be empty")
    return False


def _repeated(shape: Shape) -> tuple[Reading, ...]:
    def single(decode: Reading) -> Reading:
        def read(texts: list[str]) -> Any:
            if len(texts) != 1:
                raise Malformed("may be given only once", "duplicate-parameter")
            return decode(form_decoded(texts[0]))

        return read

    alone = [single(decode) for decode in scalars(shape)] if shape.types - {"array", "object"} else []
    return (*alone, lambda texts: array_of(texts, shape, form_decoded))


def _spread(shape: Shape) -> Reading:
    return lambda pairs: object_of(pairs, shape, form_decoded)


def _deep(shape: Shape) -> Reading:
    def read(pairs: list[tuple[str, list[str]]]) -> dict[str, Any]:
        members: dict[str, Any] = {}
        for name, texts in pairs:
            inner = shape.properties.get(name) or shape.additional
            if inner and "array" in inner.types and (len(texts) > 1 or inner.types <= {"array", "object"}):
                members[name] = array_of(texts, inner, form_decoded)
            elif len(texts) > 1:
                raise Malformed("gives a property more than once", "duplicate-parameter")
            else:
                members[name] = member(shape, name)(form_decoded(texts[0]))
        return members

    return read
