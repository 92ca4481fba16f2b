"""Both charts together, running: shared control plane, edge gateway, and the catalog's pod with `control: central`."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.charts.kubelet import PROGRAMS, Pod, status
from tests.charts.rendering import EXAMPLES, ROOT, Object, one, render
from tests.charts.test_running import ask, by_name
from tests.charts.volumes import Objects
from tests.features.pki import Authority
from tests.ratelimit_server import find_valkey, ratelimit_binary
from tests.roles.running import short_folder, until

__all__ = ["ratelimit_binary"]
pytestmark = pytest.mark.slow
AUTHORITY = Authority("mesh authority")
XDS = "sidegate-xds.sidegate.svc"
CHART = ROOT / "helm" / "sidegate"
LIMITS = "sidegate-ratelimit.sidegate.svc:8081"
PAGE = "/catalog/v1/public/about"


def secret(name: str, *names: str) -> Object:
    """What cert-manager would have put there."""
    pair = AUTHORITY.issue(*names)
    files = {"ca.crt": AUTHORITY.pem, "tls.crt": pair.cert, "tls.key": pair.key}
    data = {key: base64.b64encode(text.encode()).decode() for key, text in files.items()}
    return {"kind": "Secret", "metadata": {"name": name}, "data": data}


def platform(upstream: str, *limits: Object) -> dict[str, Any]:
    """The values of the shared chart: the catalog's own sources for all that need them, and where its pod is."""
    folder = EXAMPLES / "catalog" / "sidegate"
    settings = yaml.safe_load((folder / "sidegate.yaml").read_text())
    settings["services"]["catalog"]["upstream"] = upstream
    settings |= {"rateLimits": list(limits)} if limits else {}
    files = ["jwks.json", "contracts/catalog/v1.yaml", "policies/catalog/authz.rego", "policies/platform/claims.rego"]
    return {
        "xds": {"secret": "sidegate-xds"},
        "edge": {"enabled": True, "secret": "sidegate-edge"},
        "rateLimit": {"enabled": bool(limits), "secret": "sidegate-ratelimit"},
        "sources": {
            "settings": settings,
            "files": {name: (folder / name).read_text() for name in files},
            "kubernetes": {"enabled": False},
        },
        "test": {"requests": [f"GET {PAGE} 200", "GET /catalog/v1/items 401"]},
    }


@dataclass
class Mesh:
    """Three pods, and what they were rendered from."""

    control: Pod
    edge: Pod
    catalog: Pod
    objects: Objects
    shared: list[Object]

    @property
    def logs(self) -> str:
        pods = (self.control, self.edge, self.catalog)
        return "\n".join(path.read_text(errors="replace")[-1500:] for pod in pods for path in pod.folder.glob("*.log"))


def template(found: list[Object], name: str, namespace: str) -> Object:
    made: Object = one([each for each in found if each["metadata"]["name"] == name], "Deployment")["spec"]["template"]
    return {**made, "metadata": {**made["metadata"], "namespace": namespace}}


@contextmanager
def mesh(folder: Path, *limits: Object) -> Iterator[Mesh]:
    """`limits` are the gateway's, which take a rate limit service and a Valkey."""
    secrets = [
        secret("sidegate-xds", XDS, "127.0.0.1"),
        secret("sidegate-edge", "edge.sidegate.svc"),
        secret("sidegate-ratelimit", "ratelimit.sidegate.svc"),
        secret("catalog-xds", "catalog.prod.svc"),
    ]
    own = render(EXAMPLES / "catalog", {"sidegate": {"control": "central", "central": {"secret": "catalog-xds"}}})
    hosts: dict[str, str] = {}
    catalog = Pod(template(own, "shop", "prod"), folder / "c", by_name([*own, *secrets]), hosts)
    values = platform(f"http://127.0.0.1:{catalog.ports[8080]}", *limits)
    shared = render(CHART, values, "sidegate", "sidegate")
    counting = list(counters(shared, folder, by_name([*shared, *secrets]), hosts)) if limits else []
    if counting:  # the service has no name on this machine
        values["sources"]["settings"]["rateLimit"] = {"service": hosts[LIMITS], "timeout": "2s"}
        shared = render(CHART, values, "sidegate", "sidegate")
    objects = by_name([*shared, *secrets])
    control = Pod(template(shared, "sidegate", "sidegate"), folder / "p", objects)
    edge = Pod(template(shared, "sidegate-edge", "sidegate"), folder / "e", objects, hosts)
    hosts[f"{XDS}:9902"] = f"127.0.0.1:{control.ports[9902]}"
    hosts["http://sidegate:9180"] = f"http://127.0.0.1:{control.ports[9180]}"
    hosts["http://sidegate-edge:80"] = f"http://127.0.0.1:{edge.ports[8080]}"
    pods = Mesh(control, edge, catalog, objects, shared)
    everything = (control, catalog, edge, *counting)  # limits are published with the routes that count for them
    try:
        for pod in everything:
            pod.start()
        yield pods
    finally:
        for pod in everything:
            pod.kill()


def counters(shared: list[Object], folder: Path, objects: Objects, hosts: dict[str, str]) -> Iterator[Pod]:
    """Valkey and the rate limit service; `hosts` learns where they are."""
    valkey = Pod(template(shared, "sidegate-valkey", "sidegate"), folder / "v", objects)
    hosts["sidegate-valkey.sidegate.svc:6379"] = f"127.0.0.1:{valkey.ports[6379]}"
    yield valkey
    made = template(shared, "sidegate-ratelimit", "sidegate")
    made["spec"]["containers"][0]["ports"].append({"containerPort": 6070})  # on loopback, so in no manifest
    service = Pod(made, folder / "r", objects, hosts)
    hosts[LIMITS] = f"127.0.0.1:{service.ports[8081]}"
    yield service


def test_a_service_and_the_edge_under_one_control_plane() -> None:
    with short_folder() as folder, mesh(folder) as pods:
        beside, before = pods.catalog.ports[8080], pods.edge.ports[8080]
        assert status(beside, PAGE) == 200, pods.logs
        for container in one(pods.shared, "Pod", "-test")["spec"]["containers"]:
            asked = ask(container, pods.edge.hosts[container["args"][0]])
            assert asked.returncode == 0, asked.stdout + asked.stderr + pods.logs

        sources = pods.objects["ConfigMap", "sidegate-sources"]["data"]
        policy = sources["policies_catalog_authz.rego"]
        sources["policies_catalog_authz.rego"] = policy.replace('{"getPublicPage"}', '{"nothing"}')
        pods.control.project(pods.objects)
        for port in (beside, before):
            until(lambda port=port: status(port, PAGE) == 403, lambda: pods.logs)

        pods.control.kill()
        assert status(beside, PAGE) == 403, pods.logs
        assert status(beside, "/catalog/v1/items") == 401, pods.logs


def test_limits_that_all_proxies_share(ratelimit_binary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real service and a real Valkey by the chart's own words: what one proxy lets through, the other has counted."""
    monkeypatch.setitem(PROGRAMS, "/bin/ratelimit", [str(ratelimit_binary)])
    monkeypatch.setitem(PROGRAMS, "valkey-server", [str(find_valkey())])
    limit = {"name": "all", "limit": 6, "per": "month", "by": ["header:x-team"], "store": "shared"}
    with short_folder() as folder, mesh(folder, limit) as pods:
        ports = (pods.catalog.ports[8080], pods.edge.ports[8080])
        # A request to the edge goes on through the sidecar, and is counted by both.
        statuses = [status(port, PAGE, {"x-team": "a"}) for port in ports * 3]
        assert statuses == [200, 200, 200, 200, 429, 429], pods.logs
        assert status(ports[0], PAGE, {"x-team": "b"}) == 200
