"""`discriminator` -> `if` and `then`: the schema that a request names is the one that it must match.

OpenAPI 3.0.4, Discriminator Object. A value that names no schema is refused. `oneOf` and `anyOf` without names for all
their schemas stay as they are, which never lets more through.
"""

from __future__ import annotations

from typing import Any

from xds.contract.library import Library
from xds.contract.node import Node
from xds.contract.report import Report


def dispatch(node: Node, lowered: dict[str, Any], library: Library, draft4: bool, report: Report) -> None:
    """Replaces a lowered `oneOf` or `anyOf` by the choice that its discriminator makes."""
    about = node.get("discriminator")
    if about is None or report.expect(about, dict, "`discriminator`") is None:
        return
    name = report.text(about, "propertyName")
    keyword = next((k for k in ("oneOf", "anyOf") if k in lowered), None)
    if not name:
        report.add("discriminator", "a discriminator needs a `propertyName`", about)
    elif keyword is None:
        message = (
            "a discriminator without `oneOf` or `anyOf` decides nothing: the schema it stands in is enforced as it is"
        )
        report.add("discriminator-ignored", message, about)
    else:
        choices = _choices(node, about, keyword, lowered[keyword], library, report)
        if choices is not None:
            del lowered[keyword]
            lowered.setdefault("allOf", []).append(_choice(name, choices))


def _choices(
    node: Node, about: Node, keyword: str, parts: list[Any], library: Library, report: Report
) -> dict[str, str] | None:
    """The URI of the lowered schema for every value, or None if some schema cannot be named."""
    uris: list[str] = [str(part["$ref"]) for part in parts if isinstance(part, dict) and "$ref" in part]
    if len(uris) < len(parts):
        message = f"a schema of `{keyword}` that is not a reference cannot be named: all of them are tried"
        report.add("discriminator-ignored", message, about)
        return None
    written = [_reference(part) for part in (node.get(keyword) or node).items()]
    if not all(written):
        return None  # said where the reference is: it is none
    choices = {implicit_name(text): uri for text, uri in zip(written, uris, strict=True)}
    mapping = report.mapping(about, "mapping")
    mapped: dict[str, str] = {}
    for value, target in mapping.members() if mapping is not None else ():
        uri = _target(target, choices, library, report)
        if uri is None:
            continue
        if uri not in uris:
            report.add("discriminator", f"`{keyword}` does not list what {value!r} is mapped to", target)
        mapped[value] = uri
    return {**choices, **mapped}


def _reference(part: Node) -> str:
    text = part.value.get("$ref") if isinstance(part.value, dict) else None
    return text if isinstance(text, str) else ""


def implicit_name(reference: str) -> str:
    """The name that a reference's last token is (`#/components/schemas/Cat`, `cat.yaml`)."""
    last = reference.rstrip("/").rpartition("/")[2]
    return last.partition("#")[2].rpartition("/")[2] or last.partition("#")[0].rsplit(".", 1)[0]


def _target(target: Node, choices: dict[str, str], library: Library, report: Report) -> str | None:
    text = report.expect(target, str, "a mapped schema")
    if text is None:
        return None
    if text in choices:
        return choices[text]
    found = library.resolve(target, text, report)
    return library.uri(found) if found is not None else None


def _choice(name: str, choices: dict[str, str]) -> dict[str, Any]:
    branches = [
        {"if": {"properties": {name: {"const": value}}, "required": [name]}, "then": {"$ref": uri}}
        for value, uri in sorted(choices.items())
    ]
    return {"required": [name], "properties": {name: {"enum": sorted(choices)}}, "allOf": branches}
