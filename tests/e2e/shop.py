"""The project beside this file -> a Shop: a gateway that runs before two upstreams, and every place where a request is seen."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import yaml
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.e2e.collector import Collector
from tests.e2e.gateway import Gateway
from tests.e2e.tokens import Issuer
from tests.waiting import PATIENCE_S
from xds.control.access import read

PROJECT = Path(__file__).parent / "project"
ID = "1c9d3a52-4e0b-4a52-8f43-2f4b6f0a7c11"
T = TypeVar("T")
TRACE = re.compile(r"[0-9a-f]{32}")


@dataclass
class Shop:
    """`first` and `second` are pytest-httpserver upstreams whose `log` is the journal; `asked` picks out of it."""

    gateway: Gateway
    first: HTTPServer
    second: HTTPServer
    collector: Collector
    issuer: Issuer
    client: httpx.Client
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.gateway.folder

    def token(self, who: str, **claims: Any) -> str:
        """A token for somebody, made once."""
        key = f"{who} {sorted(claims.items())}"
        return self.tokens.setdefault(key, self.issuer.token(aud="shop", sub=who, **claims))

    def ask(
        self, method: str, target: str, who: str | None = "rita", *, trace: str | None = None,
        headers: Mapping[str, str] | None = None, scope: str | None = None, **more: Any,
    ) -> httpx.Response:  # fmt: skip
        """One request through the gateway, with the token of `who`, and as part of a trace if one is named."""
        sent = dict(headers or {})
        if who is not None:
            sent["authorization"] = "Bearer " + (self.token(who, scope=scope) if scope else self.token(who))
        if trace is not None:
            sent["traceparent"] = f"00-{trace}-00f067aa0ba902b7-01"
        return self.client.request(method, target, headers=sent, **more)

    def asked(self, since: int = 0, upstream: HTTPServer | None = None) -> list[Request]:
        """What an upstream (by default the first) got since a length of its log."""
        return [request for request, _ in (upstream or self.first).log[since:]]

    def line(self, trace: str, timeout: float = 5.0) -> dict[str, Any]:
        """The one access-log line of a trace."""
        log = self.folder / ".sidegate" / "access.log"
        found = wait(lambda: [v for v in _lines(log) if v["trace_id"] == trace], timeout)
        assert len(found) == 1, f"{len(found)} lines of trace {trace}"
        return found[0]

    @property
    def admin(self) -> str:
        """The address of the companion's own API."""
        companions = self.gateway.manage("/companions").json
        return str(companions[0]["admin"])

    def companion(self, path: str, body: Any = None) -> httpx.Response:
        """Ask the companion's own API: GET, or POST of a body."""
        with httpx.Client(base_url=self.admin, trust_env=False) as client:
            return client.get(path) if body is None else client.post(path, json=body)

    def write(self, name: str, text: str) -> None:
        """Save a file of the project as an editor does: a new file in the place of the old one."""
        scratch = self.folder / (name + ".new~")
        scratch.write_text(text)
        scratch.replace(self.folder / name)

    def read(self, name: str) -> str:
        return (self.folder / name).read_text()


def wait(look: Callable[[], T], timeout: float = PATIENCE_S, pause: float = 0.02) -> T:
    """What `look` sees as soon as it is true, or what it saw last."""
    deadline = time.monotonic() + timeout
    while not (seen := look()) and time.monotonic() < deadline:
        time.sleep(pause)
    return seen


def echo(request: Request) -> Response:
    """An upstream's answer: what it was asked."""
    return Response(json.dumps({"method": request.method, "path": request.path}), 200, content_type="application/json")


@contextmanager
def upstream() -> Iterator[HTTPServer]:
    """A pytest-httpserver that answers everything."""
    server = HTTPServer("127.0.0.1", threaded=True)
    server.expect_request(re.compile(".*")).respond_with_handler(echo)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def url_of(server: HTTPServer) -> str:
    return f"http://127.0.0.1:{server.port}"


def settings(first: HTTPServer, second: HTTPServer, issuer: Issuer, **more: Any) -> str:
    """sidegate.yaml for the project."""
    one, two = url_of(first), url_of(second)
    issued = {"issuer": issuer.name, "audiences": ["shop"], "jwks": {"file": "keys/jwks.json"}}
    document = {
        "services": {
            "shop": {"upstream": one, "versions": {"v2": {"upstream": two}}},
            "north": {"upstream": one, "hosts": ["north.test", "arctic.test"]},
            "south": {"upstream": two, "hosts": ["south.test"]},
            "guest": {"upstream": one},
        },
        "security": {"bearer": issued, "connect": issued},
        "publish": {"breaking": "allow"},
        **more,
    }
    return yaml.safe_dump(document)


@contextmanager
def serve(folder: Path, env: Mapping[str, str] | None = None, **more: Any) -> Iterator[Shop]:
    """The project, copied below `folder` and served. `env` replaces what points to the collector; `more` are settings."""
    issuer, root = Issuer(), folder / "shop"
    shutil.copytree(PROJECT, root)
    (root / "keys").mkdir()
    (root / "keys" / "jwks.json").write_text(issuer.jwks())
    with upstream() as first, upstream() as second, Collector() as collector:
        (root / "sidegate.yaml").write_text(settings(first, second, issuer, **more))
        default = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "200"}
        gateway = Gateway(root, env=dict(default if env is None else env))
        with gateway, httpx.Client(base_url=gateway.url, trust_env=False, timeout=PATIENCE_S) as client:
            yield Shop(gateway, first, second, collector, issuer, client)


def _lines(log: Path) -> list[dict[str, Any]]:
    """The log's whole lines; each must be a JSON object."""
    text = log.read_text() if log.exists() else ""
    return [read(line) for line in text.rpartition("\n")[0].splitlines()]
