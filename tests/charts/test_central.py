"""Both charts together, running: shared control plane, edge gateway, and the catalog's pod with `control: central`."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.charts.kubelet import Pod, status
from tests.charts.rendering import EXAMPLES, ROOT, Object, one, render
from tests.charts.test_running import ask, by_name
from tests.charts.volumes import Objects
from tests.features.pki import Authority
from tests.roles.running import short_folder, until

pytestmark = pytest.mark.slow
AUTHORITY = Authority("mesh authority")
XDS = "sidegate-xds.sidegate.svc"
PAGE = "/catalog/v1/public/about"


def secret(name: str, *names: str) -> Object:
    """What cert-manager would have put there."""
    pair = AUTHORITY.issue(*names)
    files = {"ca.crt": AUTHORITY.pem, "tls.crt": pair.cert, "tls.key": pair.key}
    data = {key: base64.b64encode(text.encode()).decode() for key, text in files.items()}
    return {"kind": "Secret", "metadata": {"name": name}, "data": data}


def platform(upstream: str) -> dict[str, object]:
    """The values of the shared chart: the catalog's own sources for all that need them, and where its pod is."""
    folder = EXAMPLES / "catalog" / "sidegate"
    settings = yaml.safe_load((folder / "sidegate.yaml").read_text())
    settings["services"]["catalog"]["upstream"] = upstream
    files = ["jwks.json", "contracts/catalog/v1.yaml", "policies/catalog/authz.rego", "policies/platform/claims.rego"]
    return {
        "xds": {"secret": "sidegate-xds"},
        "edge": {"enabled": True, "secret": "sidegate-edge"},
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
def mesh(folder: Path) -> Iterator[Mesh]:
    secrets = [
        secret("sidegate-xds", XDS, "127.0.0.1"),
        secret("sidegate-edge", "edge.sidegate.svc"),
        secret("catalog-xds", "catalog.prod.svc"),
    ]
    own = render(EXAMPLES / "catalog", {"sidegate": {"control": "central", "central": {"secret": "catalog-xds"}}})
    hosts: dict[str, str] = {}
    catalog = Pod(template(own, "shop", "prod"), folder / "c", by_name([*own, *secrets]), hosts)
    shared = render(
        ROOT / "helm" / "sidegate", platform(f"http://127.0.0.1:{catalog.ports[8080]}"), "sidegate", "sidegate"
    )
    objects = by_name([*shared, *secrets])
    control = Pod(template(shared, "sidegate", "sidegate"), folder / "p", objects)
    edge = Pod(template(shared, "sidegate-edge", "sidegate"), folder / "e", objects, hosts)
    hosts[f"{XDS}:9902"] = f"127.0.0.1:{control.ports[9902]}"
    hosts["http://sidegate:9180"] = f"http://127.0.0.1:{control.ports[9180]}"
    hosts["http://sidegate-edge:80"] = f"http://127.0.0.1:{edge.ports[8080]}"
    pods = Mesh(control, edge, catalog, objects, shared)
    try:
        for pod in (control, catalog, edge):
            pod.start()
        yield pods
    finally:
        for pod in (control, catalog, edge):
            pod.kill()


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
