"""`python -m tests.bench [NAME ...]`: measure, print, and write BENCHMARKS.md when all of it was measured."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from tests.bench.row import Row, document, machine, table

NAMES = ("routing", "companion", "native", "validate", "saving", "compiling", "diffing", "nodes", "sidecars", "limits")
"""Modules of this package with `measure(folder) -> rows`."""
FILE = Path(__file__).parents[2] / "BENCHMARKS.md"
BUSY = 0.5


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"what to measure, of {', '.join(NAMES)}; default all")
    parser.add_argument("--output", type=Path, help="write the table there, also of a part")
    given = parser.parse_args()
    if unknown := set(given.names) - set(NAMES):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        del os.environ[name]  # spans that go nowhere would be measured too
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    notes = (
        [f"The machine was busy with other things: a load of {load:.1f} a core before it began."] if load > BUSY else []
    )
    began, on, rows = time.monotonic(), machine(), []
    for name in given.names or NAMES:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        found = measured(import_module(f"tests.bench.{name}").measure)
        print("\n".join([f"\n{found[0].group}\n", *table(found)]), flush=True)
        rows += found
    notes.append(f"It took {time.monotonic() - began:.0f} s.")
    target = given.output or (None if given.names else FILE)
    if target:
        target.write_text(document(rows, notes, on))
        print(f"\nwritten to {target}", file=sys.stderr)
    missed = [row for row in rows if row.met is False]
    for row in missed:
        print(f"over its goal: {row.name}", file=sys.stderr)
    return 0


def measured(measure: Callable[[Path], list[Row]]) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="sidegate-bench-") as folder:
        return measure(Path(folder))


if __name__ == "__main__":
    sys.exit(main())
