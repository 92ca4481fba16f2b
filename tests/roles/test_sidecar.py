"""One pod: what is allowed reaches the app once, what is refused never; changes, faults and the end of it lose nothing."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator

import httpx
import pytest

from tests.cli.command import sidegate
from tests.e2e.gateway import Reply, ask
from tests.roles.pod import Pod, pod
from tests.roles.running import ready, until
from tests.waiting import PATIENCE_S


@pytest.fixture(scope="module")
def running() -> Iterator[Pod]:
    with pod() as made:
        yield made


def test_an_allowed_and_a_refused_request(running: Pod) -> None:
    """The upstream of the flag is asked, not the one that the settings name; Envoy asks the companion over a socket."""
    mark = running.journal.mark()
    assert running.client.get("/pets/v1/open").status_code == 200
    refused = running.client.get("/pets/v1/pets")
    assert (refused.status_code, refused.json()["code"]) == (401, "token-missing")
    judged = running.client.get("/pets/v1/open?colour=red")
    assert (judged.status_code, judged.json()["code"]) == (400, "unknown-parameter")
    assert running.client.get("/pets/v1/treasure").status_code == 404
    assert [e.target for e in running.journal.since(mark)] == ["/pets/v1/open"]


def test_probes_and_metrics(running: Pod) -> None:
    at = f"http://127.0.0.1:{running.management}"
    running.client.get("/pets/v1/open")
    assert _patiently(f"{at}/live").json == {"live": True}
    assert _patiently(f"{at}/ready").json == {"ready": True, "missing": []}
    for port in (running.management, running.envoy_ready):
        assert "envoy_http_downstream_rq_total" in _patiently(f"http://127.0.0.1:{port}/metrics").body
    assert _patiently(f"http://127.0.0.1:{running.envoy_ready}/quitquitquit").status == 404
    assert _patiently(f"{at}/decisions").status == 404  # the whole API is on a socket


def _patiently(url: str) -> Reply:
    """GET on a busy machine."""
    return ask(url, timeout=PATIENCE_S)


def test_sockets_are_their_owners_alone(running: Pod) -> None:
    sockets = [p for p in running.run.iterdir() if stat.S_ISSOCK(p.stat().st_mode)]
    assert {p.name for p in sockets} >= {"admin.sock", "companion.sock", "companion-api.sock", "management.sock"}
    open_ = [p.name for p in sockets if p.name != "xds.sock" and p.stat().st_mode & 0o077]
    assert not open_
    assert not running.run.stat().st_mode & 0o077


def test_the_whole_api_is_on_a_socket(running: Pod) -> None:
    transport = httpx.HTTPTransport(uds=str(running.run / "management.sock"))
    with httpx.Client(transport=transport, base_url="http://localhost") as client:
        assert client.get("/ready").json()["ready"]
        (reported,) = client.get("/companions").json()
        assert (reported["service"], reported["admin"][:12]) == ("pets", "http+unix://")
        (connected,) = client.get("/clients").json()
        assert (connected["node"]["id"], connected["node"]["metadata"]["service"]) == ("pod-1", "pets")
        trace = running.client.get("/pets/v1/pets?limit=1000").json()["traceId"]
        assert trace
        assert isinstance(client.get("/decisions").json(), list)


def test_a_change_is_served(running: Pod) -> None:
    contract = running.sources / "contracts/pets/v1.yaml"
    before = contract.read_text()
    try:
        contract.write_text(before.replace("  /open:", "  /also:\n    get: &open\n" + _also(before) + "  /open:"))
        until(lambda: running.client.get("/pets/v1/also").status_code == 200, lambda: running.sidecar.log[-2000:])
    finally:
        contract.write_text(before)
    until(lambda: running.client.get("/pets/v1/also").status_code == 404, lambda: running.sidecar.log[-2000:])


def _also(text: str) -> str:
    lines = text.split("  /open:\n    get:\n", 1)[1].split("components:", 1)[0]
    return lines.replace("operationId: open", "operationId: also")


def test_a_companion_that_is_killed_comes_back_and_nothing_is_let_through(running: Pod) -> None:
    """V01: while nobody judges, 503 and nothing upstream; then it judges again."""
    mark = running.journal.mark()
    pid = _companion(running.sidecar.process.pid)
    os.kill(pid, 9)
    until(lambda: running.client.get("/pets/v1/open?x=1").status_code == 400, lambda: running.sidecar.log[-2000:])
    assert _companion(running.sidecar.process.pid) != pid
    assert not running.journal.since(mark)


@pytest.mark.slow
def test_a_control_plane_that_restarts_is_not_noticed(running: Pod) -> None:
    """X02: without the whole sidecar what the companion judges is refused; the rest is served, and all of it afterwards."""
    running.sidecar.process.kill()
    running.sidecar.wait()
    assert running.client.get("/pets/v1/open?x=1").status_code == 503
    running.sidecar.start()
    ready(running.management, running.sidecar)
    until(lambda: running.client.get("/pets/v1/open?x=1").status_code == 400, lambda: running.sidecar.log[-2000:])
    assert running.client.get("/pets/v1/open").status_code == 200


def _companion(parent: int) -> int:
    with open(f"/proc/{parent}/task/{parent}/children") as file:
        for pid in map(int, file.read().split()):
            with open(f"/proc/{pid}/cmdline") as command:
                if "sidecar" in command.read():
                    return pid
    return 0


class Clients:
    """Keep-alive clients as a balancer has them: they go elsewhere once `/ready` says no. `lost` are all failures."""

    def __init__(self, port: int, ready: int, number: int = 4) -> None:
        self.port, self.served, self.lost, self.gone = port, 0, [], threading.Event()
        self._ready = f"http://127.0.0.1:{ready}/ready"
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(number)]
        self._threads.append(threading.Thread(target=self._look, daemon=True))

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.gone.set()
        for thread in self._threads:
            thread.join()

    def _look(self) -> None:
        while not self.gone.wait(0.05):
            if ask(self._ready).status != 200:
                self.gone.set()

    def _ask(self) -> None:
        with httpx.Client(trust_env=False, timeout=PATIENCE_S) as client:
            while not self.gone.is_set():
                try:
                    answer = client.get(f"http://127.0.0.1:{self.port}/pets/v1/open")
                except httpx.HTTPError as error:
                    self.lost.append(repr(error))
                    continue
                if answer.status_code == 200:
                    self.served += 1
                else:
                    self.lost.append(answer.text)


@pytest.mark.slow
def test_the_end_loses_nothing() -> None:
    """X22: every container is told to end at once, under load and with a slow request under way."""
    with pod(drain="2") as ending:
        contract = ending.sources / "contracts/pets/v1.yaml"
        text = contract.read_text()
        contract.write_text(text.replace("  /open:", "  /slow:\n    get:\n" + _slow(text) + "  /open:"))
        until(lambda: ending.client.get("/pets/v1/slow?x=1").status_code == 400, lambda: ending.sidecar.log[-2000:])
        slow: list[int] = []
        waiting = threading.Thread(target=lambda: slow.append(ending.client.get("/pets/v1/slow").status_code))
        with Clients(ending.port, ending.envoy_ready) as clients:
            until(lambda: clients.served > 100, lambda: clients.lost)
            mark = ending.journal.mark()
            waiting.start()
            until(lambda: any("slow" in e.target for e in ending.journal.since(mark)), lambda: ending.envoy.log)
            ending.sidecar.signal()
            ending.envoy.signal()
            assert clients.gone.wait(PATIENCE_S), "nobody was told to go elsewhere"
            waiting.join()
            assert ending.envoy.wait() == 0
            assert ending.sidecar.wait() == 0
        assert slow == [200]
        assert not clients.lost
        assert "ending Envoy\n" in ending.envoy.log
        served = [e for e in ending.journal.since() if e.target == "/pets/v1/open"]
        assert len(served) == clients.served


def test_a_drain_that_began_before_counts() -> None:
    """As a pod's preStop begins it: at its end the proxy does not wait anew, and a proxy started later knows nothing of it."""
    with pod(drain="600") as ending:
        mark = ending.run / "draining"
        assert not mark.exists()
        assert sidegate("drain", "--run", ending.run).returncode == 0
        assert ending.client.get("/pets/v1/open").status_code == 200
        began = mark.stat().st_mtime
        assert sidegate("drain", "--run", ending.run).returncode == 0
        assert mark.stat().st_mtime == began
        os.utime(mark, (began - 1000, began - 1000))
        ending.envoy.signal()
        assert ending.envoy.wait() == 0
        assert "draining for 10" in ending.envoy.log


def _slow(text: str) -> str:
    return _also(text).replace("operationId: also", "operationId: slow")


def test_probes_of_the_app_are_those_that_were_named(running: Pod) -> None:
    """What a kubelet asks for the app beside it is asked of the app; nothing else is."""
    mark = running.journal.mark()
    at = f"http://127.0.0.1:{running.management}/probe"
    assert ask(f"{at}/{running.journal.port}/other").status == 404
    assert not running.journal.since(mark)
    assert ask(f"{at}/{running.journal.port}/healthz").status == 200
    assert [e.target for e in running.journal.since(mark)] == ["/healthz"]
