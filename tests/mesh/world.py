"""The mesh of `make mesh` before journals instead of apps: what is asked of it, and what it says of itself."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from examples.mesh.parts import REPLICAS, SERVICES, Mesh
from tests.blackbox.relay import Relay
from tests.e2e.journal import Journal
from tests.e2e.processes import Admin, Process, read
from tests.mesh.load import ALLOWED, Load
from tests.ratelimit_server import find_ratelimit, find_valkey
from tests.roles.running import short_folder, until
from tests.waiting import PATIENCE_S
from xds.address import UnixSocket
from xds.http.ask import get
from xds.status import Status, status

PUBLISH = {"publish": {"breaking": "allow"}}
OPERATION = """\
  /{0}:
    get:
      operationId: {0}
      x-sidegate: {{policy: none, reason: a public page}}
      security: []
      responses:
        "200": {{description: What there is, content: {{application/json: {{schema: {{type: object}}}}}}}}
"""


@dataclass
class World:
    """The running mesh. `doors` are what proxies and companions reach each replica of the control plane through."""

    mesh: Mesh
    journals: Mapping[str, Journal]
    doors: Mapping[str, Relay]
    marks: dict[str, int] = field(default_factory=dict)

    @property
    def sources(self) -> Path:
        return self.mesh.folder / "sources"

    @property
    def everybody(self) -> tuple[str, ...]:
        """The proxies, by the names of their pods."""
        return (*SERVICES, "edge")

    def reached(self) -> Counter[str]:
        """What reached the apps, by target, since the last `mark`."""
        entries = (e for name, journal in self.journals.items() for e in journal.since(self.marks.get(name, 0)))
        return Counter(entry.target for entry in entries)

    def mark(self) -> None:
        self.marks = {name: journal.mark() for name, journal in self.journals.items()}

    def load(self) -> Load:
        self.mark()
        return Load(self.mesh.ports["edge"], self.mesh.token())

    def ask(self, path: str, method: str = "GET", at: str = "edge", **more: Any) -> httpx.Response:
        """A request with a good token, through the edge or at the sidecar of a service."""
        headers = {"Authorization": f"Bearer {self.mesh.token()}", **more.pop("headers", {})}
        url = f"http://127.0.0.1:{self.mesh.ports[at]}{path}"
        return httpx.request(method, url, headers=headers, trust_env=False, **{"timeout": 20, **more})

    def served(self, load: Load, *also: str) -> None:
        """O1, O2: what was answered 200 reached its app once, and nothing else but what the test asked beside reached any."""

        def reached() -> Counter[str]:
            return Counter({target: count for target, count in self.reached().items() if target not in also})

        until(lambda: reached() == load.served, lambda: (reached(), load.served, load.wrong))

    def well(self, path: str = ALLOWED[0], code: int = 200) -> None:
        """Wait until a request is answered so: what a test changed is over."""
        until(lambda: self.ask(path).status_code == code, lambda: (self.ask(path).text, self.logs()))

    def logs(self) -> dict[str, str]:
        return {name: self.mesh.log(name)[-1500:] for name in self.mesh.parts}

    def status(self, replica: str) -> Status:
        return status(UnixSocket(str(self.mesh.folder / replica / "management.sock")), PATIENCE_S)

    def told(self, replica: str, path: str) -> Any:
        """What a replica's management API says, however long that takes on a busy machine."""
        url = f"{UnixSocket(str(self.mesh.folder / replica / 'management.sock')).url}{path}"
        answer = get(url, PATIENCE_S)
        assert answer.status, answer.why
        return answer.json

    def synced(self) -> int:
        """Proxies that the replicas see, all of them synced."""
        rows = [row for name in REPLICAS for row in self.status(name).clients if row.node != "ratelimit"]
        return len(rows) if all(row.state == "synced" for row in rows) else 0

    def connected(self) -> None:
        """Wait until every proxy is connected and synced."""
        until(
            lambda: self.synced() >= len(self.everybody),
            lambda: ([self.told(n, "/clients") for n in REPLICAS], self.logs()),
        )

    def envoy(self, name: str) -> int:
        """The process of a pod's Envoy."""
        process = self.mesh.parts[f"{name}-envoy"].process
        assert process is not None
        return int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])

    def admin(self, name: str) -> Admin:
        return Admin(self.envoy(name))

    def stats(self, name: str, regex: str) -> dict[str, int]:
        """Counters of a pod's Envoy."""
        return self.admin(name).stats(regex)

    def process(self, name: str) -> Process:
        """A part's process now."""
        started = self.mesh.parts[name].process
        assert started is not None
        found = read(started.pid)
        assert found is not None, f"{name} ended: {self.mesh.log(name)[-2000:]}"
        return found


@contextmanager
def running() -> Iterator[World]:
    """The whole mesh, once it answers."""
    valkey, service = find_valkey(), find_ratelimit()
    counting = None if isinstance(valkey, str) or isinstance(service, str) else (valkey, service)
    with ExitStack() as stack:
        folder = stack.enter_context(short_folder())
        journals = {name: stack.enter_context(Journal()) for name in SERVICES}
        doors = {name: stack.enter_context(Relay()) for name in REPLICAS}
        upstreams = {name: journal.url for name, journal in journals.items()}
        mesh = Mesh(folder, upstreams, counting, {name: door.port for name, door in doors.items()})
        # Tests take back what they add: nobody's clients here.
        (folder / "sources/sidegate.yaml").write_text(json.dumps(mesh.settings(**PUBLISH)))
        for name, door in doors.items():
            door.target = mesh.xds[name]
        stack.callback(mesh.stop)
        mesh.start()
        world = World(mesh, journals, doors)
        for target in ALLOWED:
            world.well(target)
        yield world


def add(path: Path, name: str) -> None:
    """One more public operation, as its owner would commit it."""
    path.write_text(path.read_text().replace("paths:\n", f"paths:\n{OPERATION.format(name)}", 1))


@contextmanager
def rewritten(path: Path, text: str) -> Iterator[None]:
    """A source that says something else meanwhile, and again what it said whatever becomes of the test."""
    before = path.read_text()
    path.write_text(text)
    try:
        yield
    finally:
        path.write_text(before)
