"""An upstream that answers at once, and an Envoy with nothing but a route to it: what every request pays for anyway."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.e2e import processes
from xds.up.ports import free_port

ENVOY = str(Path(sys.executable).parent / "envoy")
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 16\r\n\r\n" + b'{"items": [1,2]}'
WORKERS = 2
"""Envoy's threads; as many as `sidegate up` starts on two cores."""


class Answering(asyncio.Protocol):
    """HTTP/1.1 with keep-alive; every request gets `ANSWER`."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            at = head.find(b"\r\ncontent-length:")
            size = int(head[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self.buffer) < end + 4 + size:
                return
            self.buffer = self.buffer[end + 4 + size :]
            self.transport.write(ANSWER)


async def answer(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


def command(config: Path) -> list[str]:
    """An Envoy of its own, as all that are compared are started."""
    return [ENVOY, "-c", str(config), "--concurrency", str(WORKERS), "-l", "error", "--disable-hot-restart"]


def listens(process: subprocess.Popen[bytes], port: int, patience: float = 20) -> bool:
    """Whether a process comes to listen on a port in time."""
    deadline = time.monotonic() + patience
    while port not in processes.listening(process.pid):
        if time.monotonic() > deadline or process.poll() is not None:
            return False
        time.sleep(0.05)
    return True


class Hop:
    """The upstream and the bare Envoy as processes. `upstream` and `port` are where they listen; `pid` is Envoy's."""

    def __init__(self, folder: Path, serve: tuple[str, ...] = ("-m", "tests.bench.hop")) -> None:
        """`serve` are Python's words for the upstream; its address follows them."""
        self.upstream, self.port = free_port(), free_port()
        self._serve = [sys.executable, "-W", "ignore", *serve, f"127.0.0.1:{self.upstream}"]
        self._config = folder / f"bare-{self.port}.json"
        self._config.write_text(json.dumps(bootstrap(self.port, self.upstream)))
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def pid(self) -> int:
        return self._processes[1].pid

    def __enter__(self) -> Hop:
        for each in (self._serve, command(self._config)):
            self._processes.append(subprocess.Popen(each, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        for process, port in zip(self._processes, (self.upstream, self.port), strict=True):
            if not listens(process, port):
                self.__exit__()
                raise RuntimeError("the bare hop did not start")
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.wait()


def bootstrap(port: int, upstream: int) -> dict[str, Any]:
    """The configuration of an Envoy that sends everything to one upstream, and does nothing else."""
    route = {"match": {"prefix": "/"}, "route": {"cluster": "up"}}
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "edge",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [
            {
                "name": "router",
                "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
            }
        ],
    }
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    endpoint = {"lb_endpoints": [{"endpoint": {"address": _address(upstream)}}]}
    cluster = {
        "name": "up",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "up", "endpoints": [endpoint]},
    }
    listener = {"name": "edge", "address": _address(port), "filter_chains": [chain]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


if __name__ == "__main__":
    import uvloop

    uvloop.run(answer(int(sys.argv[1].rpartition(":")[2])))
