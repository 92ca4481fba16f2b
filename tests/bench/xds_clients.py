"""Simulated xDS clients on one server: its memory, and the time until all hold a change. Run: python -m tests.bench.xds_clients

Each client is a connection of its own that takes clusters, listeners and one route configuration. The server is a process
of its own with a snapshot of 40 clusters and a route configuration of 200 kB; clients share two processes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SERVICE = "/envoy.service.discovery.v3.AggregatedDiscoveryService/"
CHANGES = 5


def snapshot_of_round(number: int) -> Any:
    """A snapshot whose route configuration and one cluster differ from round to round."""
    from xds.snapshot.resource import Resource, Snapshot, content_version
    from xds.snapshot.types import CLUSTER, LISTENER, ROUTES
    from xds.snapshot.wire import field

    def made(url: str, name: str, size: int, round_: int) -> Resource:
        body = field(1, name) + field(1000, f"{round_:08}" + "x" * size)
        return Resource(url, name, content_version(url, body), body)

    clusters = {f"c{i}": made(CLUSTER, f"c{i}", 600, number if i == 0 else 0) for i in range(40)}
    listeners = {"edge": made(LISTENER, "edge", 4000, 0)}
    return Snapshot({CLUSTER: clusters, LISTENER: listeners, ROUTES: {"r": made(ROUTES, "r", 200_000, number)}})


async def serve() -> None:
    """The server's process: a line on stdin is a round to publish; a line on stdout says how long all took to hold it."""
    from xds.ads.server import AdsServer

    server = AdsServer(lambda node: node.cluster)
    server.publish("g", snapshot_of_round(0))
    print(await server.start("127.0.0.1:0"), flush=True)
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := (await lines.readline()).decode().strip():
        word, _, number = line.partition(" ")
        start, cpu = time.perf_counter(), time.process_time()
        if word == "publish":
            server.publish("g", snapshot_of_round(int(number)))
            missing = await server.live("g", 120)
        else:
            while len([c for c in server.clients() if c.live]) < int(number):
                await asyncio.sleep(0.02)
            missing = ()
        took = {"s": time.perf_counter() - start, "cpu": time.process_time() - cpu, "missing": len(missing)}
        print(json.dumps({**took, **memory(), "peak": peak()}), flush=True)
    await server.stop(0)


def memory() -> dict[str, float]:
    status = Path("/proc/self/status")
    if not status.exists():
        return {"rss": 0.0}
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
    return {"rss": int(lines["VmRSS"].split()[0]) / 1024}


def peak() -> float:
    """In MB. Linux hands the peak of whoever started a process on to it in `ru_maxrss`, but not in VmHWM."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1 << 20)


async def clients(address: str, variant: str, count: int) -> None:
    await asyncio.gather(*(client(address, variant, f"{variant}-{i}") for i in range(count)))


async def client(address: str, variant: str, name: str) -> None:
    """One client that accepts all it is sent, until the server goes away."""
    import grpc.aio

    method = SERVICE + ("DeltaAggregatedResources" if variant == "delta" else "StreamAggregatedResources")
    options = (("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1))
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        call = channel.stream_stream(method)()
        try:
            for data in opening(variant, name):
                await call.write(data)
            async for data in call:
                await call.write(answer(variant, data))
        except grpc.aio.AioRpcError:
            return


def opening(variant: str, name: str) -> list[bytes]:
    from xds.snapshot.types import CLUSTER, LISTENER, ROUTES
    from xds.snapshot.wire import field

    node = field(1, name) + field(2, "g")
    wanted = ((CLUSTER, ""), (LISTENER, ""), (ROUTES, "r"))
    if variant == "delta":
        return [field(1, node) + field(2, url) + field(3, n) for url, n in wanted]
    return [field(2, node) + field(4, url) + field(3, n) for url, n in wanted]


def answer(variant: str, data: bytes) -> bytes:
    from xds.snapshot.types import ROUTES
    from xds.snapshot.wire import field, fields

    values = {n: v for n, _, v in fields(data) if n in (1, 4, 5) and isinstance(v, bytes)}
    if variant == "delta":
        return field(2, values[4]) + field(6, values[5])
    names = field(3, "r") if values[4].decode() == ROUTES else b""
    return field(1, values[1]) + names + field(4, values[4]) + field(5, values[5])


def run(variant: str, count: int) -> dict[str, float]:
    """One row of the table."""
    me = [sys.executable, "-m", "tests.bench.xds_clients"]
    server = subprocess.Popen([*me, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    started: list[subprocess.Popen[bytes]] = []
    try:
        assert server.stdout
        address = server.stdout.readline().strip()
        empty = tell(server, "wait 0")
        started = [subprocess.Popen([*me, "--client", address, variant, str(count // 2)]) for _ in range(2)]
        first = tell(server, f"wait {count // 2 * 2}")
        changes = [tell(server, f"publish {n}") for n in range(1, CHANGES + 1)]
    finally:
        for process in (*started, server):
            process.kill()
            process.wait()
    times = sorted(c["s"] for c in changes)
    cpus = sorted(c["cpu"] for c in changes)
    last = changes[-1]
    return {
        "empty MB": empty["rss"],
        "MB": last["rss"],
        "peak MB": last["peak"],
        "all connected s": first["s"],
        "change median s": times[len(times) // 2],
        "change worst s": times[-1],
        "change CPU s": cpus[len(cpus) // 2],
        "not live": sum(c["missing"] for c in changes),
    }


def tell(server: subprocess.Popen[str], line: str) -> dict[str, float]:
    assert server.stdin
    assert server.stdout
    server.stdin.write(line + "\n")
    server.stdin.flush()
    found: dict[str, float] = json.loads(server.stdout.readline())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--client", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        asyncio.run(serve())
    elif given.client:
        asyncio.run(clients(given.client[0], given.client[1], int(given.client[2])))
    else:
        rows = {variant: run(variant, given.count) for variant in ("delta", "sotw")}
        print(f"{given.count} clients, {platform.machine()}, {platform.system()}, Python {platform.python_version()}\n")
        heads = list(rows["delta"])
        print("| variant | " + " | ".join(heads) + " |\n|---|" + "---|" * len(heads))
        for variant, row in rows.items():
            print(
                f"| {variant} | "
                + " | ".join(f"{row[h]:.2f}" if h.endswith("s") else f"{row[h]:.0f}" for h in heads)
                + " |"
            )


if __name__ == "__main__":
    main()
