"""An Envoy written by hand that verifies a token and counts a limit, or keeps answers: what these duties cost alone.

The goals of `native` are stated over a hop that does nothing. This is the floor below which no gateway on Envoy can go: the
two duties alone, then with a line of log and a trace id for each request as well; and a cache in files, before which nobody is
asked for anything.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench.hop import bootstrap, command, listens
from tests.e2e.tokens import Issuer
from xds.up.ports import free_port

_EXTENSIONS = "type.googleapis.com/envoy.extensions"


class ByHand:
    """The process. `port` is where it listens, `pid` who it is."""

    def __init__(self, folder: Path, make: Callable[[int, Path], dict[str, Any]]) -> None:
        """`make` has the port and a name for a file of its own; the bootstrap comes of it."""
        self.port = free_port()
        self._config = folder / f"by-hand-{self.port}.json"
        self._config.write_text(json.dumps(make(self.port, folder / f"by-hand-{self.port}")))

    @property
    def pid(self) -> int:
        return self._process.pid

    def __enter__(self) -> ByHand:
        self._process = subprocess.Popen(command(self._config), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if not listens(self._process, self.port):
            self.__exit__()
            raise RuntimeError("the Envoy written by hand did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


def limited(upstream: int, issuer: Issuer, *, observed: bool) -> Callable[[int, Path], dict[str, Any]]:
    """Token and limit; `observed`, a line of log and a trace id as well."""

    def make(port: int, log: Path) -> dict[str, Any]:
        config = bootstrap(port, upstream)
        manager = _manager(config)
        manager["http_filters"] = [_jwt(issuer), _limit(), *manager["http_filters"]]
        if observed:
            manager |= {"access_log": [_line(log)], "tracing": _tracing()}
        return config

    return make


def cached(port: int, kept: Path) -> dict[str, Any]:
    """A cache in files of a bounded size in front of a listener of the same process, which is asked once."""
    kept.mkdir()
    inner = free_port()
    config, origin = bootstrap(port, inner), bootstrap(inner, port)["static_resources"]["listeners"][0]
    store = {
        "@type": f"{_EXTENSIONS}.http.cache_v2.file_system_http_cache.v3.FileSystemHttpCacheV2Config",
        "cache_path": str(kept),
        "manager_config": {"thread_pool": {"thread_count": 1}},
        "max_cache_size_bytes": 1 << 26,
    }
    manager = _manager(config)
    manager["http_filters"] = [_filter("http.cache_v2.v3.CacheV2Config", typed_config=store), *manager["http_filters"]]
    answer = {
        "match": {"prefix": "/"},
        "direct_response": {"status": 200, "body": {"inline_string": "{}"}},
        "response_headers_to_add": [{"header": {"key": "cache-control", "value": "max-age=3600"}}],
    }
    behind = origin["filter_chains"][0]["filters"][0]["typed_config"]
    behind["route_config"] = {"virtual_hosts": [{"name": "origin", "domains": ["*"], "routes": [answer]}]}
    config["static_resources"]["listeners"].append({**origin, "name": "origin"})
    return {**config, "node": {"id": "by-hand", "cluster": "by-hand"}}


def _manager(config: dict[str, Any]) -> dict[str, Any]:
    """The connection manager of its one listener."""
    manager: dict[str, Any] = config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0][
        "typed_config"
    ]
    return manager


def _jwt(issuer: Issuer) -> dict[str, Any]:
    provider = {
        "issuer": issuer.name,
        "audiences": ["ref"],
        "local_jwks": {"inline_string": issuer.jwks()},
        "jwt_cache_config": {"jwt_cache_size": 1000},
    }
    rule = {"match": {"prefix": "/"}, "requires": {"provider_name": "bearer"}}
    return _filter("http.jwt_authn.v3.JwtAuthentication", providers={"bearer": provider}, rules=[rule])


def _limit() -> dict[str, Any]:
    always = {"default_value": {"numerator": 100}}
    return _filter(
        "http.local_ratelimit.v3.LocalRateLimit",
        stat_prefix="limit",
        token_bucket={"max_tokens": 1_000_000, "tokens_per_fill": 1_000_000, "fill_interval": "1s"},
        filter_enabled=always,
        filter_enforced=always,
    )


def _filter(kind: str, **config: Any) -> dict[str, Any]:
    return {"name": kind, "typed_config": {"@type": f"{_EXTENSIONS}.filters.{kind}", **config}}


def _line(log: Path) -> dict[str, Any]:
    members = {
        "time": "%START_TIME%",
        "trace_id": "%TRACE_ID%",
        "method": "%REQ(:METHOD)%",
        "path": "%PATH(NQ)%",
        "status": "%RESPONSE_CODE%",
        "details": "%RESPONSE_CODE_DETAILS%",
        "flags": "%RESPONSE_FLAGS%",
        "duration_ms": "%DURATION%",
    }
    config = {
        "@type": f"{_EXTENSIONS}.access_loggers.file.v3.FileAccessLog",
        "path": str(log),
        "log_format": {"json_format": members},
    }
    return {"name": "file", "typed_config": config}


def _tracing() -> dict[str, Any]:
    """Trace ids, and no exports."""
    uri = {"uri": "http://127.0.0.1:1/", "cluster": "up", "timeout": "1s"}
    config = {
        "@type": "type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig",
        "service_name": "by-hand",
        "http_service": {"http_uri": uri},
    }
    never = {"value": 0}
    return {
        "provider": {"name": "envoy.tracers.opentelemetry", "typed_config": config},
        "random_sampling": never,
        "client_sampling": never,
        "overall_sampling": never,
    }
