"""Contract -> seconds and megabytes until it is a snapshot, cold and after one operation changed."""

from __future__ import annotations

import json
import re
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from tests.bench import projects, xds_clients
from tests.bench.row import Row, bound_row, skipped
from tests.e2e.tokens import Issuer

GROUP = "Compile time and memory (one process: files to the snapshot that Envoy is sent)"
CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
COLD_S, CHANGE_MS = 5.0, 100.0
CHANGES = 7


def measure(folder: Path) -> list[Row]:
    rows: list[Row] = []
    for name, place in sources().items():
        if place is None:
            rows.append(skipped(GROUP, f"{name}: there is no ../shared/corpus beside the project"))
            continue
        project = prepare(folder / name.split()[0].lower(), place)
        command = [sys.executable, "-m", "tests.bench.compiling", str(project)]
        cold = [
            json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout) for _ in range(2)
        ]
        rows += _rows(name, min(cold, key=lambda found: found["cold"]))
    return rows


def sources() -> dict[str, str | Path | None]:
    """What is compiled: a number of operations to make up, or a document."""
    box, ocean = CORPUS / "box.json", CORPUS / "digitalocean" / "specification" / "DigitalOcean-public.v2.yaml"
    return {
        "10,000 operations made up": "10000",
        "Box": box if box.exists() else None,
        "DigitalOcean": ocean if ocean.exists() else None,
    }


def _rows(name: str, found: dict[str, Any]) -> list[Row]:
    label = f"{name} ({found['operations']:,} operations)"
    return [
        bound_row(GROUP, f"{label}: cold", found["cold"], "s", COLD_S),
        bound_row(GROUP, f"{label}: cold, companion's plan", found["plan"], "s"),
        bound_row(GROUP, f"{label}: peak memory, control plane's part", found["peak"], "MB"),
        bound_row(GROUP, f"{label}: one operation changed", found["changed"] * 1000, "ms", CHANGE_MS),
        bound_row(GROUP, f"{label}: one operation changed, of that lowering", found["lowered"] * 1000, "ms"),
        bound_row(GROUP, f"{label}: one operation changed, companion's plan", found["replanned"] * 1000, "ms"),
    ]


def prepare(folder: Path, place: str | Path) -> Path:
    """A project with the contract. Box's and DigitalOcean's are taken as they are, apart from what makes them refused."""
    projects.write(folder, projects.generated(10), upstream=9, issuer=Issuer())
    settings = yaml.safe_load((folder / "sidegate.yaml").read_text())
    settings["security"] |= dict.fromkeys(
        ("OAuth2Security", "bearer_auth", "inference_bearer_auth"), settings["security"]["bearer"]
    )
    (folder / "sidegate.yaml").write_text(yaml.safe_dump(settings))
    contracts = folder / "contracts" / "svc"
    if isinstance(place, str):
        (contracts / "v1.yaml").write_text(projects.text_of(projects.generated(int(place))))
    elif place.suffix == ".json":
        (contracts / "v1.yaml").unlink()
        document = json.loads(place.read_text())
        # Paths that differ in a fragment only are one path: the document itself forbids its gateway.
        document["paths"] = {path: item for path, item in document["paths"].items() if "#" not in path}
        (contracts / "v1.json").write_text(json.dumps(document, indent=2))
    else:
        (contracts / "v1.yaml").unlink()
        shutil.copytree(place.parent, contracts / "v1")
        root = contracts / "v1" / place.name
        root.rename(contracts / "v1" / "openapi.yaml")
    return folder


def main(root: Path) -> None:
    """In a process of its own: one cold compilation, then some with one operation changed."""
    from sidecar.plan import Plan, next_plan
    from xds.envoy import Profile, lower
    from xds.envoy.codec import encode
    from xds.project.building import building, keep
    from xds.project.project import Project
    from xds.snapshot import snapshot_of

    profile = Profile(("127.0.0.1", 1), ("127.0.0.1", 2))
    project, clock = Project(root, root / ".sidegate"), time.perf_counter
    start = clock()
    compilation = project.compile()
    if compilation.refused:
        sys.exit("\n".join(str(d) for d in compilation.diagnostics if d.is_error)[:2000])
    with building():
        snapshot = snapshot_of(lower(compilation.gateway, profile), encode)
    keep()
    cold, peak = clock() - start, xds_clients.peak()
    start = clock()
    plan = next_plan(Plan(), compilation)
    planned = clock() - start
    changed, lowered, replanned = [], [], []
    for number in range(CHANGES):
        change(root, number)
        start = clock()
        compilation = project.compile()
        middle = clock()
        with building():
            snapshot = snapshot_of(lower(compilation.gateway, profile), encode, snapshot)
        keep()
        end = clock()
        plan = next_plan(plan, compilation)
        changed.append(end - start)
        lowered.append(end - middle)
        replanned.append(clock() - end)
    operations = sum(len(v.operations) for s in compilation.gateway.services for v in s.versions)
    found = {"cold": cold, "plan": planned, "peak": peak, "operations": operations}
    medians = {"changed": changed, "lowered": lowered, "replanned": replanned}
    print(json.dumps(found | {name: statistics.median(times) for name, times in medians.items()}))


def change(root: Path, number: int) -> None:
    """Give one operation, in the middle of the contract, another operationId: its schemas, routes and policy follow."""
    place = next(root / place for place in ROOTS if (root / place).exists())
    files = [place, *sorted(place.parent.rglob("*.yml"))]
    file = next(f for f in files if NAMED.search(f.read_text(errors="replace")))
    text = file.read_text()
    named = list(NAMED.finditer(text))
    at = named[len(named) // 2].end(1)
    end = re.compile("_changed[0-9]+|").match(text, at)
    assert end
    file.write_text(f"{text[:at]}_changed{number}{text[end.end() :]}")


NAMED = re.compile(r'"?operationId"?: "?([A-Za-z0-9_-]+?)(?=_changed|[^A-Za-z0-9_-])')
ROOTS = ("contracts/svc/v1.yaml", "contracts/svc/v1.json", "contracts/svc/v1/openapi.yaml")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
