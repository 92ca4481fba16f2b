"""The mesh of `make mesh` under load: each part is killed and restarted, and nothing is lost, let through or taken back."""

from __future__ import annotations

import http.client
import itertools
import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from examples.mesh.parts import REPLICAS, SERVICES, Mesh
from tests.e2e.journal import Answer, Journal
from tests.e2e.processes import Admin
from tests.ratelimit_server import find_ratelimit, find_valkey
from tests.roles.running import short_folder, until

pytestmark = pytest.mark.slow

ALLOWED = ("/catalog/v1/items?limit=2", "/orders/v1/orders", "/catalog/v1/me")
REFUSED = (
    ("/catalog/v1/items?limit=1000", 400, True),
    ("/catalog/v1/me", 401, False),
    ("/catalog/v1/internal/treasure", 404, True),
    ("/orders/v1/orders?colour=red", 400, True),
)


@dataclass
class Load:
    """Clients through the edge that know the right answer to each request; `wrong` counts every other one."""

    port: int
    token: str
    served: Counter[str] = field(default_factory=Counter)
    right: int = 0
    wrong: Counter[tuple[str, object]] = field(default_factory=Counter)
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Load:
        self._threads = [threading.Thread(target=self._client, args=(n,), daemon=True) for n in range(4)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(20)

    def more(self, count: int = 150) -> None:
        """Wait until so many more requests were answered rightly."""
        aim = self.right + count
        until(lambda: self.right >= aim, lambda: (self.right, self.wrong), 60)

    def _client(self, number: int) -> None:
        mix = [*((target, 200, True) for target in ALLOWED), *REFUSED]
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        for target, status, known in itertools.islice(itertools.cycle(mix), number, None):
            if self._stop.wait(0.005):
                break
            answer = self._ask(connection, target, known)
            with self._lock:
                self.right += answer == status
                self.served[target] += answer == 200
                if answer != status:
                    self.wrong[target, answer] += 1
        connection.close()

    def _ask(self, connection: http.client.HTTPConnection, target: str, known: bool) -> int | str:
        try:
            connection.request("GET", target, headers={"Authorization": f"Bearer {self.token}"} if known else {})
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            return type(error).__name__
        return response.status


@dataclass
class World:
    """The mesh before journals instead of apps."""

    mesh: Mesh
    journals: dict[str, Journal]
    marks: dict[str, int] = field(default_factory=dict)

    def reached(self) -> Counter[str]:
        """What reached the apps, by target, since the last `mark`."""
        entries = (e for name, journal in self.journals.items() for e in journal.since(self.marks.get(name, 0)))
        return Counter(entry.target for entry in entries)

    def mark(self) -> None:
        self.marks = {name: journal.mark() for name, journal in self.journals.items()}

    def load(self) -> Load:
        self.mark()
        return Load(self.mesh.ports["edge"], self.mesh.token())

    def get(self, path: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.mesh.token()}"}
        return httpx.get(f"{self.mesh.url}{path}", headers=headers, trust_env=False, timeout=20)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    valkey, service = find_valkey(), find_ratelimit()
    counting = None if isinstance(valkey, str) or isinstance(service, str) else (valkey, service)
    with ExitStack() as stack:
        folder = stack.enter_context(short_folder())
        journals = {name: stack.enter_context(Journal()) for name in SERVICES}
        mesh = Mesh(folder, {name: journal.url for name, journal in journals.items()}, counting)
        stack.callback(mesh.stop)
        mesh.start()
        made = World(mesh, journals)
        until(
            lambda: all(made.get(target).status_code == 200 for target in ALLOWED),
            lambda: mesh.log("edge-envoy")[-2000:],
        )
        yield made


def _once(world: World, load: Load) -> None:
    """O1, O2: what was answered 200 reached its app once, and nothing else reached any."""
    until(lambda: world.reached() == load.served, lambda: (world.reached(), load.served, load.wrong), 10)
    assert set(world.reached()) <= set(ALLOWED)


def test_no_control_plane_is_needed_and_a_restart_changes_nothing(world: World) -> None:
    """X01, X02: both replicas are killed, and come back with the same: nobody is refused, no listener is drained."""
    with world.load() as load:
        load.more()
        for name in REPLICAS:
            world.mesh.parts[name].kill()
        load.more()
        for name in REPLICAS:
            world.mesh.parts[name].start(world.mesh.folder)
        for name in REPLICAS:
            world.mesh.wait(world.mesh.parts[name])
        until(lambda: _connected(world) >= len(SERVICES) + 1, lambda: [world.mesh.log(n)[-500:] for n in REPLICAS], 30)
        load.more()
    assert not load.wrong
    _once(world, load)
    for name in (*SERVICES, "edge"):
        stats = _stats(world, name, "listener_manager.*(modified|draining|removed)|_cm.*update_rejected")
        assert not any(stats.values()), stats


def test_a_contract_and_a_policy_change_under_load(world: World) -> None:
    """X07, G10: what is new is live, in the edge and in the sidecar, and nobody noticed."""
    sources = world.mesh.folder / "sources"
    contract = sources / "contracts/orders/v1.yaml"
    policy = sources / "policies/orders/authz.rego"
    with world.load() as load:
        load.more()
        text = contract.read_text()
        contract.write_text(text.replace("paths:\n", f"paths:\n{NEW}", 1))
        until(lambda: world.get("/orders/v1/news").status_code == 200, lambda: world.mesh.log(REPLICAS[0])[-3000:], 30)
        policy.write_text(policy.read_text() + "\n# another revision\n")
        load.more()
    assert not load.wrong
    reached = world.reached()
    reached.pop("/orders/v1/news")
    assert reached == load.served


NEW = """\
  /news:
    get:
      operationId: news
      x-sidegate: {policy: none, reason: a public page}
      security: []
      responses:
        "200": {description: What is new, content: {application/json: {schema: {type: object}}}}
"""


def test_companions_that_die_let_nothing_through(world: World) -> None:
    """V01, V05: what they would judge is refused with 503 until they are back; refusals by the proxy alone stay."""
    parts = [world.mesh.parts[name] for name in ("catalog-companion", "edge-companion")]
    with world.load() as load:
        load.more()
        for part in parts:
            part.kill()
        until(lambda: any(status == 503 for _, status in load.wrong), lambda: load.right, 30)
        for part in parts:
            part.start(world.mesh.folder)
        for part in parts:
            world.mesh.wait(part)
        load.more()
    assert {status for _, status in load.wrong} == {503}
    assert not {target for target, _ in load.wrong} & {"/catalog/v1/internal/treasure"}
    _once(world, load)


@pytest.mark.parametrize("kill", [True, False])
def test_a_sidecars_proxy_that_ends_comes_back(world: World, kill: bool) -> None:
    """X26: while it is away the edge says 503, and nobody reaches the app around it; X22: drained, it breaks off nothing."""
    with world.load() as load:
        load.more()
        world.mesh.restart("catalog-envoy", kill=kill)
        until(lambda: world.get(ALLOWED[0]).status_code == 200, lambda: world.mesh.log("catalog-envoy")[-2000:], 30)
        load.more()
    # a proxy that is killed may break off an answer after its head: the edge can only cut it off as well
    assert {status for _, status in load.wrong} <= ({502, 503, "IncompleteRead"} if kill else {503})
    assert not [target for target, _ in load.wrong if target.startswith("/orders")]
    assert set(world.reached()) <= {*ALLOWED}
    if not kill:
        reached = world.reached()
        assert all(reached[target] >= load.served[target] for target in ALLOWED)


def test_counting_may_be_away(world: World) -> None:
    """R08: limits that fail open let everybody through while the service or its store is away."""
    if not world.mesh.counts:
        pytest.skip("no rate limit service: there is no Go to build it with")
    with world.load() as load:
        load.more()
        for name in ("ratelimit", "valkey"):
            world.mesh.parts[name].kill()
            load.more()
        for name in ("valkey", "ratelimit"):
            world.mesh.parts[name].start(world.mesh.folder)
        world.mesh.wait(world.mesh.parts["ratelimit"])
        load.more()
    assert not load.wrong
    _once(world, load)
    until(lambda: "ratelimit" in world.get(ALLOWED[0]).headers, lambda: world.mesh.log("ratelimit")[-2000:], 30)


def test_an_app_whose_answer_is_no_answer(world: World) -> None:
    """U04: headers of 200 KiB are refused by the app's own sidecar, in words of the gateway; other services go on."""
    journal, before = world.journals["orders"], world.journals["orders"].answer
    journal.answer = lambda _entry: Answer(
        headers=(("content-type", "application/json"), ("x-long", "a" * (200 << 10)))
    )
    try:
        answer = world.get("/orders/v1/orders")
    finally:
        journal.answer = before
    assert answer.status_code in (502, 503)
    assert answer.headers["content-type"] == "application/problem+json"
    assert world.get(ALLOWED[0]).status_code == 200
    assert world.get("/orders/v1/orders").status_code == 200


def _connected(world: World) -> int:
    """Proxies that the replicas see, all of them synced."""
    found = 0
    for name in REPLICAS:
        command = [
            sys.executable,
            "-m",
            "xds.cli",
            "status",
            "--run",
            str(world.mesh.folder / name),
            "--format",
            "json",
        ]
        said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout
        rows = json.loads(said)["clients"] if said else []
        found += sum(row["state"] == "synced" and row["node"] != "ratelimit" for row in rows)
    return found


def _stats(world: World, name: str, regex: str) -> dict[str, int]:
    process = world.mesh.parts[f"{name}-envoy"].process
    assert process is not None
    with Path(f"/proc/{process.pid}/task/{process.pid}/children").open() as file:
        return Admin(int(file.read().split()[0])).stats(regex)
