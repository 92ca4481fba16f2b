"""Control plane, companion and Envoy as processes of their own, each to be started, stopped and killed by itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.blackbox.bare import ENVOY
from tests.e2e import processes
from tests.e2e.gateway import Reply, ask
from tests.waiting import PATIENCE_S, until
from xds.up.ports import free_port

ROLES = ("control-plane", "companion", "envoy")


class Parts:
    """Has what `World` asks of a gateway. `relay` is where Envoy looks for the companion, if not at the companion itself."""

    def __init__(self, folder: Path, otlp: str, relay: int = 0) -> None:
        self.folder, self.state = folder, folder.parent / "state"
        self.port, self.management, self.companion = free_port(), free_port(), free_port()
        self._admin, self._ads, self._envoy_admin = free_port(), free_port(), free_port()
        self.log = folder.parent / "access.log"
        self._env = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": otlp, "PYTHONUNBUFFERED": "1"}
        self._options = {
            "folder": str(folder), "state": str(self.state), "listen": f"127.0.0.1:{self.port}",
            "companion": f"127.0.0.1:{relay or self.companion}", "management": f"127.0.0.1:{self.management}",
            "ads": f"127.0.0.1:{self._ads}", "log": str(self.log), "otlp": otlp,
        }  # fmt: skip
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def _command(self, role: str) -> list[str]:
        if role == "control-plane":
            return [sys.executable, "-m", "tests.blackbox.control", json.dumps(self._options)]
        if role == "envoy":
            from xds.envoy.bootstrap import bootstrap  # heavy: only where parts are started

            config = self.folder.parent / "bootstrap.json"
            made = bootstrap("sidegate", ("127.0.0.1", self._ads), ("127.0.0.1", self._envoy_admin))
            config.write_text(json.dumps(made))
            return [str(ENVOY), "-c", str(config), "--concurrency", "2", "-l", "error", "--use-dynamic-base-id"]
        return [
            sys.executable, "-m", "sidecar", "--dir", str(self.folder), "--state", str(self.state),
            "--listen", f"127.0.0.1:{self.companion}", "--admin", f"127.0.0.1:{self._admin}",
            "--report", f"http://127.0.0.1:{self.management}",
        ]  # fmt: skip

    def start(self, *roles: str) -> None:
        """Start parts; does not wait, but for the control plane's answer before the next, so that nobody backs off."""
        for role in roles or ROLES:
            with (self.folder.parent / f"{role}.out").open("ab") as out:
                self._running[role] = subprocess.Popen(self._command(role), stdout=out, stderr=out, env=self._env)
            if role == "control-plane" and len(roles) != 1:
                self.wait_answers()

    def stop(self, role: str, sig: int = signal.SIGKILL) -> None:
        """Signal a part and wait until it is gone."""
        process = self._running.pop(role)
        family = [p.pid for p in processes.tree(process.pid)]
        process.send_signal(sig)
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pid in family[1:]:
            if processes.read(pid):
                os.kill(pid, signal.SIGKILL)

    def manage(self, path: str) -> Reply:
        """GET on the control plane's management address."""
        return ask(f"http://127.0.0.1:{self.management}{path}")

    def wait_answers(self) -> None:
        """Return as soon as the control plane answers at all."""
        until(lambda: self.manage("/ready").status, lambda: self.output[-4000:])

    def wait_ready(self) -> float:
        """Seconds until `/ready` answers 200."""
        return until(
            lambda: self.manage("/ready").status == 200, lambda: f"{self.manage('/ready')}\n{self.output[-4000:]}"
        )

    def roles(self) -> dict[str, processes.Process]:
        """The parts that run."""
        return {role: p for role, process in self._running.items() if (p := processes.read(process.pid))}

    def kill(self, role: str, sig: int = signal.SIGKILL) -> int:
        """Send a signal to one part; its process id."""
        self._running[role].send_signal(sig)
        return self._running[role].pid

    @property
    def output(self) -> str:
        files = sorted(self.folder.parent.glob("*.out"))
        printed = "".join(f"--- {p.name}\n{p.read_text(errors='replace')}" for p in files)
        return printed + (self.log.read_text() if self.log.exists() else "")

    def __enter__(self) -> Parts:
        return self

    def __exit__(self, *_: object) -> None:
        for role in reversed([*self._running]):
            self.stop(role, signal.SIGTERM)
