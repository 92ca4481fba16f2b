"""value, schema -> what is wrong with it, worded for the person who wrote it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from xds.native.feature import Problem
from xds.source.pointer import join, step


def faults(value: Any, schema: Mapping[str, Any]) -> Iterator[Problem]:
    """The problems of a value by a schema without references, each with the pointer to the part that is wrong.

    An object's `$comment` says why keys that one may look for are not there.
    """
    for error in _validator(schema).iter_errors(value):
        yield from _problems(error, schema)


_validators: dict[int, tuple[Mapping[str, Any], Any]] = {}
"""By identity of the schema: features hold theirs as long as the process lives."""


def _validator(schema: Mapping[str, Any]) -> Any:
    import jsonschema_rs

    known = _validators.get(id(schema))
    if known is None or known[0] is not schema:
        known = _validators[id(schema)] = schema, jsonschema_rs.Draft202012Validator(plain(schema))
    return known[1]


def plain(value: Any) -> Any:
    """A value as nothing but dicts and lists."""
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def _problems(error: Any, schema: Mapping[str, Any]) -> Iterator[Problem]:
    pointer = join("", *error.instance_path)
    around = _around(schema, error.schema_path)
    if error.kind.name == "additionalProperties":
        for key in error.kind.unexpected:
            help_ = nearest(key, around.get("properties", ()))
            if "$comment" in around and not help_.startswith("did you mean"):
                help_ += f"; {around['$comment']}"
            yield Problem(f"there is no key `{key}` here", join(pointer, key), help_, "extension-unknown")
        return
    yield Problem(error.message[:300], pointer, around.get("description"))


def _around(schema: Mapping[str, Any], path: Iterable[str | int]) -> Mapping[str, Any]:
    """The innermost schema with a description on the way to the keyword that refused."""
    value, found = plain(schema), schema
    for part in list(path)[:-1]:
        value = step(value, str(part))
        if isinstance(value, dict) and ("description" in value or "properties" in value):
            found = value
    return found


def nearest(key: str, known: Iterable[str]) -> str:
    """A hint at the key that was meant, or at all there are."""
    names = sorted(known)
    close = difflib.get_close_matches(key, names, n=1, cutoff=0.6)
    return f"did you mean `{close[0]}`?" if close else "the keys are " + ", ".join(f"`{name}`" for name in names)
