"""`faults` -> whether operations may ask for faults: not at all, unless it says `allowed`."""

from __future__ import annotations

from typing import Any

from xds.settings.reader import Reader


def faults(reader: Reader, value: Any) -> bool:
    """Whether `faults: allowed` is said."""
    if value not in (None, "allowed", "forbidden"):
        reader.say("settings-invalid", "`faults` is `allowed` or `forbidden`", "/faults")
    return bool(value == "allowed")
