"""Export, operations as they will be -> a contract without a word of AWS's, in the export's order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from xds.importing.authorizers import Asked
from xds.importing.export import VERBS, Export, Method, X
from xds.importing.keys import Keys
from xds.importing.part import Notes, Part

_KNOWN = frozenset(
    X + name
    for name in (
        "any-method", "api-key-source", "auth", "authorizer", "authtype", "binary-media-types", "cors", "documentation",
        "endpoint-configuration", "gateway-responses", "importexport-version", "integration", "integrations",
        "minimum-compression-size", "policy", "request-validator", "request-validators", "tag-value",
    )
)  # fmt: skip


@dataclass(slots=True)
class Made:
    """One operation on its way into a contract."""

    method: Method
    wanted: Asked
    keys: Keys
    answers: Mapping[str, Any] = field(default_factory=dict)
    refused: str = ""


def contract(
    export: Export,
    base: str,
    operations: Iterable[Made],
    keys: Keys,
    paths: Mapping[str, Keys],
    schemes: Mapping[str, Any],
) -> dict[str, Any]:
    """The document of one service. `keys` are the document's, `paths` those of path items, `schemes` the plain ones."""
    made = {(m.method.path, m.method.verb): m for m in operations}
    written: dict[str, Any] = {}
    for path, item in export.top.get("paths").items():
        if any(key[0] == path for key in made):
            written[path] = _item(path, item, made, paths.get(path, {}))
    top = plain(export.top.value)
    head = {key: top[key] for key in ("openapi", "info", "externalDocs") if key in top}
    tail = {
        key: value
        for key, value in top.items()
        if key not in head and key not in ("servers", "paths", "components", "security")
    }
    components = {k: v for k, v in plain(export.top.get("components").members).items() if k != "securitySchemes"}
    used = {name for m in made.values() for name in m.wanted.schemes}
    if own := {name: dict(scheme) for name, scheme in schemes.items() if name in used}:
        components["securitySchemes"] = own
    return {
        **head,
        "servers": [{"url": base or "/"}],
        **({"x-sidegate": keys} if keys else {}),
        "paths": written,
        **({"components": components} if components else {}),
        **tail,
    }


def _item(path: str, item: Part, made: Mapping[tuple[str, str], Made], keys: Keys) -> dict[str, Any]:
    shared = {
        key: plain(value)
        for key, value in item.members.items()
        if not key.startswith(("x-amazon-", "x-sidegate")) and key not in VERBS
    }
    out = {**shared, **({"x-sidegate": keys} if keys else {})}
    order = [v for v in item.members if v in VERBS] + [v for v in VERBS if v not in item.members]
    for verb in order:
        if found := made.get((path, verb)):
            out[verb] = _operation(found, path, shared)
    return out


def _operation(made: Made, path: str, shared: Mapping[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {"operationId": made.method.id, **plain(made.method.part.value)}
    operation["operationId"] = made.method.id
    operation["responses"] = _responses(operation.get("responses"), made.answers)
    if parameters := _parameters(operation.get("parameters"), path, shared.get("parameters")):
        operation["parameters"] = parameters
    operation["security"] = [{name: list(scopes) for name, scopes in one.items()} for one in made.wanted.security]
    if made.keys:
        operation["x-sidegate"] = made.keys
    return operation


def _responses(written: Any, answers: Mapping[str, Any]) -> dict[str, Any]:
    """AWS lets a response go without a description, and an operation without responses; OpenAPI does not."""
    found = dict(written) if isinstance(written, dict) else {}
    for status, answer in answers.items():
        before = found.get(status) if isinstance(found.get(status), dict) else {}
        kept = {key: value for key, value in (before or {}).items() if key != "content"}
        found[status] = {**answer, **kept, **({"content": answer["content"]} if "content" in answer else {})}
    if not found:
        found = {"default": {"description": "What the service answers"}}
    return {
        status: {"description": f"{status} response", **answer}
        if isinstance(answer, dict) and "$ref" not in answer
        else answer
        for status, answer in found.items()
    }


def _parameters(written: Any, path: str, shared: Any) -> list[Any]:
    """AWS does not ask that a path's variables are declared; OpenAPI does, and a schema for each parameter."""
    own = [
        {**p, "schema": {"type": "string"}}
        if isinstance(p, dict) and not p.keys() & {"schema", "content", "$ref"}
        else p
        for p in (written if isinstance(written, list) else ())
    ]
    there = {str(p.get("name")) for p in (*own, *(shared if isinstance(shared, list) else ())) if isinstance(p, dict)}
    for name in re.findall(r"\{([^{}]+)\}", path):
        if name not in there:
            own.append({"name": name, "in": "path", "required": True, "schema": {"type": "string"}})
    return own


def plain(value: Any, names: bool = False) -> Any:
    """A value without AWS's keys, and without any of ours that stood there.

    `names` says that its keys are names that people chose, as those of `properties`.
    """
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    return {
        key: inner
        if key in ("example", "default", "enum") and not names
        else plain(inner, key == "properties" and not names)
        for key, inner in value.items()
        if names or not key.startswith(("x-amazon-", "x-sidegate"))
    }


def unknown_extensions(part: Part, notes: Notes) -> None:
    """Say of every key of AWS's that nobody here knows that it is lost."""
    for key, inner in part.items():
        if key.startswith("x-amazon-") and key not in _KNOWN:
            notes.lost(inner, f"`{key}` is not known here and is not carried over")
        elif isinstance(inner.value, dict):
            unknown_extensions(inner, notes)
