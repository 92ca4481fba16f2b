"""A contract -> Hop: a whole gateway before an upstream that the test can see into and slow down."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.e2e.gateway import Gateway
from tests.e2e.shop import echo
from tests.e2e.tokens import Issuer
from tests.waiting import PATIENCE_S

ALLOW = "package svc.authz\n\n# sidegate: allow-default\ndefault allow := true\n"


@dataclass
class Hop:
    """`server.log` is what reached the upstream; `issuer` signs for audience `ref` under the scheme `bearer`."""

    gateway: Gateway
    server: HTTPServer
    issuer: Issuer
    client: httpx.Client

    @property
    def folder(self) -> Path:
        return self.gateway.folder

    def reached(self, since: int = 0) -> list[Request]:
        return [request for request, _ in self.server.log[since:]]


def contract(paths: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """An OpenAPI document; an operation that says nothing of `security` is for everybody."""
    schemes = {"bearer": {"type": "http", "scheme": "bearer"}}
    document = {"openapi": "3.1.0", "info": {"title": "svc", "version": "1"}, "security": [], "paths": dict(paths)}
    return {**document, "components": {"securitySchemes": schemes}, **more}


def operation(**more: Any) -> dict[str, Any]:
    """An Operation Object that answers 200; `x_sidegate` is its extension."""
    own = {"x-sidegate" if key == "x_sidegate" else key: value for key, value in more.items()}
    return {"responses": {"200": {"description": "ok"}}, **own}


@contextmanager
def serve(
    folder: Path,
    document: Mapping[str, Any] | Mapping[str, Mapping[str, Any]],
    *,
    policies: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
    files: Mapping[str, str] | None = None,
    answer: Callable[[Request], Response] = echo,
    env: Mapping[str, str] | None = None,
) -> Iterator[Hop]:
    """Serve a contract as `svc` `v1` (or several, by version). `policies` are files of the service (default: all is
    allowed), `settings` are merged into sidegate.yaml key by key, `files` are any others."""
    root, issuer = folder / "svc", Issuer()
    versions = {"v1": document} if "openapi" in document else document
    texts = {f"contracts/svc/{name}.yaml": yaml.safe_dump(given) for name, given in versions.items()}
    texts |= {f"policies/svc/{name}": text for name, text in (policies or {"authz.rego": ALLOW}).items()}
    texts |= {"keys/jwks.json": issuer.jwks(), **(files or {})}
    server = HTTPServer("127.0.0.1", threaded=True)
    server.expect_request(re.compile(".*")).respond_with_handler(answer)
    server.start()
    bearer = {"issuer": issuer.name, "audiences": ["ref"], "jwks": {"file": "keys/jwks.json"}}
    own = {
        "services": {"svc": {"upstream": f"http://127.0.0.1:{server.port}"}},
        "security": {"bearer": bearer},
        "publish": {"breaking": "allow"},
    }
    texts["sidegate.yaml"] = yaml.safe_dump(merged(own, settings or {}))
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    try:
        with (
            Gateway(root, env=dict(env or {})) as gateway,
            httpx.Client(base_url=gateway.url, trust_env=False, timeout=PATIENCE_S) as client,
        ):
            yield Hop(gateway, server, issuer, client)
    finally:
        server.stop()


def merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Two mappings as one, the other's values winning."""
    out = dict(one)
    for key, value in other.items():
        both = isinstance(value, Mapping) and isinstance(out.get(key), Mapping)
        out[key] = merged(out[key], value) if both else value
    return out
