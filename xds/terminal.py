"""Text for people: colours where a terminal shows them, and nothing that a contract smuggles in."""

from __future__ import annotations

import os
import unicodedata
from typing import TextIO

_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36"}
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's general categories of what moves the cursor, turns the reading direction or cannot be seen."""


def clean(text: str) -> str:
    """The text with every character that controls a terminal or hides as U+FFFD, one for one, so that columns stay.

    Escape sequences lose their introducer and bidirectional controls (Trojan Source, CVE-2021-42574) their effect. Tabs
    become spaces, since a caret below must stand below the right column.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(" " if c == "\t" else "\ufffd" if unicodedata.category(c) in _UNSAFE else c for c in text)


class Palette:
    """Paints text, or leaves it as it is if colours are off."""

    def __init__(self, on: bool) -> None:
        self.on = on

    def paint(self, text: str, *styles: str) -> str:
        """The text in the styles named; see `_STYLES`."""
        if not self.on or not styles or not text:
            return text
        return f"\x1b[{';'.join(_STYLES[style] for style in styles)}m{text}\x1b[0m"


def palette(stream: TextIO) -> Palette:
    """Colours if the stream is a terminal that has them; NO_COLOR (no-color.org) turns them off, FORCE_COLOR on."""
    if os.environ.get("NO_COLOR"):
        return Palette(False)
    if os.environ.get("FORCE_COLOR"):
        return Palette(True)
    return Palette(stream.isatty() and os.environ.get("TERM", "dumb") != "dumb")


def table(rows: list[tuple[str, ...]], indent: str = "  ") -> list[str]:
    """Rows as lines with aligned columns; the first row is the head."""
    if not rows:
        return []
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        (indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))).rstrip()
        for row in rows
    ]
