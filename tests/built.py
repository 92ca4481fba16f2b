"""A program in Go -> its binary: built once, into a cache outside of the clone, whoever of the test processes is first."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

PATIENCE_S = 1200


def cached(name: str, version: str, program: str) -> Path:
    """Where a version of a tool is kept: `name-version/program`, as `go install` calls it."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "sidegate" / "bin" / f"{name}-{version}" / program


def built(target: Path, module: str) -> Path | str:
    """The binary of a module at a version, or why there is none. Two that need it wait for one build."""
    if target.is_file():
        return target
    if not shutil.which("go"):
        return f"no {target.name}: there is no Go to build it with"
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.is_file():
            return target
        command, env = ["go", "install", module], {**os.environ, "GOBIN": str(target.parent)}
        said = subprocess.run(command, env=env, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    return target if target.is_file() else f"{target.name} cannot be built: {said.stderr.strip()[-300:]}"
