"""Mesh: every part of it as a process, by the image's commands; started in order, ended in the reverse."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from examples.mesh.pki import Authority
from xds.http.ask import unreachable
from xds.up.keys import Keys
from xds.up.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("catalog", "orders")
REPLICAS = ("control-plane-0", "control-plane-1")
PATIENCE_S = 120.0
LIMIT = 1_000_000
"""Requests an hour that the edge lets a client make, counted in Valkey."""


@dataclass
class Part:
    """One process; `ready` is the URL that answers 200 once it serves (`tcp://`: that takes connections)."""

    name: str
    words: tuple[str, ...]
    ready: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def start(self, folder: Path) -> None:
        with (folder / f"{self.name}.log").open("ab") as out:
            self.process = subprocess.Popen(
                self.words,
                env={**os.environ, "NO_COLOR": "1", "PYTHONPATH": str(ROOT), **self.env},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def kill(self) -> None:
        """SIGKILL, to it and what it started."""
        if self.process is not None:
            with contextlib.suppress(OSError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def stop(self, seconds: float = 20.0) -> int:
        """SIGTERM, as a kubelet ends a container; its exit code."""
        if self.process is None:
            return 0
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        code = self.process.poll()
        self.kill()
        return -signal.SIGKILL if code is None else code


class Mesh:
    """All parts, by name. `upstreams` are the apps' URLs by service; without them the example services are started.

    `counting` are Valkey's and the rate limit service's binaries; without them nothing is counted. `doors` are the ports by
    which pods reach the control plane's replicas, where those are not the replicas' own.
    """

    def __init__(
        self,
        folder: Path,
        upstreams: Mapping[str, str] | None = None,
        counting: tuple[Path, Path] | None = None,
        doors: Mapping[str, int] | None = None,
    ) -> None:
        self.folder, self.parts, self.keys = folder, {}, Keys()
        self.ports = {name: free_port() for name in ("edge", *SERVICES)}
        self.xds = {name: free_port() for name in REPLICAS}
        self._doors = doors or self.xds
        self.counts = {name: free_port() for name in ("valkey", "ratelimit")} if counting else {}
        authority = Authority(folder / "tls")
        for name in ("control-plane", "edge", "ratelimit", *SERVICES):
            authority.issue(name)
        self.authority = authority
        self._write_sources()
        apps = dict(upstreams or {}) or self._apps()
        self._control_planes()
        if counting:
            self._counting(*counting)
        for name in (*SERVICES, "edge"):
            self._pod(name, apps.get(name))

    @property
    def url(self) -> str:
        """Where the edge gateway is."""
        return f"http://127.0.0.1:{self.ports['edge']}"

    def token(self, subject: str = "rita", scope: str = "items:read orders:read orders:write") -> str:
        """A token that every part takes."""
        claims = {"iss": "https://issuer.test", "aud": "shop", "sub": subject, "scope": scope}
        return self.keys.token(claims)

    def start(self) -> None:
        """Start all parts and wait until each is ready. Raises RuntimeError with a part's last words."""
        self.begin(*self.parts)
        for part in self.parts.values():
            self.wait(part)

    def begin(self, *names: str) -> None:
        """Start parts. The rate limit service ends where its store is not there yet, so that one is waited for."""
        for name in names:
            self.parts[name].start(self.folder)
            if name == "valkey":
                self.wait(self.parts[name])

    def wait(self, part: Part) -> None:
        """Wait until a part is ready."""
        end = time.monotonic() + PATIENCE_S
        while part.ready and _status(part.ready) != 200:
            ended = part.process is None or part.process.poll() is not None
            if ended or time.monotonic() > end:
                raise RuntimeError(f"{part.name} is not ready; its last words:\n{self.log(part.name)[-3000:]}")
            time.sleep(0.05)

    def restart(self, name: str, *, kill: bool = False) -> None:
        """End a part and start it again; returns when it is ready."""
        part = self.parts[name]
        if kill:
            part.kill()
        else:
            part.stop()
        part.start(self.folder)
        self.wait(part)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def stop(self) -> None:
        """End all parts, the last first: proxies before what they ask."""
        started = [part for part in reversed(self.parts.values()) if part.process is not None]
        for part in started:
            if part.process is not None and part.process.poll() is None:
                part.process.terminate()
        end = time.monotonic() + 15
        for part in started:
            with contextlib.suppress(subprocess.TimeoutExpired):
                assert part.process is not None
                part.process.wait(max(0.1, end - time.monotonic()))
            part.kill()

    def settings(self, **more: Any) -> dict[str, Any]:
        """sidegate.yaml of the shared control plane: the edge reaches each service's sidecar, which reaches the app itself."""
        issuer = {
            "issuer": "https://issuer.test",
            "audiences": ["shop"],
            "jwks": {"file": "keys/jwks.json"},
            "forward": True,
        }
        services = {name: {"upstream": f"http://127.0.0.1:{self.ports[name]}"} for name in SERVICES}
        made: dict[str, Any] = {"services": services, "security": {"bearer": issuer, "oauth": issuer}, **more}
        if self.counts:
            limit = {"name": "mesh", "by": ["client"], "limit": LIMIT, "per": "hour", "store": "shared"}
            made |= {"rateLimit": {"service": f"127.0.0.1:{self.counts['ratelimit']}"}, "rateLimits": [limit]}
        return made

    def _write_sources(self) -> None:
        sources = self.folder / "sources"
        for name in ("contracts", "policies"):
            shutil.copytree(ROOT / name, sources / name, dirs_exist_ok=True)
        (sources / "sidegate.yaml").write_text(json.dumps(self.settings(), indent=1))
        self.keys.write(sources / "keys/jwks.json")

    def _apps(self) -> dict[str, str]:
        """The example services, a process each."""
        found = {}
        for name in SERVICES:
            found[name] = f"http://127.0.0.1:{free_port()}"
            words = (sys.executable, "-W", "ignore", str(ROOT / "examples/serve.py"), "--listen", found[name][7:])
            self._add(f"{name}-app", words, f"{found[name]}/ready")
        return found

    def _control_planes(self) -> None:
        for name, port in self.xds.items():
            management = free_port()
            self._add(
                name,
                self._sidegate(
                    *("control-plane", str(self.folder / "sources"), "--xds", f"127.0.0.1:{port}"),
                    *("--xds-cert", self._tls("control-plane.crt"), "--xds-key", self._tls("control-plane.key")),
                    *("--xds-client-ca", self._tls("ca.crt"), "--management", f"127.0.0.1:{management}"),
                    *("--run", str(self.folder / name), "--state", str(self.folder / name / "state")),
                ),
                f"http://127.0.0.1:{management}/ready",
            )

    def _pod(self, name: str, upstream: str | None) -> None:
        """A companion and an Envoy, with one certificate and no sources of their own."""
        run = self.folder / name
        ready, management = free_port(), free_port()
        shared = (
            *("--service", name, "--node", f"{name}-1", "--run", str(run), "--xds", self.replicas),
            *("--xds-ca", self._tls("ca.crt"), "--xds-cert", self._tls(f"{name}.crt")),
            *("--xds-key", self._tls(f"{name}.key"), "--xds-name", "control-plane.mesh.test"),
        )
        companion = ("companion", *shared, "--state", str(run / "state"), "--management", f"127.0.0.1:{management}")
        self._add(f"{name}-companion", self._sidegate(*companion), f"http://127.0.0.1:{management}/ready")
        envoy = (
            *("envoy", *shared, "--listen", f"127.0.0.1:{self.ports[name]}"),
            *("--companion", f"unix:{run}/companion.sock", "--ready", f"127.0.0.1:{ready}"),
            *("--drain", "0.5", "--concurrency", "1", *(("--upstream", upstream) if upstream else ())),
        )
        self._add(f"{name}-envoy", self._sidegate(*envoy), f"http://127.0.0.1:{ready}/ready")

    def _counting(self, valkey: Path, service: Path) -> None:
        address = f"127.0.0.1:{self.counts['valkey']}"
        words = (str(valkey), "--port", str(self.counts["valkey"]), "--bind", "127.0.0.1", "--save", "")
        self._add("valkey", words, f"tcp://{address}")
        debug = free_port()
        env = {
            "USE_STATSD": "false",
            "LOG_LEVEL": "warn",
            "HOST": "127.0.0.1",
            "PORT": str(free_port()),
            "DEBUG_HOST": "127.0.0.1",
            "DEBUG_PORT": str(debug),
            "GRPC_HOST": "127.0.0.1",
            "GRPC_PORT": str(self.counts["ratelimit"]),
            "REDIS_SOCKET_TYPE": "tcp",
            "REDIS_URL": address,
            "REDIS_TIMEOUT": "200ms",
            "CONFIG_TYPE": "GRPC_XDS_SOTW",
            "CONFIG_GRPC_XDS_NODE_ID": "ratelimit",
            "CONFIG_GRPC_XDS_SERVER_URL": f"127.0.0.1:{self.xds[REPLICAS[0]]}",
            "CONFIG_GRPC_XDS_SERVER_USE_TLS": "true",
            "CONFIG_GRPC_XDS_SERVER_TLS_CACERT": self._tls("ca.crt"),
            "CONFIG_GRPC_XDS_SERVER_TLS_SAN": "control-plane.mesh.test",
            "CONFIG_GRPC_XDS_CLIENT_TLS_CERT": self._tls("ratelimit.crt"),
            "CONFIG_GRPC_XDS_CLIENT_TLS_KEY": self._tls("ratelimit.key"),
            "XDS_CLIENT_BACKOFF_INITIAL_INTERVAL": "200ms",
            "XDS_CLIENT_BACKOFF_MAX_INTERVAL": "1s",
        }
        self._add("ratelimit", (str(service),), f"http://127.0.0.1:{debug}/rlconfig", env)

    @property
    def replicas(self) -> str:
        """Both replicas of the control plane, as flags name them."""
        return ",".join(f"127.0.0.1:{port}" for port in self._doors.values())

    def _tls(self, name: str) -> str:
        return str(self.folder / "tls" / name)

    def _sidegate(self, *words: str) -> tuple[str, ...]:
        return (sys.executable, "-m", "xds.cli", *words)

    def _add(
        self, name: str, words: tuple[str, ...], ready: str | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        self.parts[name] = Part(name, words, ready, env or {})


def _status(url: str) -> int:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "tcp":
        return 0 if unreachable(str(parts.hostname), int(parts.port or 0)) else 200
    opener: Callable[..., Any] = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
    try:
        with opener(url, timeout=2) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0
