"""Document budgets: what Sidegate still reads. Real contracts stay far below; a hostile one meets a limit quickly."""

from __future__ import annotations

from dataclasses import dataclass

MAX_BYTES = 16 * 1024 * 1024
"""Size of one file."""

MAX_NODES = 2_000_000
"""Values in one document, with every YAML alias counted as often as it stands for something."""

MAX_DEPTH = 128
"""Nesting of mappings and lists in one document, through aliases too."""

MAX_DIGITS = 1_000
"""Digits of one number; Python itself refuses to read more than 4,300."""


@dataclass(slots=True)
class Refusal(Exception):
    """Why a text is not read: `code` is a row of `CODES`; `line` and `column` count from 1; `first` is where a twin is."""

    code: str
    message: str
    line: int = 0
    column: int = 0
    pointer: str = ""
    first: tuple[int, int] | None = None
