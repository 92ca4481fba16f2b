"""oasdiff itself, for tests: found, or built once where Go is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

VERSION = "v1.35.0"
MODULE = "github.com/oasdiff/oasdiff"


def _cached() -> Path:
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "sidegate" / "bin" / f"oasdiff-{VERSION}" / "oasdiff"


def find() -> Path | str:
    """The binary (`SIDEGATE_OASDIFF`, the cache, or built into the cache), or why there is none."""
    for candidate in (os.environ.get("SIDEGATE_OASDIFF"), str(_cached())):
        if candidate and Path(candidate).is_file():
            return Path(candidate)
    if not shutil.which("go"):
        return "no oasdiff: SIDEGATE_OASDIFF is not set, and there is no Go to build it with"
    target = _cached()
    target.parent.mkdir(parents=True, exist_ok=True)
    command, env = ["go", "install", f"{MODULE}@{VERSION}"], {**os.environ, "GOBIN": str(target.parent)}
    built = subprocess.run(command, env=env, capture_output=True, text=True, timeout=900, check=False)
    return target if target.is_file() else f"oasdiff cannot be built: {built.stderr.strip()[-300:]}"


def ask(binary: Path, *words: str) -> Any:
    """What it answers, read as JSON; nothing at all is an empty list."""
    done = subprocess.run([binary, *words], capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout) if done.stdout.strip() else []


def rows(binary: Path) -> dict[str, str]:
    """The published table: ids of changes and their level, `error`, `warning` or `info`."""
    return {row["id"]: row["level"] for row in ask(binary, "checks", "changelog", "--format", "json")}
