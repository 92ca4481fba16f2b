"""Address -> is it free, and who holds it."""

from __future__ import annotations

import contextlib
import os
import random
import socket
from pathlib import Path

from xds.address import Address
from xds.failure import CannotRun

_LISTEN = "0A"
_FIRST_EPHEMERAL = 32_768  # Linux, net.ipv4.ip_local_port_range; elsewhere it is higher (RFC 6335: 49152)


def free_port(host: str = "127.0.0.1") -> int:
    """A port that was free a moment ago, from below those that the system gives to outgoing connections.

    A port the system chose could be given away again before it is listened on, and a busy machine does.
    """
    for port in random.sample(range(10_000, _FIRST_EPHEMERAL), 64):
        with contextlib.suppress(OSError), socket.socket(_family(host), socket.SOCK_STREAM) as probe:
            probe.bind((host, port))
            return port
    with socket.socket(_family(host), socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        given: int = probe.getsockname()[1]
        return given


def require_free(address: Address, what: str, advice: str) -> None:
    """Raise CannotRun if the address cannot be bound, naming who holds it; `advice` is the next command to try."""
    try:
        with socket.socket(_family(address.host), socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address.host, address.port))
    except OSError as error:
        holder = holder_of(address.port)
        by = f", by {holder}" if holder else ""
        reason = f"is taken{by}" if holder or error.errno == 98 else f"cannot be used: {(error.strerror or '').lower()}"
        raise CannotRun(f"{address} ({what}) {reason}. Next: {advice}") from error


def holder_of(port: int) -> str | None:
    """`process 4711 (python -m http.server 8080)`, or None if it cannot be known (not Linux, or not our process)."""
    inodes = _listening(port)
    for process in Path("/proc").glob("[0-9]*") if inodes else ():
        try:
            if any(_target(fd) in inodes for fd in os.scandir(process / "fd")):
                words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                return f"process {process.name} ({words[:120]})"
        except OSError:
            continue  # gone in between, or somebody else's
    return None


def _target(descriptor: os.DirEntry[str]) -> str | None:
    try:
        return os.readlink(descriptor.path)
    except OSError:
        return None  # closed in between


def _listening(port: int) -> set[str]:
    """`socket:[inode]` of every listening TCP socket on a port."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(f"socket:[{fields[9]}]")
    return found


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
