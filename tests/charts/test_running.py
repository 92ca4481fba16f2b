"""The examples' charts, running: the rendered pod's own commands and volumes, a real Envoy, the test's own requests."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.charts.kubelet import PROGRAMS, Pod, status
from tests.charts.rendering import EXAMPLES, ROOT, Object, objects, one, render
from tests.charts.volumes import Objects
from tests.e2e.tokens import Issuer
from tests.roles.running import short_folder, until
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.slow


def by_name(found: list[Object]) -> Objects:
    return {(each["kind"], each["metadata"]["name"]): each for each in found}


ISSUER = Issuer()


@contextmanager
def running(service: str, **values: Any) -> Iterator[tuple[Pod, list[Object]]]:
    found = render(EXAMPLES / service, {"sidegate": values})
    one(found, "ConfigMap")["data"]["jwks.json"] = ISSUER.jwks()
    with short_folder() as folder:
        pod = Pod(one(found, "Deployment")["spec"]["template"], folder, by_name(found))
        try:
            pod.start()
            yield pod, found
        finally:
            pod.kill()


def ask(container: Object, url: str) -> subprocess.CompletedProcess[str]:
    """What `helm test` runs, with a pod's own address for the Service's."""
    token = ISSUER.token(aud="shop", scope="orders:read")  # of the Secret that the chart names
    args = [word.replace("$(TOKEN)", token) for word in container["args"][1:]]
    words = [*PROGRAMS["sidegate"], *container["command"][1:], url, *args]
    return subprocess.run(words, capture_output=True, text=True, timeout=120, cwd=ROOT, check=False)


def ask_pod(found: list[Object], pod: Pod) -> subprocess.CompletedProcess[str]:
    """The test of a team's chart."""
    (container,) = one(found, "Pod", "-test")["spec"]["containers"]
    return ask(container, f"http://127.0.0.1:{pod.ports[8080]}")


@pytest.mark.parametrize("service", ["catalog", "orders"])
def test_the_pod_serves_what_helm_test_asks(service: str) -> None:
    with running(service) as (pod, found):
        asked = ask_pod(found, pod)
        assert asked.returncode == 0, asked.stdout + asked.stderr + pod.log("sidegate")
        codes = pod.stop()
        assert codes["sidegate"] == codes["sidegate-envoy"] == 0, pod.log("sidegate-envoy") + pod.log("sidegate")


def test_a_changed_config_map_is_enforced() -> None:
    with running("catalog") as (pod, found):
        port = pod.ports[8080]
        assert status(port, "/catalog/v1/public/about") == 200
        sources = one(found, "ConfigMap")
        policy = sources["data"]["policies_catalog_authz.rego"]
        sources["data"]["policies_catalog_authz.rego"] = policy.replace(
            'open_to_all := {"getPublicPage"}', 'open_to_all := {"nothing"}'
        )
        pod.project(by_name(found))
        until(lambda: status(port, "/catalog/v1/public/about") == 403, lambda: pod.log("sidegate"))


def test_a_pod_of_classic_containers() -> None:
    with running("catalog", containers="classic") as (pod, found):
        asked = ask_pod(found, pod)
        assert asked.returncode == 0, asked.stdout + asked.stderr


def test_inject_makes_a_pod_that_runs() -> None:
    """The same by `sidegate inject`, from a manifest that knows nothing of Sidegate."""
    manifest = """
apiVersion: v1
kind: Pod
metadata: {name: catalog}
spec:
  containers:
  - name: app
    image: app:1
    command: [python, -W, ignore, examples/serve.py, --listen, "127.0.0.1:9000"]
    ports: [{containerPort: 9000}]
    readinessProbe: {httpGet: {path: /ready, port: 9000}}
"""
    words = [*PROGRAMS["sidegate"], "inject", "--sources", str(EXAMPLES / "catalog" / "sidegate")]
    made = subprocess.run(
        words, input=manifest, capture_output=True, text=True, timeout=PATIENCE_S, check=True, cwd=ROOT
    )
    found = objects(made.stdout)
    with short_folder() as folder:
        pod = Pod(one(found, "Pod"), folder, by_name(found))
        try:
            pod.start()
            assert status(pod.ports[8080], "/catalog/v1/public/about") == 200
            assert status(pod.ports[8080], "/catalog/v1/items") == 401
        finally:
            pod.kill()
