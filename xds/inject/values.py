"""values.schema.json + what was given -> the sidecar's values, all of them.

The schema is the library chart's, and defaults and nulls work as Helm has them: maps are merged, a null takes a key away.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from xds.failure import Misused

Values = Mapping[str, Any]
SCHEMA = Path(__file__).parent / "values.schema.json"
KEYS = ("sidegate", "sidegate-sidecar")


@cache
def schema() -> dict[str, Any]:
    """The JSON Schema of the values, draft 7."""
    found: dict[str, Any] = json.loads(SCHEMA.read_text())
    return found


def complete(given: Values) -> Values:
    """The values with their defaults. Raises Misused that names each value that is wrong or unknown."""
    from jsonschema_rs import Draft7Validator

    merged = _merged(_defaults(schema()), given)
    wrong = [
        f"{'.'.join(map(str, error.instance_path)) or 'values'}: {error.message}"
        for error in Draft7Validator(schema()).iter_errors(merged)
    ]
    if wrong:
        raise Misused("the values are not those of sidegate-sidecar: " + "; ".join(sorted(wrong)))
    return merged


def block(document: object) -> Values:
    """The sidecar's values in a chart's values.yaml, or the document itself if it holds nothing else."""
    if not isinstance(document, Mapping):
        raise Misused("values are a YAML mapping")
    inner = next((document[key] for key in KEYS if key in document), document)
    if not isinstance(inner, Mapping):
        raise Misused("the values under `sidegate` are a YAML mapping")
    return inner


def put(values: dict[str, Any], path: str, value: object) -> None:
    """Set one value by its path, `app.port`."""
    *outer, last = path.split(".")
    for key in outer:
        values = values.setdefault(key, {})
        if not isinstance(values, dict):
            raise Misused(f"{path}: {key} is no mapping")
    values[last] = value


def _defaults(part: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _defaults(value) if "properties" in value else value["default"]
        for name, value in part["properties"].items()
        if name != "global"
    }


def _merged(default: Mapping[str, Any], given: Values) -> dict[str, Any]:
    made = dict(default)
    for key, value in given.items():
        if value is None:
            made.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(there := made.get(key), Mapping):
            made[key] = _merged(there, value)
        else:
            made[key] = value
    return made
