"""`60s`, `64KiB` -> numbers: durations and sizes as people write them, and the JSON Schemas of both."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

DURATION: Mapping[str, Any] = {
    "type": "string",
    # No longer than some centuries: Envoy counts nanoseconds in 64 bits.
    "pattern": "^(0|[1-9][0-9]{0,8})(ms|s)$|^(0|[1-9][0-9]{0,4})(m|h|d)$",
    "description": "a whole number and a unit: 250ms, 60s, 10m, 12h, 7d",
}

SIZE: Mapping[str, Any] = {
    "type": "string",
    "pattern": "^[1-9][0-9]*(B|KiB|MiB)$",
    "description": "a whole number and a unit: 512B, 64KiB, 5MiB",
}

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20}


def seconds(text: str) -> float:
    """A duration in seconds. The text is one that `DURATION` takes; KeyError or ValueError otherwise."""
    number, unit = _split(text)
    return number * _SECONDS[unit]


def octets(text: str) -> int:
    """A size in bytes. The text is one that `SIZE` takes; KeyError or ValueError otherwise."""
    number, unit = _split(text)
    return number * _BYTES[unit]


def _split(text: str) -> tuple[int, str]:
    digits = re.match("[0-9]+", text)
    if digits is None:
        raise ValueError(f"no quantity: {text!r}")
    return int(digits[0]), text[digits.end() :]
