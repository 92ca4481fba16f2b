"""Real contract -> the examples that its authors wrote for request bodies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.generate.corpus import BOX, Real, overlaid
from xds.model import Operation, Place


def examples(real: Real, operation: Operation) -> Iterator[tuple[str, Any]]:
    """(media type, value) of each example beside an operation's JSON bodies or in their schemas; references are left out."""
    for media in operation.body.media if operation.body else ():
        if not media.range.endswith("json"):
            continue
        written = _at(real, media.place)
        found = [each["value"] for each in written.get("examples", {}).values() if "value" in each]
        found += [each["example"] for each in (written, written.get("schema", {})) if "example" in each]
        yield from ((media.range, value) for value in found)


def _at(real: Real, place: Place) -> Any:
    """What is written at a place of the contract, as plain values."""
    inside = place.file.removeprefix(real.root.removesuffix("openapi.yaml"))
    value = _document(real.source if inside in ("", "openapi.yaml") else real.source.parent / inside)
    for step in place.pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        value = value[int(name)] if isinstance(value, list) else value[name]
    return value


@cache
def _document(path: Path) -> Any:
    if path == BOX.source:
        return overlaid("box", json.loads(path.read_text()))
    return yaml.load(path.read_text(), _Loader)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML without dates: OpenAPI has only what JSON can write (OpenAPI 3.0.4, section 4.2)."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if not tag.endswith(":timestamp")]
    for first, rules in _Loader.yaml_implicit_resolvers.items()
}
