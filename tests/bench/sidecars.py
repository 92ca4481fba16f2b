"""A thousand sidecars of a hundred services on one control plane -> change to enforced, storm, memory; and one sidecar's cost.

The sidecars are simulated: each has an ADS stream, and beside it a companion's own line to the control plane, over which it
fetches sources and reports what it holds as one that compiled in no time. The control plane is the real one, as a process;
there is no TLS.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench.row import Row, bound_row, ratio_row
from tests.e2e import processes
from tests.roles.running import Role, ready, short_folder
from xds.up.ports import free_port

GROUP = "1,000 sidecars of 100 services on one control plane"
ALONE = "one sidecar"
COUNT, SERVICES, CHANGES, CLIENTS, IDLE_S = 1000, 100, 20, 2, 10.0
OPERATIONS = 10
ROUTES = "edge"
AGAIN_S = 0.2
PATIENCE_S = 180.0
"""Whatever takes longer has failed, and so has the run."""


def measure(_folder: Path) -> list[Row]:
    return [*_many(), *_one()]


def _many() -> list[Row]:
    with short_folder() as folder:
        for number in range(SERVICES):
            _write(folder / "sources", number, 0)
        (folder / "sources/sidegate.yaml").write_text(
            json.dumps({"services": _upstreams(), "publish": {"breaking": "allow"}})
        )
        port, management = free_port(), free_port()
        words = ("--xds", f"127.0.0.1:{port}", "--management", f"127.0.0.1:{management}")
        state = ("--run", str(folder / "run"), "--state", str(folder / "state"))
        control = Role(folder, "control-plane", "control-plane", str(folder / "sources"), *words, *state)
        try:
            ready(management, control)
            with _clients(port) as crowd:
                crowd.wait(COUNT)
                return _rows(folder / "sources", control, crowd)
        finally:
            control.stop()


def _rows(sources: Path, control: Role, crowd: Crowd) -> list[Row]:
    idle = _idle(control)
    times, cpus = [], []
    for change in range(1, CHANGES + 1):
        before, began = _cpu(control), time.monotonic()
        _write(sources, change % SERVICES, change)
        times += [at - began for at in crowd.held(f"/s{change % SERVICES:03}/v1/r{change}", COUNT // SERVICES)]
        cpus.append(_cpu(control) - before)
    times.sort()
    storm = crowd.again()
    process = processes.read(control.process.pid)
    enforced = "from a change of one service to enforced in all its sidecars"
    return [
        bound_row(GROUP, f"{enforced}, p50", times[len(times) // 2], "s"),
        bound_row(GROUP, "the same, p99", times[int(len(times) * 0.99)], "s"),
        bound_row(GROUP, "the control plane's CPU for it, median", sorted(cpus)[len(cpus) // 2], "s"),
        bound_row(GROUP, "the control plane's CPU while nothing changes, thousandths of a core", idle, "m"),
        bound_row(GROUP, "all reconnect at once: until the last holds everything", storm, "s"),
        bound_row(GROUP, "the control plane's memory", (process.rss if process else 0) / (1 << 20), "MB"),
    ]


def _idle(control: Role) -> float:
    """What it costs that nothing happens, in thousandths of a core."""
    before, began = _cpu(control), time.monotonic()
    time.sleep(IDLE_S)
    return 1000 * (_cpu(control) - before) / (time.monotonic() - began)


def _upstreams() -> dict[str, Any]:
    return {f"s{number:03}": {"upstream": "http://127.0.0.1:9"} for number in range(SERVICES)}


def _cpu(role: Role) -> float:
    found = processes.read(role.process.pid)
    return found.cpu if found else 0.0


def _write(sources: Path, number: int, revision: int) -> None:
    """A service of ten operations; the last path says which revision it is."""
    name = f"s{number:03}"
    own = {"x-sidegate": {"policy": "none", "reason": "a public page"}, "responses": {"200": {"description": "ok"}}}
    paths = {f"/p{n}": {"get": {**own, "operationId": f"p{n}"}} for n in range(OPERATIONS - 1)}
    paths[f"/r{revision}"] = {"get": {**own, "operationId": "revision"}}
    info = {"title": name, "version": "1"}
    document = {"openapi": "3.0.3", "info": info, "servers": [{"url": f"/{name}/v1"}], "security": [], "paths": paths}
    folder = sources / "contracts" / name
    folder.mkdir(parents=True, exist_ok=True)
    beside = folder / ".v1"
    beside.write_text(json.dumps(document))
    beside.rename(folder / "v1.json")
    policy = sources / "policies" / name / "authz.rego"
    if not policy.exists():
        policy.parent.mkdir(parents=True, exist_ok=True)
        policy.write_text(f"package {name}.authz\n\n# sidegate: allow-default\ndefault allow := true\n")


class Crowd:
    """The simulated sidecars, in processes of their own; they say on a pipe when each holds what."""

    def __init__(self, port: int) -> None:
        command = [sys.executable, "-m", "tests.bench.sidecars", str(port), str(COUNT), str(SERVICES)]
        self.processes = [
            subprocess.Popen([*command, str(n)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for n in range(CLIENTS)
        ]

    def tell(self, word: str) -> list[Any]:
        """Send a word to each process; the answers."""
        for process in self.processes:
            assert process.stdin
            process.stdin.write(word + "\n")
            process.stdin.flush()
        return [self._line(process) for process in self.processes]

    def _line(self, process: subprocess.Popen[str]) -> Any:
        assert process.stdout
        if not select.select([process.stdout], [], [], PATIENCE_S)[0]:
            raise TimeoutError(f"not all sidecars came to hold what they shall within {PATIENCE_S:.0f} s")
        return json.loads(process.stdout.readline())

    def wait(self, count: int) -> None:
        self.tell(f"wait {count // CLIENTS}")

    def held(self, path: str, count: int) -> list[float]:
        """When (monotonic seconds, the same clock in all processes of a machine) each of so many held a path."""
        return [at for answer in self.tell(f"path {path} {count // CLIENTS}") for at in answer]

    def again(self) -> float:
        """Seconds until all are there again after all were cut off at once."""
        began = time.monotonic()
        return float(max(self.tell(f"again {COUNT // CLIENTS}")) - began)


@contextmanager
def _clients(port: int) -> Iterator[Crowd]:
    crowd = Crowd(port)
    try:
        yield crowd
    finally:
        for process in crowd.processes:
            process.kill()
            process.wait()


async def _crowd(port: int, count: int, services: int, number: int) -> None:
    """One process of the crowd."""
    held: dict[str, bytes] = {}
    pulse = [asyncio.Event()]
    names = [f"{n}-s{n // CLIENTS % services:03}" for n in range(number, count, CLIENTS)]

    def tasks() -> list[asyncio.Task[None]]:
        return [asyncio.create_task(_sidecar(port, name, held, pulse)) for name in names]

    running = tasks()
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while words := (await lines.readline()).decode().split():
        if words[0] == "again":
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            held.clear()
            running = tasks()
        wanted, path = int(words[-1]), words[1].encode() if words[0] == "path" else b""
        when: dict[str, float] = {}
        while len(when) < wanted:
            for name, body in held.items():
                if path in body and name not in when:
                    when[name] = time.monotonic()
            if len(when) < wanted:
                pulse[0] = asyncio.Event()
                await pulse[0].wait()
        print(json.dumps(list(when.values()) if path else time.monotonic()), flush=True)


async def _sidecar(port: int, name: str, held: dict[str, bytes], pulse: list[asyncio.Event]) -> None:
    """A proxy, and its companion beside it."""
    service = name.partition("-")[2]
    companion = asyncio.create_task(_companion(f"127.0.0.1:{port}", name, service))
    try:
        await _proxy(f"127.0.0.1:{port}", name, service, held, pulse)
    finally:
        companion.cancel()
        await asyncio.gather(companion, return_exceptions=True)


async def _proxy(address: str, name: str, service: str, held: dict[str, bytes], pulse: list[asyncio.Event]) -> None:
    """A proxy's stream; as Envoy's it is opened again when it breaks."""
    import grpc.aio

    from tests.bench.xds_clients import SERVICE, answer
    from xds.snapshot.types import ROUTES as URL
    from xds.snapshot.wire import field, fields

    options = (("grpc.use_local_subchannel_pool", 1), ("grpc.max_reconnect_backoff_ms", 2000))
    metadata = field(1, field(1, "service") + field(2, field(3, service)))
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        while True:
            try:
                call = channel.stream_stream(f"{SERVICE}DeltaAggregatedResources")()
                await call.write(field(1, field(1, name) + field(3, metadata)) + field(2, URL) + field(3, ROUTES))
                async for data in call:
                    if any(n == 2 for n, _, _ in fields(data)):
                        held[name] = data
                        pulse[0].set()
                    await call.write(answer("delta", data))
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
                await asyncio.sleep(AGAIN_S)


async def _companion(address: str, node: str, service: str) -> None:
    """Fetch other sources as soon as there are any, hold what they are wanted to compile to, and say so."""
    from sidecar.central import Central
    from sidecar.offers import Offer, chosen

    central = Central.at(address, None, node, service)
    held = Offer()
    report = {"service": service, "digests": {}, "revisions": {}, "admin": "", "problems": []}
    try:
        while True:
            if (offer := chosen(held, await central.offers())) is None:
                await central.news(5.0)
                continue
            try:
                document = await central.sources(offer.target)
                said = await central.send(report)
                report = {**report, "digests": {version: [digest] for version, digest in said["wanted"].items()}}
                await central.send(report)
            except ConnectionError:  # in a storm not everybody is answered in time
                await asyncio.sleep(AGAIN_S)
                continue
            held = Offer(offer.target, document["revision"], document["order"])
    finally:
        await central.close()


def _one() -> list[Row]:
    """Memory and CPU of one sidecar, idle, against a bare Envoy."""
    from tests.bench.hop import ENVOY
    from tests.roles.pod import pod

    with pod() as made, short_folder() as folder:
        config = {"admin": {"address": {"pipe": {"path": str(folder / "admin.sock")}}}}
        (folder / "envoy.json").write_text(json.dumps(config))
        words = ["-c", str(folder / "envoy.json"), "-l", "error", "--disable-hot-restart", "--concurrency", "1"]
        bare = subprocess.Popen([str(ENVOY), *words], stderr=subprocess.DEVNULL)
        try:
            for _ in range(200):
                made.client.get("/pets/v1/open")
            before, began = _all(made.sidecar, made.envoy), time.monotonic()
            time.sleep(5)
            spent = time.monotonic() - began
            now = _all(made.sidecar, made.envoy)
            idle = 1000 * (sum(p.cpu for p in now.values()) - sum(p.cpu for p in before.values())) / spent
            envoy = next(p for p in now.values() if p.role == "envoy" and "attend" not in p.command)
            alone = _pss(bare.pid)
            return [
                ratio_row(ALONE, "memory: its Envoy, against a bare one", "MB", (alone, _pss(envoy.pid))),
                ratio_row(ALONE, "memory: all of it", "MB", (alone, sum(_pss(pid) for pid in now))),
                bound_row(ALONE, "CPU while nobody asks, thousandths of a core", idle, "m"),
            ]
        finally:
            bare.kill()
            bare.wait()


def _all(*roles: Role) -> dict[int, processes.Process]:
    return {p.pid: p for role in roles for p in processes.tree(role.process.pid)}


def _pss(pid: int) -> float:
    """Memory in MB, what is shared counted by share (proc(5), `smaps_rollup`)."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(text.partition("Pss:")[2].split()[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("port", "count", "services", "number"):
        parser.add_argument(name, type=int)
    given = parser.parse_args()
    os.nice(1)
    asyncio.run(_crowd(given.port, given.count, given.services, given.number))


if __name__ == "__main__":
    main()
