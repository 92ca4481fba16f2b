"""A role of the image, started as the image does: the installed command with flags, in a folder of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.gateway import ask
from tests.waiting import PATIENCE_S, until


class Role:
    """One process. `log` is what it wrote so far, both streams."""

    def __init__(
        self,
        folder: Path,
        name: str,
        *words: str,
        env: Mapping[str, str] | None = None,
        program: tuple[str, ...] = (sys.executable, "-m", "xds.cli"),
    ) -> None:
        self.name, self.words, self.program = name, words, program
        self._log = folder / f"{name}.log"
        self._env = {**os.environ, "NO_COLOR": "1", "PYTHONPATH": os.pathsep.join(sys.path), **(env or {})}
        self.start()

    def start(self) -> None:
        """Start it, again too."""
        command = [*self.program, *self.words]
        with self._log.open("ab") as out:
            self.process = subprocess.Popen(
                command, env=self._env, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def signal(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float = PATIENCE_S) -> int:
        """Its exit code. Raises subprocess.TimeoutExpired."""
        return self.process.wait(seconds)

    def stop(self) -> None:
        """SIGTERM twice, then whatever is left of its group is killed."""
        for _ in range(2):
            if self.running:
                self.signal()
        try:
            self.wait()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except OSError:
            return


def ready(port: int, *roles: Role, seconds: float = PATIENCE_S) -> None:
    """Wait until `/ready` at a port of loopback answers 200, while all the roles run."""

    def answers() -> bool:
        for role in roles:
            assert role.running, f"{role.name} ended: {role.log[-3000:]}"
        return ask(f"http://127.0.0.1:{port}/ready").status == 200

    until(answers, lambda: [ask(f"http://127.0.0.1:{port}/ready"), *(r.log[-2000:] for r in roles)], seconds)


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder with a short path: a socket's may have 107 bytes only."""
    folder = Path(tempfile.mkdtemp(prefix="sg-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
