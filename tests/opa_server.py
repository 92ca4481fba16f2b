"""A real OPA server for tests: found, or built once where Go is."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

VERSION = "1.22.2"


def _cached() -> Path:
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "sidegate" / "bin" / f"opa-{VERSION}" / "opa"


def find_opa() -> Path | str:
    """The OPA binary (`SIDEGATE_OPA`, PATH, the cache, or built into the cache), or why there is none."""
    for candidate in (os.environ.get("SIDEGATE_OPA"), shutil.which("opa"), str(_cached())):
        if candidate and Path(candidate).is_file():
            return Path(candidate)
    if not shutil.which("go"):
        return "no OPA: SIDEGATE_OPA is not set, `opa` is not on PATH, and there is no Go to build it with"
    target = _cached()
    target.parent.mkdir(parents=True, exist_ok=True)
    command = ["go", "install", f"github.com/open-policy-agent/opa@v{VERSION}"]
    env = {**os.environ, "GOBIN": str(target.parent)}
    built = subprocess.run(command, env=env, capture_output=True, text=True, timeout=900, check=False)
    return target if target.is_file() else f"OPA cannot be built: {built.stderr.strip()[-300:]}"


def free_port() -> int:
    """A TCP port that nobody listens on now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


class OpaServer:
    """One `opa run --server`; `url` is its address."""

    def __init__(self, binary: Path) -> None:
        self.binary, self.port = binary, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        """Start it, with no policy, and wait until it is healthy."""
        command = [str(self.binary), "run", "--server", "--addr", f"127.0.0.1:{self.port}", "--log-level", "error"]
        self.process = subprocess.Popen(
            [*command, "--disable-telemetry"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + 20
        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=1):
                    return
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    self.stop()
                    raise
                time.sleep(0.05)

    def stop(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()

    def put(self, path: str, body: str) -> None:
        """PUT a policy (`policies/x`) or data (`data/x`). Raises OSError if OPA refuses it."""
        request = urllib.request.Request(f"{self.url}/v1/{path}", body.encode(), method="PUT")
        with urllib.request.urlopen(request, timeout=10):
            pass


@pytest.fixture(scope="session")
def opa_binary() -> Path:
    """The OPA binary, or a skip that says why there is none."""
    found = find_opa()
    if isinstance(found, str):
        pytest.skip(found)
    return found


@pytest.fixture
def opa_server(opa_binary: Path) -> Iterator[OpaServer]:
    """A server with no policy loaded."""
    server = OpaServer(opa_binary)
    yield server
    server.stop()
