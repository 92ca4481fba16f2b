"""A project and test files -> a pytest session of their own, as whoever installed Sidegate starts one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Session:
    """What a session printed, and how it ended. `outcomes` are by the test's name, as `PASSED`."""

    code: int
    output: str

    @property
    def outcomes(self) -> dict[str, str]:
        found = re.findall(
            r"^(PASSED|FAILED|SKIPPED|ERROR) (?:\[\d+\] )?(\S+?)(?:: .*| - .*)?$", self.output, re.MULTILINE
        )
        return {name.rpartition("::")[2] if "::" in name else name: word for word, name in found}


def session(folder: Path, *arguments: str, env: dict[str, str] | None = None, **files: str) -> Session:
    """Run pytest in a folder, after writing `files` (`test_a` is `test_a.py`)."""
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    (folder / "pytest.ini").touch()
    # The project's own options are not the inner session's; a worker of xdist is not one there.
    around = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300, check=False, env={**around, **(env or {})}
    )
    return Session(done.returncode, done.stdout + done.stderr)
