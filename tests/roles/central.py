"""A shared control plane as a process: two services with secrets of their own, certificates for everybody."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from tests.features.pki import Authority, Pair
from tests.projects import jwks
from tests.roles.running import Role, ready, short_folder
from tests.waiting import PATIENCE_S
from xds import handshake
from xds.up.ports import free_port

AUTHORITY = Authority("xds authority")
POLICY = "package {0}.authz\n\n# sidegate: allow-default\ndefault allow := true\n"
SERVICES = ("pets", "toys")


def certificate(service: str, namespace: str = "shop", **more: object) -> Pair:
    """What an issuer gives the service account of a service."""
    return AUTHORITY.issue(uris=(f"spiffe://cluster.local/ns/{namespace}/sa/{service}",), **more)  # type: ignore[arg-type]


def contract(service: str, **paths: str) -> str:
    """A service with one open path and one for tokens of its own issuer."""
    operation = {"responses": {"200": {"description": "ok"}}}
    own = {"x-sidegate": {"policy": "none", "reason": "a public page"}, "security": []}
    asked = {f"/{name}": {"get": {**operation, **own, "operationId": name}} for name in ("open", *paths)}
    asked["/mine"] = {"get": {**operation, "operationId": "mine"}}
    asked["/judged"] = {
        "get": {
            **operation,
            "operationId": "judged",
            "security": [],
            "parameters": [{"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": 100}}],
        }
    }
    return json.dumps(
        {
            "openapi": "3.0.3",
            "info": {"title": service, "version": "1"},
            "servers": [{"url": f"/{service}/v1"}],
            "security": [{f"{service}-token": []}],
            "paths": asked,
            "components": {"securitySchemes": {f"{service}-token": {"type": "http", "scheme": "bearer"}}},
        }
    )


def project(
    folder: Path, upstreams: Mapping[str, str] | None = None, nodes: Mapping[str, list[str]] | None = None
) -> Path:
    """Two services, each with an issuer and a client certificate for its upstream; a listener with a certificate."""
    files: dict[str, str] = {"keys.json": jwks()}
    services, schemes = {}, {}
    for service in SERVICES:
        pair = AUTHORITY.issue(f"{service}.client.test")
        files |= {f"tls/{service}.crt": pair.cert, f"tls/{service}.key": pair.key, "tls/ca.crt": AUTHORITY.pem}
        tls = {"ca": "tls/ca.crt", "cert": f"tls/{service}.crt", "key": f"tls/{service}.key"}
        url = (upstreams or {}).get(service)
        services[service] = {"upstream": url or {"url": f"https://{service}.test:8443", "tls": tls}}
        issuer = {"issuer": f"https://{service}.issuer.test", "audiences": [service], "jwks": {"file": "keys.json"}}
        schemes[f"{service}-token"] = issuer
        files |= {
            f"contracts/{service}/v1.json": contract(service),
            f"policies/{service}/authz.rego": POLICY.format(service),
        }
    edge = AUTHORITY.issue("shop.test")
    files |= {"tls/edge.crt": edge.cert, "tls/edge.key": edge.key}
    listener = {
        "address": "127.0.0.1:18443",
        "tls": {"certificates": [{"cert": "tls/edge.crt", "key": "tls/edge.key"}]},
    }
    settings = {"services": services, "security": schemes, "listeners": [{"name": "public", **listener}]}
    files["sidegate.yaml"] = json.dumps({**settings, **({"nodes": nodes} if nodes else {})})
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def write_pair(folder: Path, name: str, pair: Pair) -> tuple[str, str]:
    """The two files of a certificate, each put in place in one step."""
    for ending, text in (("crt", pair.cert), ("key", pair.key)):
        beside = folder / f".{name}.{ending}"
        beside.write_text(text)
        beside.rename(folder / f"{name}.{ending}")
    return str(folder / f"{name}.crt"), str(folder / f"{name}.key")


@dataclass
class Central:
    """One or several replicas over one folder of sources."""

    folder: Path
    replicas: list[Role] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)
    managements: list[int] = field(default_factory=list)

    @property
    def sources(self) -> Path:
        return self.folder / "sources"

    def start(self, sources: Path | None = None, *words: str) -> int:
        """One more replica; its number."""
        number, port, management = len(self.replicas), free_port(), free_port()
        crt, key = write_pair(self.folder, "cp", AUTHORITY.issue("cp.test"))
        (self.folder / "ca.crt").write_text(AUTHORITY.pem)
        own = self.folder / f"replica{number}"
        self.replicas.append(
            Role(
                self.folder,
                f"control-plane-{number}",
                "control-plane",
                str(sources or self.sources),
                "--xds",
                f"127.0.0.1:{port}",
                "--xds-cert",
                crt,
                "--xds-key",
                key,
                "--xds-client-ca",
                str(self.folder / "ca.crt"),
                "--management",
                f"127.0.0.1:{management}",
                "--run",
                str(own),
                "--state",
                str(own / "state"),
                *words,
            )
        )
        self.ports.append(port)
        self.managements.append(management)
        ready(management, self.replicas[number])
        return number


@contextmanager
def central(**more: object) -> Iterator[Central]:
    """A running control plane with one replica."""
    with short_folder() as folder:
        project(folder / "sources", **more)  # type: ignore[arg-type]
        made = Central(folder)
        try:
            made.start()
            yield made
        finally:
            for replica in made.replicas:
                replica.stop()


def digests(over: grpc.Channel, service: str) -> dict[str, list[str]]:
    """What the control plane would have its companion hold: found out by reporting what it asks for."""
    answer = report(over, "nobody", service, {})
    return {name: list(held) for name, held in answer.items()}


def report(over: grpc.Channel, node: str, service: str, held: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """A companion's report over the proxies' port; then its line breaks."""
    body = {"service": service, "digests": held, "revisions": {}, "admin": "", "problems": []}
    answered = threading.Event()

    def said() -> Iterator[bytes]:
        yield json.dumps({"node": node, "service": service}).encode()
        yield json.dumps({"report": body}).encode()
        answered.wait(PATIENCE_S)

    call = over.stream_stream(f"/{handshake.SERVICE}/{handshake.FOLLOW}")(
        said(), timeout=PATIENCE_S, wait_for_ready=True
    )
    try:
        answers = (json.loads(data) for data in call)
        return next(dict(answer["needed"]) for answer in answers if answer["taken"])
    finally:
        answered.set()
        call.cancel()


def wait_for_clock() -> None:
    """Past the second that file systems may count in."""
    time.sleep(0.01)
