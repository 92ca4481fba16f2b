"""/proc -> the processes below one, with their memory, descriptors and CPU; and the admin address that one of them serves."""

from __future__ import annotations

import os
import socket
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from tests.waiting import PATIENCE_S

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Process:
    """One process at one moment: `rss` in bytes, `cpu` in seconds since it started, `fds` open descriptors."""

    pid: int
    parent: int
    command: str
    rss: int
    cpu: float
    fds: int

    @property
    def role(self) -> str:
        """`envoy`, `companion`, or `control-plane`, by what it runs."""
        program = self.command.split("\0", 1)[0]
        if Path(program).name.startswith("envoy"):
            return "envoy"
        return "companion" if "sidecar" in self.command or "companion" in self.command else "control-plane"


def read(pid: int) -> Process | None:
    """The process now, or None if it is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        command = Path(f"/proc/{pid}/cmdline").read_text()
        fds = len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return None
    if stat[0] in "ZX":
        return None
    return Process(pid, int(stat[1]), command, int(stat[21]) * PAGE, (int(stat[11]) + int(stat[12])) / TICK, fds)


def tree(root: int) -> list[Process]:
    """`root` and everything that descends from it, parents before children."""
    found = [p for pid in _pids() if (p := read(pid))]
    children: dict[int, list[Process]] = {}
    for process in found:
        children.setdefault(process.parent, []).append(process)
    result, queue = [], [p for p in found if p.pid == root]
    while queue:
        process = queue.pop(0)
        result.append(process)
        queue += children.get(process.pid, [])
    return result


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def listening(pid: int) -> list[int | str]:
    """Loopback ports and unix sockets that a process listens on."""
    inodes = _sockets(pid)
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ports: list[int | str] = [int(r[1].split(":")[1], 16) for r in rows if r[3] == "0A" and r[9] in inodes]
    unix = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    return sorted(set(ports), key=str) + [r[7] for r in unix if len(r) > 7 and r[6] in inodes and r[3] == "00010000"]


def connections(pid: int) -> set[tuple[int, int]]:
    """(local port, remote port) of a process's established TCP connections."""
    inodes = _sockets(pid)
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {(int(r[1].split(":")[1], 16), int(r[2].split(":")[1], 16)) for r in rows if r[3] == "01" and r[9] in inodes}


def _sockets(pid: int) -> set[str]:
    inodes = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
        except OSError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    return inodes


class Admin:
    """Envoy's admin interface, found by asking what the process listens on: no configuration of ours is trusted here."""

    def __init__(self, pid: int) -> None:
        self.address = next((a for a in listening(pid) if self._is_admin(a)), None)

    def get(self, path: str) -> str:
        """The body of an admin answer."""
        assert self.address is not None, "Envoy's admin interface was not found on any address it listens on"
        return self._ask(self.address, path)

    def stats(self, regex: str) -> dict[str, int]:
        """Counters and gauges whose names match `regex`."""
        lines = (line.rpartition(": ") for line in self.get(f"/stats?filter={regex}").splitlines())
        return {name: int(value) for name, _, value in lines if value.isdigit()}

    def _is_admin(self, address: int | str) -> bool:
        try:
            return "server.live: " in self._ask(address, "/stats?filter=server.live")
        except (OSError, HTTPException):
            return False

    @staticmethod
    def _ask(address: int | str, path: str) -> str:
        connection = HTTPConnection("127.0.0.1", timeout=PATIENCE_S)
        if isinstance(address, int):
            connection.sock = socket.create_connection(("127.0.0.1", address), PATIENCE_S)
        else:
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.connect("\0" + address[1:] if address.startswith("@") else address)
        connection.sock.settimeout(PATIENCE_S)
        with closing(connection):
            connection.request("GET", path)
            return connection.getresponse().read().decode("utf-8", "replace")
