"""Diagnostics -> text with carets, JSON, SARIF 2.1.0, JUnit's XML or GitHub's annotations."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote

from xds import __version__
from xds.diagnostics import Diagnostic, Severity, Span
from xds.source import excerpt
from xds.terminal import Palette, clean

_PAINT = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}
_GITHUB = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}
_WIDEST = 160
"""Columns of a source line that are shown; minified documents have lines of megabytes."""

Files = Mapping[str, bytes]


def in_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Diagnostics by file, line and column, each once."""
    return sorted(dict.fromkeys(diagnostics), key=lambda d: (d.span or Span(""), d.code, d.message))


def as_text(diagnostics: Iterable[Diagnostic], files: Files, palette: Palette | None = None) -> str:
    """`file:line:col: severity[code]: message`, the source line, a caret, a help line; then the count.

    `files` are the sources by the spans' names. All text from files is cleaned: it cannot steer the terminal.
    """
    paint = palette or Palette(False)
    listed = in_order(diagnostics)
    blocks = [_block(d, files, paint) for d in listed]
    return "\n\n".join([*blocks, summary(listed)]) + "\n" if listed else ""


def _block(diagnostic: Diagnostic, files: Files, palette: Palette) -> str:
    severity = diagnostic.severity
    head = palette.paint(f"{severity}[{diagnostic.code}]", "bold", _PAINT[severity])
    where = f"{clean(str(diagnostic.span))}: " if diagnostic.span else ""
    lines = [f"{palette.paint(where, 'bold')}{head}: {clean(diagnostic.message)}"]
    if diagnostic.span:
        lines.extend(_source(diagnostic.span, files, palette, _PAINT[severity]))
    for span, word in diagnostic.related:
        lines.append(f"  {clean(str(span))}: {palette.paint('note', 'cyan')}: {clean(word)}")
        lines.extend(_source(span, files, palette, "cyan"))
    if diagnostic.help:
        lines.append(f"  {palette.paint('help', 'green')}: {clean(diagnostic.help)}")
    return "\n".join(lines)


def _source(span: Span, files: Files, palette: Palette, colour: str) -> list[str]:
    """The span's line with a caret below; a window of it if it is long."""
    line = excerpt(files, span)
    if line is None or not line.strip():
        return []
    start = max(0, span.column - _WIDEST // 2) if len(line) > _WIDEST else 0
    shown = line[start : start + _WIDEST]
    margin = f"{span.line:>5} | "
    caret = " " * max(0, span.column - 1 - start) + palette.paint("^", "bold", colour)
    return [palette.paint(margin, "dim") + clean(shown), palette.paint(" " * 5 + " | ", "dim") + caret]


def summary(diagnostics: Iterable[Diagnostic]) -> str:
    """`2 errors, 1 warning`; `nothing found` if there is nothing."""
    counts = dict.fromkeys(Severity, 0)
    for diagnostic in diagnostics:
        counts[diagnostic.severity] += 1
    parts = [f"{n} {severity}{'s' if n > 1 else ''}" for severity, n in counts.items() if n]
    return ", ".join(parts) or "nothing found"


def as_json(diagnostics: Iterable[Diagnostic], files: Files, palette: Palette | None = None) -> str:
    """A JSON array of objects: code, severity, message, file, line, column, pointer, help, related."""
    return json.dumps([_plain(d) for d in in_order(diagnostics)], indent=2) + "\n"


def _plain(diagnostic: Diagnostic) -> dict[str, Any]:
    return {
        "code": diagnostic.code,
        "severity": str(diagnostic.severity),
        "message": diagnostic.message,
        **_plain_span(diagnostic.span),
        "help": diagnostic.help,
        "related": [{**_plain_span(span), "message": word} for span, word in diagnostic.related],
        **diagnostic.more,
    }


def _plain_span(span: Span | None) -> dict[str, Any]:
    if span is None:
        return {"file": None, "line": None, "column": None, "pointer": None}
    return {"file": span.file, "line": span.line or None, "column": span.column or None, "pointer": span.pointer}


def as_github(diagnostics: Iterable[Diagnostic], files: Files, palette: Palette | None = None) -> str:
    """Workflow commands, one a line, which GitHub shows beside the changed lines."""
    return "".join(_command(d) + "\n" for d in in_order(diagnostics))


def _command(diagnostic: Diagnostic) -> str:
    properties = {"title": diagnostic.code}
    if span := diagnostic.span:
        properties |= {"file": span.file} | ({"line": str(span.line), "col": str(span.column)} if span.line else {})
    listed = ",".join(f"{name}={_escaped(value, ',:')}" for name, value in properties.items())
    message = diagnostic.message + (f"\n{diagnostic.help}" if diagnostic.help else "")
    return f"::{_GITHUB[diagnostic.severity]} {listed}::{_escaped(message)}"


def _escaped(text: str, more: str = "") -> str:
    """Percent-encoding as the runner's command parser decodes it: `%`, line ends, in properties also `,` and `:`."""
    safe = "\n".join(clean(line) for line in text.splitlines())
    for char in "%\n" + more:
        safe = safe.replace(char, f"%{ord(char):02X}")
    return safe


def as_sarif(diagnostics: Iterable[Diagnostic], files: Files, palette: Palette | None = None) -> str:
    """A SARIF 2.1.0 log (OASIS) of one run; its rules are the rows of the table of codes that occur."""
    listed = in_order(diagnostics)
    meanings = {d.code: d.row.meaning for d in listed}
    codes = sorted(meanings)
    rules = [{"id": code, "shortDescription": {"text": meanings[code]}} for code in codes]
    driver = {"name": "sidegate", "version": __version__, "rules": rules}
    results = [_result(d, codes) for d in listed]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    log = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2) + "\n"


def _result(diagnostic: Diagnostic, codes: list[str]) -> dict[str, Any]:
    message = diagnostic.message + (f"\n{diagnostic.help}" if diagnostic.help else "")
    result: dict[str, Any] = {
        "ruleId": diagnostic.code,
        "ruleIndex": codes.index(diagnostic.code),
        "level": str(diagnostic.severity),
        "message": {"text": message},
    }
    if diagnostic.span:
        result["locations"] = [{"physicalLocation": _physical(diagnostic.span)}]
    if diagnostic.related:
        result["relatedLocations"] = [
            {"physicalLocation": _physical(span), "message": {"text": word}} for span, word in diagnostic.related
        ]
    return result


def _physical(span: Span) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": quote(span.file)}}
    if span.line:
        place["region"] = {"startLine": span.line, "startColumn": max(1, span.column)}
    return place


def as_junit(
    diagnostics: Iterable[Diagnostic],
    files: Files,
    palette: Palette | None = None,
    failing: Callable[[Diagnostic], bool] = lambda found: found.is_error,
) -> str:
    """JUnit's XML (the schema of Jenkins' xunit plugin): a test case a diagnostic. What does not fail the run passes here too,
    with its text.

    Without any diagnostic there is one that passes.
    """
    from xml.sax.saxutils import quoteattr

    listed = in_order(diagnostics)
    cases = [_case(d, files, failing(d)) for d in listed] or ['  <testcase classname="sidegate" name="nothing found"/>']
    failures = sum(map(failing, listed))
    head = f'<testsuite name={quoteattr("sidegate")} tests="{len(cases)}" failures="{failures}" errors="0" skipped="0">'
    return "\n".join(('<?xml version="1.0" encoding="UTF-8"?>', head, *cases, "</testsuite>", ""))


def _case(diagnostic: Diagnostic, files: Files, fails: bool) -> str:
    from xml.sax.saxutils import escape, quoteattr

    named = f"{diagnostic.span}: {diagnostic.message}" if diagnostic.span else diagnostic.message
    head = f"  <testcase classname={quoteattr(diagnostic.code)} name={quoteattr(clean(named))}"
    text = escape(_block(diagnostic, files, Palette(False)))
    if not fails:
        return f"{head}><system-out>{text}</system-out></testcase>"
    about = f"message={quoteattr(clean(diagnostic.message))} type={quoteattr(str(diagnostic.severity))}"
    return f"{head}><failure {about}>{text}</failure></testcase>"


FORMATS: dict[str, Callable[[Iterable[Diagnostic], Files, Palette | None], str]] = {
    "text": as_text,
    "json": as_json,
    "sarif": as_sarif,
    "github": as_github,
    "junit": as_junit,
}
