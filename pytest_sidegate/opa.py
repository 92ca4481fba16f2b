"""A project's policies -> the URL of a real OPA that holds them, for as long as it is needed."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from xds.up.ports import free_port

PATIENCE_S = 60.0


class NoOpa(LookupError):
    """There is no OPA; the text says where one is looked for."""


def found() -> Path:
    """OPA's executable: `SIDEGATE_OPA`, or `opa` on PATH. Raises `NoOpa`."""
    given = os.environ.get("SIDEGATE_OPA") or shutil.which("opa")
    if given and Path(given).is_file():
        return Path(given)
    raise NoOpa("no OPA: put `opa` on PATH, or its path into SIDEGATE_OPA")


@contextlib.contextmanager
def served(root: Path) -> Iterator[str]:
    """An OPA with the policies of a project. Raises `NoOpa`."""
    binary, port = found(), free_port()
    command = [str(binary), "run", "--server", "--addr", f"127.0.0.1:{port}", "--log-level", "error"]
    command += ["--disable-telemetry", "--ignore", "*_test.rego", str(root / "policies")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url, process)
        yield url
    finally:
        process.kill()
        process.wait()


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            with opener.open(f"{url}/health", timeout=2):
                return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise NoOpa("OPA does not start on the project's policies: `opa check policies` says why") from None
            time.sleep(0.05)
