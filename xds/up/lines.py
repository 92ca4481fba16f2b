"""events -> lines for whoever watches `sidegate up`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from xds.control.events import Diagnosed, Event, Live, PolicyLive, Refused, Rejected
from xds.diagnostics import Diagnostic, renamed
from xds.model import Place
from xds.render import Files, as_text
from xds.source import span
from xds.terminal import Palette, clean

Name = Callable[[str], str]
"""A project's file name -> the one by which the user knows the file."""


def line_of(event: Event, files: Files, palette: Palette, name: Name = str) -> str:
    """An event as text without its last line end; `files` are the project's, to show what a diagnostic is about."""
    match event:
        case Live():
            return _live(event, palette)
        case PolicyLive():
            what = f"policies of {event.service} are at revision {event.revision}"
            return f"{palette.paint(f'live in {_ms(event.seconds)}', 'green')}: {what}"
        case Diagnosed():
            return _diagnosed(event, files, palette, name)
        case Rejected():
            shown = _shown([event.diagnostic], files, palette, name)
            return f"{shown}\n{palette.paint('still serving the previous', 'yellow')}: Envoy refused {event.type_url}"
        case Refused():
            return refusal(event.record, files, palette, name)


def _live(event: Live, palette: Palette) -> str:
    what = f"{event.operations} operation{'' if event.operations == 1 else 's'} changed"
    return f"{palette.paint(f'live in {_ms(event.seconds)}', 'green')}: {what}"


def _diagnosed(event: Diagnosed, files: Files, palette: Palette, name: Name) -> str:
    lines = [_shown(event.diagnostics, files, palette, name)] if event.diagnostics else []
    if not event.refused and not event.diagnostics:
        lines.append(palette.paint("nothing is held up any more", "green"))
    if event.serving:
        lines.append(f"{palette.paint('still serving the previous', 'yellow')} {', '.join(sorted(event.serving))}")
    if missing := sorted(event.refused - event.serving):
        lines.append(f"{palette.paint('not served', 'red')}: {', '.join(missing)}")
    return "\n".join(lines)


def refusal(record: Mapping[str, Any], files: Files, palette: Palette, name: Name = str) -> str:
    """`403 DELETE /catalog/v1/items/7  policies/catalog/authz.rego:12  scope items:admin missing`.

    `record` is a companion's record or a line of Envoy's access log. What came from the client is cleaned.
    """
    reported = record.get("mode") == "report"
    status = f"{record.get('status')}"
    head = palette.paint(status, "yellow" if reported or status < "5" else "red", "bold")
    request = clean(f"{record.get('method')} {record.get('path')}")
    file, line, reason = _why(record, files)
    place = f"{name(file)}:{line}" if file else ""
    told = f"{reason} (only reported)" if reported else reason
    return "  ".join(filter(None, (f"{head} {request}", palette.paint(clean(place), "cyan"), clean(told))))


def _why(record: Mapping[str, Any], files: Files) -> tuple[str, int, str]:
    """Where and why: the violated line of the contract, else the policy's line, else Envoy's or the companion's word."""
    violations = record.get("violations") or ()
    if violations:
        first, more = violations[0], len(violations) - 1
        where = f"{first.get('location', '')} {first.get('pointer') or ''}".strip()
        reason = f"{where}: {first.get('detail')}" + (f" (and {more} more)" if more else "")
        return *_line(first.get("schema"), files), reason
    rule = (record.get("decision") or {}).get("rule") or {}
    file, line = (rule["file"], rule["line"]) if rule.get("line") else ("", 0)
    return file, line, str(record.get("reason") or record.get("code") or record.get("details") or "")


def _line(schema: str | None, files: Files) -> tuple[str, int]:
    """File and line of the schema keyword `file#pointer`."""
    file, _, pointer = (schema or "").removeprefix("sidegate:///").partition("#")
    return (file, span(files, Place(file, pointer)).line) if file in files else ("", 0)


def _shown(diagnostics: Iterable[Diagnostic], files: Files, palette: Palette, name: Name) -> str:
    named = {name(file): data for file, data in files.items()}
    return as_text((renamed(d, name) for d in diagnostics), named, palette).rstrip()


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds < 10 else f"{seconds:.0f} s"
