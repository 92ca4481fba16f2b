"""An Envoy with no protection at all before the journal, for the tests of the oracles: every one of them must find fault."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.e2e import processes
from tests.waiting import until
from xds.up.ports import free_port

ENVOY = Path(sys.executable).parent / "envoy"


class Bare:
    """Has what `World` asks of a gateway. `checked` adds an ext_authz that cannot be reached and is told not to mind."""

    def __init__(self, folder: Path, upstream: int, checked: bool = False) -> None:
        self.folder, self.port, self._admin = folder, free_port(), free_port()
        self._config = folder / "envoy.json"
        self._config.write_text(json.dumps(self._bootstrap(upstream, checked)))
        self._process: subprocess.Popen[bytes] | None = None
        self.output = ""

    def _bootstrap(self, upstream: int, checked: bool) -> dict[str, Any]:
        router = {"name": "router", "typed_config": _any("http.router.v3.Router")}
        service = {"server_uri": {"uri": "http://127.0.0.1:1", "cluster": "nowhere", "timeout": "1s"}}
        check = {
            "name": "check",
            "typed_config": _any("http.ext_authz.v3.ExtAuthz", http_service=service, failure_mode_allow=True),
        }
        manager = {
            "stat_prefix": "edge",
            "route_config": {
                "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "up"}}]}]
            },
            "http_filters": [*([check] if checked else []), router],
        }  # fmt: skip
        typed = _any("network.http_connection_manager.v3.HttpConnectionManager", **manager)
        chain = [{"filters": [{"name": "http", "typed_config": typed}]}]
        return {
            "admin": {"address": _address(self._admin)},
            "static_resources": {
                "listeners": [{"name": "edge", "address": _address(self.port), "filter_chains": chain}],
                "clusters": [_cluster("up", upstream), _cluster("nowhere", 1)],
            },
        }

    def roles(self) -> dict[str, processes.Process]:
        assert self._process is not None
        process = processes.read(self._process.pid)
        return {"envoy": process} if process else {}

    def __enter__(self) -> Bare:
        command = [str(ENVOY), "-c", str(self._config), "--concurrency", "1", "-l", "error", "--use-dynamic-base-id"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        pid = self._process.pid
        until(lambda: self.port in processes.listening(pid), lambda: "Envoy did not start")
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def crash(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.__exit__()


def _any(kind: str, **fields: Any) -> dict[str, Any]:
    return {"@type": f"type.googleapis.com/envoy.extensions.filters.{kind}", **fields}


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _cluster(name: str, port: int) -> dict[str, Any]:
    endpoint = {"lb_endpoints": [{"endpoint": {"address": _address(port)}}]}
    return {"name": name, "type": "STATIC", "load_assignment": {"cluster_name": name, "endpoints": [endpoint]}}
