"""Report -> lines for a terminal, as pytest-cov words them: a table, and with it what was missed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from xds.terminal import clean, table

from .points import Kind
from .report import Mark, Report, Row, place, worded


def summary(report: Report, missing: bool = True) -> list[str]:
    """The table of operations, the totals by kind, and, if `missing`, every point and line that was missed."""
    rows: list[tuple[str, ...]] = [("operation", "", "seen", "of", "")]
    for each in report.operations:
        found = each.count()
        rows.append((clean(f"{each.version} {each.operation}"), place(each.span), *_numbers(found.seen, found.all)))
    for lines in report.policies:
        rows.append((clean(lines.file), "", *_numbers(lines.count.seen, lines.count.all)))
    total = report.total
    rows.append(("total", "", *_numbers(total.seen, total.all)))
    found_lines = table(rows, "")
    found_lines += ["", "  ".join(_kinds(report))]
    if report.note:
        found_lines.append(clean(report.note))
    if missing:
        found_lines += _missing(report)
    return found_lines


def _numbers(seen: int, of: int) -> tuple[str, str, str]:
    percent = 100.0 if not of else int(1000 * seen / of) / 10
    return f"{seen:>4}", f"{of:>4}", f"{percent:>5.1f} %"


def _kinds(report: Report) -> Iterator[str]:
    for kind in Kind:
        found = report.count(kind)
        if found.all:
            yield f"{kind} {found.seen}/{found.all}"
    if report.policies:
        yield f"policy lines {report.lines.seen}/{report.lines.all}"


def _missing(report: Report) -> list[str]:
    found: list[str] = []
    for each in report.operations:
        missed = [row for row in each.rows if not row.seen]
        if missed:
            found += ["", f"missed of {clean(each.version)} {clean(each.operation)}, {clean(each.title)}:"]
            found += [_line(row) for row in _shortened(missed)]
    for lines in report.policies:
        numbers = [n for n, mark in lines.marks.items() if mark is not Mark.SEEN]
        if numbers:
            found += ["", f"missed of {clean(lines.file)}: lines {ranges(numbers)}"]
    return found


def _shortened(missed: Sequence[Row]) -> Sequence[Row]:
    """Of an operation that nothing asked for, that alone."""
    return missed[:1] if missed[0].point.kind is Kind.OPERATION else missed


def _line(row: Row) -> str:
    if row.point.kind is Kind.OPERATION:
        return f"  {place(row.span)}  everything: nothing asked for it"
    return f"  {place(row.span)}  {clean(worded(row.point))}"


def ranges(numbers: Sequence[int]) -> str:
    """Line numbers, neighbours as `3-5`."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and parts[-1][-1] == number - 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ", ".join(str(p[0]) if len(p) == 1 else f"{p[0]}-{p[-1]}" for p in parts)
