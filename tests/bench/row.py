"""Measurement -> a row of the table; rows, machine -> BENCHMARKS.md."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.hop import ENVOY


@dataclass(frozen=True, slots=True)
class Row:
    """One number. `baseline`, `measured` and `ratio` are as people read them; `goal` is empty where none was set.

    `met` is None without a goal, and for what could not be measured; `measured` says why then.
    """

    group: str
    name: str
    measured: str
    baseline: str = ""
    ratio: float | None = None
    goal: str = ""
    met: bool | None = None


def ratio_row(group: str, name: str, unit: str, pair: tuple[float, float], goal: float | None = None) -> Row:
    """A row for `pair`, a baseline and what is compared with it, both in `unit`; `goal` bounds their ratio."""
    base, value = pair
    ratio = value / base
    met = None if goal is None else ratio <= goal
    goal_text = "" if goal is None else f"ratio ≤ {goal:g}"
    return Row(group, name, f"{value:.0f} {unit}", f"{base:.0f} {unit}", ratio, goal_text, met)


def bound_row(group: str, name: str, value: float, unit: str, goal: float | None = None) -> Row:
    """A row for a number with a bound in the same unit."""
    met = None if goal is None else value <= goal
    text = f"{value:.2f}" if value < 10 else f"{value:.0f}"
    return Row(group, name, f"{text} {unit}", goal="" if goal is None else f"≤ {goal:g} {unit}", met=met)


def skipped(group: str, reason: str) -> Row:
    return Row(group, "not measured", reason)


def document(rows: Sequence[Row], notes: Sequence[str], on: Mapping[str, str]) -> str:
    """BENCHMARKS.md. `on` is what `machine()` said before the run."""
    lines = ["# Benchmarks", "", "Written by `make bench`. " + " ".join(PREFACE), ""]
    lines += [f"- {name}: {value}" for name, value in on.items()]
    for group in dict.fromkeys(row.group for row in rows):
        lines += ["", f"## {group}", ""]
        lines += table(row for row in rows if row.group == group)
    if notes:
        lines += ["", "## Notes on this run", "", *(f"- {note}" for note in notes)]
    return "\n".join(lines) + "\n"


PREFACE = (
    "Every ratio is to a baseline of the same run, measured in turn with it, so that a busy machine slows both;",
    "numbers are medians. CPU is what the kernel booked for every thread of the processes named, over a fixed number of",
    "requests; the load generator and the upstream are never counted.",
)


def table(rows: Iterable[Row]) -> list[str]:
    heads = ("what", "baseline", "measured", "ratio", "goal", "met")
    lines = [f"| {' | '.join(heads)} |", "|---|---:|---:|---:|---|---|"]
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        met = {None: "", True: "yes", False: "**no**"}[row.met]
        lines.append(f"| {row.name} | {row.baseline} | {row.measured} | {ratio} | {row.goal} | {met} |")
    return lines


def machine() -> dict[str, str]:
    """What the numbers were measured on."""
    return {
        "CPU": f"{_model()}, {os.cpu_count()} cores",
        "kernel": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "Envoy": _envoy_version(),
        "load before the run": " ".join(f"{load:.1f}" for load in os.getloadavg()),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }


def _model() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _envoy_version() -> str:
    said = subprocess.run([ENVOY, "--version"], capture_output=True, text=True, check=False).stdout
    parts = said.strip().split("version: ")[-1].split("/")
    return parts[1] if len(parts) > 1 else said.strip()
