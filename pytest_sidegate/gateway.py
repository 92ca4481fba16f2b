"""Staged -> Gateway: `sidegate up` on free ports, a real Envoy with its control plane and companion, ended with the tests."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from pytest_sidegate.project import Staged
from xds.up.ports import free_port

PATIENCE_S = 120.0
"""How long a gateway may take to start. Long, since a machine with many workers is slow."""

ATTEMPTS = 3
"""Somebody may take a free port before it is listened on."""


class GatewayFailed(RuntimeError):
    """The gateway did not start; the text has what it printed."""


@dataclass(slots=True)
class Gateway:
    """A running gateway. `url` is where it listens, `management` the control plane's API, `folder` the project that it
    runs on."""

    url: str
    management: str
    folder: Path
    _process: subprocess.Popen[bytes]
    _out: Path

    @property
    def output(self) -> str:
        """What it printed so far."""
        return self._out.read_text(errors="replace")

    @property
    def access_log(self) -> Path:
        """One JSON line a request."""
        return self.folder / ".sidegate" / "access.log"

    def stop(self) -> None:
        """End it as Ctrl-C does, and all that it started."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def started(staged: Staged, folder: Path) -> Gateway:
    """Start a gateway on a project, written below the folder. Raises `GatewayFailed`."""
    root = folder / "project"
    staged.write(root)
    for attempt in range(ATTEMPTS):
        gateway = _launched(root, folder / f"gateway-{attempt}.out")
        try:
            _wait(gateway)
        except GatewayFailed as failed:
            gateway.stop()
            if attempt + 1 == ATTEMPTS or "is taken" not in str(failed):
                raise
        except BaseException:
            gateway.stop()
            raise
        else:
            return gateway
    raise AssertionError("the last attempt raises or returns")


def _launched(root: Path, out: Path) -> Gateway:
    port, management = free_port(), free_port()
    command = [
        *(sys.executable, "-m", "xds.cli", "up", str(root)),
        *("--listen", f"127.0.0.1:{port}", "--management", f"127.0.0.1:{management}"),
    ]
    with out.open("wb") as stream:
        process = subprocess.Popen(
            command,
            env={**os.environ, "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Gateway(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{management}", root, process, out)


def _wait(gateway: Gateway) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not _is_ready(gateway.management):
        if gateway._process.poll() is not None or time.monotonic() > deadline:
            raise GatewayFailed(f"the gateway did not start:\n{gateway.output[-4000:]}")
        time.sleep(0.05)


def _is_ready(management: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{management}/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError:
        return False
    except OSError:
        return False
