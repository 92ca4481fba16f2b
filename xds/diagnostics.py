"""Diagnostic: what is wrong, where, and what to do about it; the table of codes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a diagnostic weighs: an `error` refuses the service, a `warning` is a finding, a `note` only informs."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A place in a file.

    `file` is relative to the project's folder, with forward slashes; `line` and `column` count from 1 (0 when only the
    file is known); `pointer` is the RFC 6901 pointer of the value there, "" for the whole file or a file without values.
    """

    file: str
    line: int = 0
    column: int = 0
    pointer: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding. `code` is a row of `CODES`; `related` are further places with a word on each."""

    code: str
    message: str
    span: Span | None = None
    help: str | None = None
    related: tuple[tuple[Span, str], ...] = ()

    @property
    def severity(self) -> Severity:
        return CODES[self.code].severity

    @property
    def is_error(self) -> bool:
        return self.severity is Severity.ERROR


@dataclass(frozen=True, slots=True)
class Code:
    """A row of the published table: what a code means, in one sentence, and how much it weighs."""

    severity: Severity
    meaning: str


_E, _W, _N = Severity.ERROR, Severity.WARNING, Severity.NOTE

CODES: dict[str, Code] = {
    # files and documents (xds.source)
    "file-unreadable": Code(_E, "A file or folder of the project cannot be read."),
    "path-escapes": Code(_E, "A link or reference leads outside its root folder."),
    "yaml-syntax": Code(_E, "The text is not well-formed YAML."),
    "json-syntax": Code(_E, "The text is not well-formed JSON."),
    "yaml-tag": Code(_E, "A YAML tag asks for something other than plain data."),
    "duplicate-key": Code(_E, "One mapping holds the same key twice."),
    "document-budget": Code(_E, "A document is larger, deeper or more self-similar than Sidegate reads."),
}


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    """Whether any of the diagnostics refuses its service."""
    return any(d.is_error for d in diagnostics)
