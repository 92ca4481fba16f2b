"""Two revisions of a contract -> seconds until `sidegate diff` has said what breaks clients between them."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.bench import projects
from tests.bench.row import Row, bound_row, skipped

GROUP = "`sidegate diff` of two revisions (the whole command, from git and the work tree)"
CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
GOAL_S = 10.0


def measure(folder: Path) -> list[Row]:
    ocean = CORPUS / "digitalocean" / "specification"
    made = folder / "made"
    (made / "contracts/svc").mkdir(parents=True)
    (made / "contracts/svc/v1.yaml").write_text(projects.text_of(projects.generated(1000)))
    found = _rows("1,000 operations made up", made, Path("contracts/svc/v1.yaml"), b"type: string")
    if not ocean.is_dir():
        return [*found, skipped(GROUP, "DigitalOcean: there is no ../shared/corpus beside the project")]
    real = folder / "real"
    shutil.copytree(ocean, real / "contracts/ocean/v2")
    document = real / "contracts/ocean/v2/DigitalOcean-public.v2.yaml"
    document.rename(document.with_name("openapi.yaml"))
    for path in real.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    changed = Path("contracts/ocean/v2/resources/droplets/models/droplet.yml")
    return [*found, *_rows("DigitalOcean, 659 operations in 2,900 files", real, changed, b"type: integer")]


def _rows(name: str, root: Path, changed: Path, word: bytes) -> list[Row]:
    for words in (("init", "-q"), ("add", "."), (*_WHO, "commit", "-q", "-m", "first")):
        subprocess.run(("git", *words), cwd=root, check=True)
    rows = [bound_row(GROUP, f"{name}: nothing changed", _seconds(root, 0), "s", GOAL_S)]
    text = (root / changed).read_bytes()
    assert word in text
    (root / changed).write_bytes(text.replace(word, b"type: boolean", 1))
    return [*rows, bound_row(GROUP, f"{name}: one schema changed", _seconds(root, 1), "s", GOAL_S)]


def _seconds(root: Path, code: int) -> float:
    """The best of two runs, which must end with the code."""
    took = []
    for _ in range(2):
        began = time.perf_counter()
        done = subprocess.run(
            (sys.executable, "-m", "xds.cli", "diff", "HEAD"), cwd=root, capture_output=True, check=False
        )
        took.append(time.perf_counter() - began)
        assert done.returncode == code, done.stdout[-500:] + done.stderr[-500:]
    return min(took)


_WHO = ("-c", "user.name=Nobody", "-c", "user.email=nobody@example.com", "-c", "commit.gpgsign=false")
