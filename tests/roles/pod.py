"""A pod as processes: the app's journal on loopback, `sidegate sidecar` and `sidegate envoy` beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.e2e.journal import Journal
from tests.projects import CONTRACT, SETTINGS, pets
from tests.roles.running import Role, ready, short_folder
from tests.waiting import PATIENCE_S
from xds.up.ports import free_port

OPEN = CONTRACT.replace('      security: [{bearer: ["pets:write"]}]\n', "")
"""The pets without a scope: who may what is the policy's."""


def project(folder: Path, **changes: str | None) -> Path:
    """The pets as a folder. Its settings name an upstream that nobody is at: flags say where the app is."""
    for name, text in pets(contract=OPEN, settings=SETTINGS, **changes).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@dataclass
class Pod:
    """`port` is Envoy's, `management` the sidecar's, `envoy_ready` Envoy's own; `run` holds the sockets."""

    folder: Path
    journal: Journal
    sidecar: Role
    envoy: Role
    port: int
    management: int
    envoy_ready: int
    client: httpx.Client

    @property
    def run(self) -> Path:
        return self.folder / "run"

    @property
    def sources(self) -> Path:
        return self.folder / "sources"


@contextmanager
def pod(*, drain: str = "0.3", env: Mapping[str, str] | None = None) -> Iterator[Pod]:
    """A whole pod that serves the pets."""
    with ExitStack() as stack:
        folder, journal = stack.enter_context(short_folder()), stack.enter_context(Journal())
        project(folder / "sources")
        port, management, envoy_ready = free_port(), free_port(), free_port()
        sidecar = Role(
            folder, "sidecar", "sidecar", str(folder / "sources"), "--run", str(folder / "run"),
            "--state", str(folder / "state"), "--listen", f"127.0.0.1:{port}", "--upstream", journal.url,
            "--management", f"127.0.0.1:{management}", "--grace", "10", "--probe", f"{journal.port}/healthz", env=env,
        )  # fmt: skip
        stack.callback(sidecar.stop)
        envoy = Role(
            folder, "envoy", "envoy", "--service", "pets", "--run", str(folder / "run"), "--node", "pod-1",
            "--ready", f"127.0.0.1:{envoy_ready}", "--drain", drain, "--concurrency", "1",
        )  # fmt: skip
        stack.callback(envoy.stop)
        ready(envoy_ready, sidecar, envoy)
        client = stack.enter_context(
            httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=PATIENCE_S)
        )
        yield Pod(folder, journal, sidecar, envoy, port, management, envoy_ready, client)
