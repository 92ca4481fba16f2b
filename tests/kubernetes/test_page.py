"""The last step of the page "the sidecar in a team's chart" on a real API server: `helm test` succeeds and shows the log."""

from __future__ import annotations

import shlex
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.charts.helm_cli import helm_binary
from tests.charts.rendering import Object
from tests.charts.test_page import SAID, app, followed, shell
from tests.kube_server import KubeServer
from tests.kubernetes.cluster import Cluster
from tests.roles.running import until

__all__ = ["helm_binary"]

pytestmark = pytest.mark.slow
TEST = "hello-sidegate-test"


def ended(cluster: Cluster, phase: str) -> None:
    """Say of the test's pod what a kubelet would say."""
    answer = cluster.http.patch(
        f"{cluster.path('Pod', TEST)}/status",
        json={"status": {"phase": phase}},
        headers={"content-type": "application/merge-patch+json"},
    )
    assert answer.is_success, answer.text


def tried(cluster: Cluster) -> Object:
    """The pod of `helm test`, once there is one that has not ended."""
    found: list[Object] = []

    def there() -> bool:
        pods = [each for each in cluster.all("Pod") if each["metadata"]["name"] == TEST]
        found[:] = [each for each in pods if each["status"]["phase"] == "Pending"]
        return bool(found)

    until(there, lambda: str([each["metadata"]["name"] for each in cluster.all("Pod")]))
    return found[0]


def test_the_last_step(kube: KubeServer, helm_binary: Path, tmp_path: Path) -> None:
    """Twice, since the pod of the first is still there."""
    install, test = followed(tmp_path, helm_binary).splitlines()
    cluster = Cluster(kube, helm_binary, tmp_path, tmp_path)
    where = {"KUBECONFIG": str(kube.kubeconfig), "HELM_NAMESPACE": cluster.namespace}
    shell(install, tmp_path, helm_binary, **where)
    pod = cluster.pod("hello", "hello-0")
    app(pod)
    with cluster.running(pod) as running, ThreadPoolExecutor(1) as beside:
        for _ in range(2):
            helm = beside.submit(shell, test, tmp_path, helm_binary, **where)
            (asked,) = tried(cluster)["spec"]["containers"]
            words = [*asked["command"], f"http://127.0.0.1:{running.ports[8080]}", *asked["args"][1:]]
            assert shell(shlex.join(words), tmp_path, helm_binary).splitlines() == SAID
            ended(cluster, "Succeeded")
            assert f"POD LOGS: {TEST}" in helm.result(120)
    cluster.close()
