"""Report -> one HTML page, which needs no network, no script and no mouse.

Everything that comes out of a contract goes through `_text`, and the page forbids itself to load or run anything (Content
Security Policy), so that a contract with markup in it stays text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from importlib.resources import files

from xds.terminal import clean

from .points import Kind
from .report import Count, Lines, Mark, OperationRows, Report, Row, place, worded

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_SIGNS = {Mark.SEEN: ("✓", "seen"), Mark.SOME: ("◐", "partly seen"), Mark.MISSED: ("✗", "missed")}
"""A mark's sign and its word: colour alone tells nobody who cannot see it."""

MOST = 6
"""Points that are named on one line of a source; of `security` of a whole document there may be hundreds."""


def page(report: Report, title: str = "Coverage of contracts") -> str:
    """The whole page."""
    style = files(__package__).joinpath("page.css").read_text("utf-8")
    body = [
        '<a class="skip" href="#main">Skip to the content</a>',
        f"<header><h1>{_text(title)}</h1>{_navigation(report)}</header>",
        '<main id="main">',
        *_summary(report),
        *_operations(report),
        *(part for each in report.operations for part in _operation(each)),
        *_sources(report),
        "</main>",
    ]
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{_text(title)}: {report.total}</title>",
            f"<style>\n{style}</style>",
            "</head>",
            "<body>",
            *body,
            "</body>",
            "</html>",
            "",
        ]
    )


def _navigation(report: Report) -> str:
    places = [("#summary", "Summary"), ("#operations", "Operations")]
    places += [(f"#{_anchor(lines)}", lines.file) for lines in (*report.contracts, *report.policies)]
    items = "".join(f'<li><a href="{_text(to)}">{_text(word)}</a></li>' for to, word in places)
    return f'<nav aria-label="On this page"><ul>{items}</ul></nav>'


def _summary(report: Report) -> Iterator[str]:
    yield f'<section aria-labelledby="summary"><h2 id="summary">Summary</h2><p class="total">{report.total}</p>'
    yield f"<p>{report.total.seen} of {report.total.all} seen.{' ' + _text(report.note) if report.note else ''}</p>"
    rows = [(str(kind), report.count(kind)) for kind in Kind if report.count(kind).all]
    rows += [("lines of policies", report.lines)] if report.policies else []
    cells = (f'<tr><th scope="row">{_text(name)}</th>{_numbers(count)}</tr>' for name, count in rows)
    yield _table("By kind of what there is to see", ("kind", "seen", "of", "percent", ""), cells)
    yield "</section>"


def _operations(report: Report) -> Iterator[str]:
    yield '<section aria-labelledby="operations"><h2 id="operations">Operations</h2>'
    cells = (
        f'<tr><th scope="row"><a href="#{_id(each)}">{_text(each.version)} {_text(each.operation)}</a></th>'
        f"<td>{_text(each.title)}</td>{_numbers(each.count())}</tr>"
        for each in report.operations
    )
    yield _table("Every operation", ("operation", "request", "seen", "of", "percent", ""), cells)
    yield "</section>"


def _operation(each: OperationRows) -> Iterator[str]:
    yield f'<section aria-labelledby="{_id(each)}"><h3 id="{_id(each)}">'
    yield f"{_text(each.version)} {_text(each.operation)}</h3>"
    yield f'<p>{_text(each.title)} <a href="#{_line(each.span.file, each.span.line)}">{_text(place(each.span))}</a></p>'
    words = f"What there is to see of {each.operation}: {each.count().seen} of {each.count().all} seen"
    yield _table(words, ("", "what", "written at", "seen by"), (_point(row) for row in each.rows))
    yield "</section>"


def _point(row: Row) -> str:
    mark = Mark.SEEN if row.seen else Mark.MISSED
    tests = "<br>".join(_text(test) for test in row.tests)
    return (
        f'<tr class="{mark}"><td>{_sign(mark)}</td><th scope="row">{_text(worded(row.point))}</th>'
        f'<td><a href="#{_line(row.span.file, row.span.line)}">{_text(place(row.span))}</a></td><td>{tests}</td></tr>'
    )


def _sources(report: Report) -> Iterator[str]:
    for heading, all_lines in (("Contracts", report.contracts), ("Policies", report.policies)):
        for lines in all_lines:
            yield f'<section aria-labelledby="{_anchor(lines)}"><h2 id="{_anchor(lines)}">{_text(lines.file)}</h2>'
            yield f'<p class="soft">{heading}: {lines.count.seen} of {lines.count.all} lines that count are seen whole.</p>'
            yield '<div class="wide" tabindex="0" role="region" '
            yield f'aria-label="Source of {_text(lines.file)}"><table class="source">'
            yield '<thead class="unseen"><tr><th scope="col">line</th><th scope="col">seen</th><th scope="col">source</th>'
            yield "</tr></thead><tbody>"
            yield from (_source(lines, number, text) for number, text in enumerate(_split(lines.text), 1))
            yield "</tbody></table></div></section>"


def _source(lines: Lines, number: int, text: str) -> str:
    mark = lines.marks.get(number)
    missed = lines.missed.get(number, ())
    why = "; ".join((*missed[:MOST], *((f"and {len(missed) - MOST} more",) if len(missed) > MOST else ())))
    shown = f' <span class="why">missed: {_text(why)}</span>' if why else ""
    return (
        f'<tr id="{_line(lines.file, number)}"{f" class={chr(34)}{mark}{chr(34)}" if mark else ""}>'
        f'<th scope="row">{number}</th><td class="mark">{_sign(mark) if mark else ""}</td>'
        f"<td>{_text(text)}{shown}</td></tr>"
    )


def _table(caption: str, heads: Iterable[str], rows: Iterable[str]) -> str:
    numbers = ("seen", "of", "percent")
    columns = "".join(
        f'<th scope="col"{" class=" + chr(34) + "number" + chr(34) if head in numbers else ""}>{_text(head)}</th>'
        if head
        else "<td></td>"
        for head in heads
    )
    body = "\n".join(rows)
    return (
        f'<div class="wide"><table><caption>{_text(caption)}</caption><thead><tr>{columns}</tr></thead>'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def _numbers(count: Count) -> str:
    return (
        f'<td class="number">{count.seen}</td><td class="number">{count.all}</td><td class="number">{count}</td>'
        f'<td aria-hidden="true"><meter max="{max(1, count.all)}" value="{count.seen if count.all else 1}"></meter></td>'
    )


def _sign(mark: Mark) -> str:
    sign, word = _SIGNS[mark]
    return f'<span role="img" aria-label="{word}">{sign}</span>'


def _text(text: str) -> str:
    """Text as HTML: no markup, and no character that hides or turns the reading direction."""
    return escape(clean(text))


def _split(text: str) -> list[str]:
    """The lines, as places in files count them."""
    return [line.rstrip("\r") for line in text.removesuffix("\n").split("\n")]


def _id(each: OperationRows) -> str:
    return "o-" + _safe(f"{each.version}/{each.operation}")


def _anchor(lines: Lines) -> str:
    return "f-" + _safe(lines.file)


def _line(file: str, number: int) -> str:
    return f"l-{_safe(file)}-{number}"


def _safe(text: str) -> str:
    """Text as an id in HTML and in a fragment: letters, digits, `.`, `-`; what else there is by its number, so that no two
    texts become one."""
    return "".join(c if c.isascii() and (c.isalnum() or c in ".-") else f"_{ord(c):x}_" for c in text)
