"""Place: where something was written."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something was written: the file, relative to the project's folder, and the RFC 6901 pointer in it."""

    file: str
    pointer: str = ""
