"""`format` -> keywords that the JSON Schema engine asserts (OpenAPI's format registry)."""

from __future__ import annotations

import math
from typing import Any

_FLOAT = 3.4028234663852886e38

_RANGES: dict[str, tuple[int | float, int | float]] = {
    "int8": (-(2**7), 2**7 - 1),
    "int16": (-(2**15), 2**15 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint8": (0, 2**8 - 1),
    "uint16": (0, 2**16 - 1),
    "uint32": (0, 2**32 - 1),
    "uint64": (0, 2**64 - 1),
    "float": (-_FLOAT, _FLOAT),
}
_BASE64 = r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"


def lower(name: str, asserted: frozenset[str], lowered: dict[str, Any]) -> None:
    """Writes into a lowered schema what its `format` asks for; a name that is not known is an annotation.

    `asserted` are the names that the dialect gives a meaning. Ranges hold for numbers only, as `minimum` does.
    """
    if name in _RANGES:
        _narrow(lowered, *_RANGES[name])
    elif name == "byte" and name in asserted:
        if "pattern" in lowered:
            lowered.setdefault("allOf", []).append({"pattern": _BASE64})
        else:
            lowered["pattern"] = _BASE64
    elif name in asserted:
        lowered["format"] = name


def _narrow(lowered: dict[str, Any], low: int | float, high: int | float) -> None:
    """Tightens the bounds that are there; one that is tighter already stays."""
    if lowered.get("minimum", low) <= low and lowered.get("exclusiveMinimum", -math.inf) < low:
        lowered["minimum"] = low
    if lowered.get("maximum", high) >= high and lowered.get("exclusiveMaximum", math.inf) > high:
        lowered["maximum"] = high
