"""A real OPA server for tests: found, or built once where Go is."""

from __future__ import annotations

import os
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.built import built, cached
from tests.waiting import PATIENCE_S, until
from xds.up.ports import free_port

VERSION = "1.22.2"


def find_opa() -> Path | str:
    """The OPA binary (`SIDEGATE_OPA`, PATH, the cache, or built into the cache), or why there is none."""
    for candidate in (os.environ.get("SIDEGATE_OPA"), shutil.which("opa")):
        if candidate and Path(candidate).is_file():
            return Path(candidate)
    return built(cached("opa", VERSION, "opa"), f"github.com/open-policy-agent/opa@v{VERSION}")


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
        try:
            until(self._healthy, lambda: "OPA does not answer")
        except BaseException:
            self.stop()
            raise

    def _healthy(self) -> bool:
        assert self.process.poll() is None, "OPA ended"
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=PATIENCE_S):
                return True
        except OSError:
            return False

    def stop(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()

    def put(self, path: str, body: str) -> None:
        """PUT a policy (`policies/x`) or data (`data/x`). Raises OSError if OPA refuses it."""
        request = urllib.request.Request(f"{self.url}/v1/{path}", body.encode(), method="PUT")
        with urllib.request.urlopen(request, timeout=PATIENCE_S):
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
    try:
        yield server
    finally:
        server.stop()
