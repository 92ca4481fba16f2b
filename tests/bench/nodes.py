"""A thousand simulated xDS clients -> memory, and seconds until all of them hold a change."""

from __future__ import annotations

from pathlib import Path

from tests.bench import xds_clients
from tests.bench.row import Row, bound_row

GROUP = "1,000 simulated xDS clients, 240 kB of resources each"
COUNT = 1000
GOAL_MB = 300.0


def measure(folder: Path) -> list[Row]:
    rows: list[Row] = []
    for variant, label in (("delta", "delta"), ("sotw", "state of the world")):
        found = xds_clients.run(variant, COUNT)
        rows += [
            bound_row(GROUP, f"{label}: the server's memory in all, at its peak", found["peak MB"], "MB", GOAL_MB),
            bound_row(GROUP, f"{label}: until all hold a change, median", found["change median s"], "s"),
            bound_row(GROUP, f"{label}: of that, the server's CPU", found["change CPU s"], "s"),
        ]
        if found["not live"]:
            rows.append(
                Row(GROUP, f"{label}: clients that did not follow", f"{found['not live']:.0f}", goal="0", met=False)
            )
    return rows
