"""Points, data -> Report: what was seen of each contract, line by line and kind by kind, and what was missed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from xds.diagnostics import Span
from xds.source import span

from .data import Data
from .points import Kind, Point

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Count:
    """How many of how many. Nothing to see is all of it."""

    seen: int
    all: int

    @property
    def percent(self) -> float:
        """0 to 100, never rounded up to 100."""
        return 100.0 if not self.all else 100.0 * self.seen / self.all

    def __add__(self, other: Count) -> Count:
        return Count(self.seen + other.seen, self.all + other.all)

    def __str__(self) -> str:
        return f"{int(self.percent * 10) / 10:.1f} %"


@dataclass(frozen=True, slots=True)
class Row:
    """One point with where it is written and the tests that showed it; `seen` says whether any did."""

    point: Point
    span: Span
    seen: bool
    tests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OperationRows:
    """One operation: `title` is `GET /catalog/v1/items`."""

    version: str
    operation: str
    title: str
    span: Span
    rows: tuple[Row, ...]

    def count(self, kind: Kind | None = None) -> Count:
        return count(self.rows, kind)


class Mark(StrEnum):
    """What became of a line: all that is written on it was seen, some, or nothing."""

    SEEN = "seen"
    SOME = "some"
    MISSED = "missed"


@dataclass(frozen=True, slots=True)
class Lines:
    """A file's lines that count, each with its mark and with what was missed there. `text` is the file's."""

    file: str
    text: str
    marks: Mapping[int, Mark]
    missed: Mapping[int, tuple[str, ...]]

    @property
    def count(self) -> Count:
        return Count(sum(mark is Mark.SEEN for mark in self.marks.values()), len(self.marks))


@dataclass(frozen=True, slots=True)
class Report:
    """The coverage of contracts and policies. `policies` are lines as OPA counts them, empty where nothing counted;
    `note` says why then."""

    operations: tuple[OperationRows, ...]
    contracts: tuple[Lines, ...]
    policies: tuple[Lines, ...] = ()
    note: str = ""

    def count(self, kind: Kind | None = None) -> Count:
        """How much was seen of one kind of points, or of all."""
        return sum((each.count(kind) for each in self.operations), Count(0, 0))

    @property
    def lines(self) -> Count:
        """How many of the policies' lines ran."""
        return sum((each.count for each in self.policies), Count(0, 0))

    @property
    def total(self) -> Count:
        """Everything that was counted: points of contracts, lines of policies."""
        return self.count() + self.lines

    def falls_short(self, percent: float) -> bool:
        """Whether the total is below a number of percent, before any rounding."""
        total = self.total
        return 100 * total.seen < percent * total.all

    def document(self) -> dict[str, Any]:
        """The report as JSON; `missed` has every point that nothing showed."""
        return {
            "format": FORMAT,
            "total": _plain(self.total),
            "kinds": {str(kind): _plain(self.count(kind)) for kind in Kind},
            "operations": [_operation(each) for each in self.operations],
            "policies": {
                each.file: _plain(each.count) | {"missed": [n for n, m in each.marks.items() if m is not Mark.SEEN]}
                for each in self.policies
            },
            **({"note": self.note} if self.note else {}),
        }


def _operation(each: OperationRows) -> dict[str, Any]:
    return {
        "version": each.version,
        "operation": each.operation,
        "route": each.title,
        "place": place(each.span),
        **_plain(each.count()),
        "missed": [
            {"kind": str(row.point.kind), "what": row.point.what, "place": place(row.span)}
            for row in each.rows
            if not row.seen
        ],
    }


def _plain(found: Count) -> dict[str, Any]:
    return {"seen": found.seen, "all": found.all, "percent": int(found.percent * 100) / 100}


def place(at: Span) -> str:
    """`file:line`."""
    return f"{at.file}:{at.line}" if at.line else at.file


def count(rows: Iterable[Row], kind: Kind | None = None) -> Count:
    """How many of the rows, of one kind or of all, were seen."""
    of = [row.seen for row in rows if kind is None or row.point.kind is kind]
    return Count(sum(of), len(of))


def report(
    points: Iterable[Point],
    titles: Mapping[tuple[str, str], str],
    data: Data,
    files: Mapping[str, bytes],
    policies: tuple[Lines, ...] = (),
    note: str = "",
) -> Report:
    """Lay what was seen beside what there is. `titles` are by version and operation; hits of points that the contracts
    no longer have are left out."""
    by_operation: dict[tuple[str, str], list[Row]] = {}
    for point in points:
        tests = data.hits.get(point.key)
        row = Row(point, span(files, point.place), tests is not None, tuple(sorted(tests or ())))
        by_operation.setdefault((point.version, point.operation), []).append(row)
    operations = tuple(
        OperationRows(*name, titles.get(name, name[1]), rows[0].span, tuple(rows))
        for name, rows in by_operation.items()
    )
    rows = [row for each in operations for row in each.rows]
    return Report(operations, tuple(_marked(rows, files)), policies, note)


def _marked(rows: Iterable[Row], files: Mapping[str, bytes]) -> Iterable[Lines]:
    by_line: dict[str, dict[int, list[Row]]] = {}
    for row in rows:
        if row.span.line:
            by_line.setdefault(row.span.file, {}).setdefault(row.span.line, []).append(row)
    for file, lines in sorted(by_line.items()):
        marks = {number: _mark(count(here)) for number, here in sorted(lines.items())}
        missed = {n: tuple(_missed(here)) for n, here in lines.items() if marks[n] is not Mark.SEEN}
        yield Lines(file, files[file].decode("utf-8-sig", "replace"), marks, missed)


def _mark(found: Count) -> Mark:
    return Mark.SEEN if found.seen == found.all else Mark.SOME if found.seen else Mark.MISSED


def _missed(rows: Iterable[Row]) -> Iterable[str]:
    return dict.fromkeys(f"{r.point.operation} {worded(r.point)}" for r in rows if not r.seen)


def worded(point: Point) -> str:
    """A point in words: `parameter: query limit given`; `operation` if that is all."""
    return f"{point.kind}: {point.what}" if point.what else str(point.kind)
