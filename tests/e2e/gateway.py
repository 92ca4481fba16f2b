"""A gateway, started as a stranger would: the installed command on a folder, ready when its management address says so."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e import processes
from tests.waiting import PATIENCE_S
from xds.up.ports import free_port


@dataclass(frozen=True)
class Reply:
    """A management answer; `body` is text."""

    status: int
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(url: str, timeout: float = PATIENCE_S) -> Reply:
    """GET; an HTTP error is an answer like any other, a refused connection is status 0."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as response:
            return Reply(response.status, response.read().decode())
    except urllib.error.HTTPError as error:
        return Reply(error.code, error.read().decode())
    except OSError as error:
        return Reply(0, str(error))


class Gateway:
    """`sidegate up folder` on free ports. Use as a context manager; leaving it ends every process it started.

    `env` is added to the environment (OTEL_* for traces). `output` is what the command printed so far, both streams.
    """

    def __init__(
        self, folder: Path, *arguments: str, env: dict[str, str] | None = None, patience: float = PATIENCE_S
    ) -> None:
        self.folder = folder
        self.port, self.management = free_port(), free_port()
        self.patience = patience
        self._out = folder.parent / f"{folder.name}-{self.port}.out"
        self._command = [
            sys.executable, "-m", "xds.cli", "up", str(folder), "--listen", f"127.0.0.1:{self.port}",
            "--management", f"127.0.0.1:{self.management}", *arguments,
        ]  # fmt: skip
        self._env = {**os.environ, "NO_COLOR": "1", **(env or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def output(self) -> str:
        return self._out.read_text(errors="replace")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> Gateway:
        """Start the command and wait until it is ready; a command that ends or is not ready in time raises."""
        with self._out.open("wb") as out:
            self._process = subprocess.Popen(
                self._command, env=self._env, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        try:
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def wait_ready(self) -> None:
        """Return as soon as `/ready` answers 200."""
        deadline = time.monotonic() + self.patience
        while (ready := self.manage("/ready")).status != 200:
            ended = self._process is None or self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                raise RuntimeError(f"the gateway is not ready: {ready}; it printed:\n{self.output[-4000:]}")
            time.sleep(0.05)

    def manage(self, path: str) -> Reply:
        """GET on the management address."""
        return ask(f"http://127.0.0.1:{self.management}{path}")

    def processes(self) -> list[processes.Process]:
        """The command and everything below it."""
        return processes.tree(self.pid)

    def roles(self) -> dict[str, processes.Process]:
        """The first process of each role: `control-plane` (the command itself), `envoy`, `companion`."""
        roles: dict[str, processes.Process] = {}
        for process in self.processes():
            roles.setdefault(process.role if process.pid != self.pid else "control-plane", process)
        return roles

    def stop(self) -> int | None:
        """SIGINT, as Ctrl-C does; SIGKILL to whatever does not end. The exit status."""
        if self._process is None:
            return None
        family = [p.pid for p in self.processes()]
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pid in family:
            _end(pid)
        return self._process.returncode

    def kill(self, role: str, sig: int = signal.SIGKILL) -> int:
        """Send a signal to one part; its process id."""
        pid = self.roles()[role].pid
        os.kill(pid, sig)
        return pid

    def __enter__(self) -> Gateway:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def _end(pid: int) -> None:
    deadline = time.monotonic() + 1
    while processes.read(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    if processes.read(pid):
        os.kill(pid, signal.SIGKILL)
