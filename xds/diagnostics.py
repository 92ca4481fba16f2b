"""Diagnostic: what is wrong, where, and what to do about it; the table of codes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
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
    "number-range": Code(_E, "A number that JSON cannot carry: infinite, not a number, or beyond a double's range."),
    # sidegate.yaml (xds.settings)
    "settings-invalid": Code(_E, "A value in sidegate.yaml has the wrong type or form."),
    "settings-unknown-key": Code(_E, "sidegate.yaml holds a key that means nothing there."),
    "upstream-invalid": Code(_E, "An upstream is not an http or https URL of a host and a port."),
    "jwks-unreadable": Code(_E, "The key set of a security scheme cannot be read."),
    "jwks-invalid": Code(_E, "A key set is not a JSON Web Key Set of public signature keys."),
    # the project as a whole (xds.compile)
    "no-contracts": Code(_E, "The project holds no contract at all."),
    "contract-misplaced": Code(_E, "A file in contracts/ is neither a version nor a part of one."),
    "version-twice": Code(_E, "One version of a service is written in two files."),
    "upstream-missing": Code(_E, "A service version has no upstream in sidegate.yaml."),
    "service-unknown": Code(_W, "sidegate.yaml names a service or version that has no contract."),
    "scheme-unconfigured": Code(_E, "A contract asks for a security scheme that sidegate.yaml does not configure."),
    "path-collision": Code(_E, "Two service versions claim the same path on the same host."),
    "policy-unbound": Code(_W, "No policy decides an operation, so it refuses every request."),
    "envoy-rejected": Code(_E, "A proxy refused resources that were compiled for it."),
    "security-absent": Code(_W, "An operation asks for no token and its contract never says that this is meant."),
    # policies (xds.policy)
    "rego-syntax": Code(_E, "The text is not a Rego module."),
    "rego-v0": Code(_E, "The text is Rego from before version 1."),
    "rego-function": Code(_E, "A function is called that is not there, or with other arguments than it takes."),
    "rego-builtin": Code(_E, "The embedded engine lacks a built-in function."),
    "rego-unsafe": Code(_E, "A variable is used that nothing binds."),
    "rego-recursion": Code(_E, "A rule depends on itself."),
    "rego-refused": Code(_E, "The policy engine refuses the policies, crashes on them, or takes too long to compile them."),
    "policy-open": Code(_E, "A rule that decides holds without a condition, and no comment says that this is meant."),
    "policy-ambiguous": Code(_E, "Two rules could decide an operation, and no choice is made."),
    "policy-unknown-rule": Code(_E, "A contract names a rule that its policies do not have."),
    "policy-data": Code(_E, "A policy's data file is no object, or holds what is elsewhere already."),
}


def did_you_mean(name: str, options: Iterable[str]) -> str | None:
    """A help line that names the closest of `options`, or all of them if there are few, or None."""
    known = sorted(options)
    if close := get_close_matches(name, known, n=1):
        return f"did you mean '{close[0]}'?"
    return f"known here: {', '.join(known)}" if 0 < len(known) <= 8 else None


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    """Whether any of the diagnostics refuses its service."""
    return any(d.is_error for d in diagnostics)
