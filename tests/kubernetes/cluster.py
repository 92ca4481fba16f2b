"""A namespace of a real API server: Helm, objects, tokens, and pods as processes."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from tests.charts.kubelet import Pod
from tests.charts.rendering import ROOT, Object
from tests.charts.volumes import Objects
from tests.kube_server import TOKEN, KubeServer
from tests.roles.running import short_folder
from tests.waiting import PATIENCE_S

_NUMBERS = count(1)
PLURALS = {
    "ConfigMap": "api/v1/{}configmaps",
    "Secret": "api/v1/{}secrets",
    "Deployment": "apis/apps/v1/{}deployments",
    "Pod": "api/v1/{}pods",
    "Role": "apis/rbac.authorization.k8s.io/v1/{}roles",
}


class Cluster:
    """One namespace, made for one test. `charts` is a copy of the charts in which their dependencies are in place."""

    def __init__(self, server: KubeServer, helm: Path, folder: Path, charts: Path) -> None:
        self.server, self.helm_binary, self.folder, self.charts = server, helm, folder, charts
        self.namespace = f"test-{os.getpid()}-{next(_NUMBERS)}"
        self.trust = ssl.create_default_context(cafile=server.ca)
        headers = {"authorization": f"Bearer {TOKEN}"}
        self.http = httpx.Client(base_url=server.url, verify=self.trust, headers=headers, timeout=PATIENCE_S)
        self.post("api/v1/namespaces", {"metadata": {"name": self.namespace}})

    def close(self) -> None:
        self.http.close()

    def post(self, path: str, body: Mapping[str, Any]) -> Object:
        """Create something. Raises AssertionError with the API's words."""
        return _taken(self.http.post(path, json=dict(body)))

    def path(self, kind: str, name: str = "", namespace: str | None = None) -> str:
        where = PLURALS[kind].format(f"namespaces/{namespace or self.namespace}/")
        return f"{where}/{name}" if name else where

    def get(self, kind: str, name: str) -> Object:
        return _taken(self.http.get(self.path(kind, name)))

    def all(self, kind: str) -> list[Object]:
        return [{**each, "kind": kind} for each in _taken(self.http.get(self.path(kind)))["items"]]

    def put(self, kind: str, name: str, body: Mapping[str, Any]) -> Object:
        return _taken(self.http.put(self.path(kind, name), json=dict(body)))

    def objects(self) -> Objects:
        """What volumes are made of."""
        found = [*self.all("ConfigMap"), *self.all("Secret")]
        return {(each["kind"], each["metadata"]["name"]): each for each in found}

    def helm(self, *words: str, values: Mapping[str, Any] | None = None) -> str:
        """Run Helm here. Raises AssertionError with its words."""
        more = ["--kubeconfig", str(self.server.kubeconfig), "--namespace", self.namespace]
        if values is not None:
            file = self.folder / f"values-{next(_NUMBERS)}.json"
            file.write_text(json.dumps(values))
            more += ["--values", str(file)]
        return run_helm(self.helm_binary, self.folder, *words, *more)

    def token(self, account: str, seconds: int = 3600) -> str:
        """A token of a ServiceAccount, by the TokenRequest API as a kubelet asks for it."""
        path = f"api/v1/namespaces/{self.namespace}/serviceaccounts/{account}/token"
        wanted = {"spec": {"expirationSeconds": seconds}}
        return str(self.post(path, wanted)["status"]["token"])

    def pod(self, deployment: str, name: str) -> Object:
        """A pod of a Deployment, as the API server returns it: no controller runs that would make one."""
        template = self.get("Deployment", deployment)["spec"]["template"]
        body = {"metadata": {**template["metadata"], "name": name}, "spec": template["spec"]}
        return self.post(self.path("Pod"), body)

    @contextmanager
    def running(self, pod: Object, hosts: Mapping[str, str] | None = None) -> Iterator[Pod]:
        """The pod's containers as processes. Its account's token is given as a kubeconfig, since a process has no mounts."""
        with short_folder() as folder:
            made = _Process(pod, folder, self.objects(), hosts)
            if _wants_token(pod):
                made.kubeconfig = folder / "kubeconfig"
                made.kubeconfig.write_text(self.server.configuration(self.token(pod["spec"]["serviceAccountName"])))
            try:
                made.start()
                yield made
            finally:
                made.kill()


class _Process(Pod):
    kubeconfig: Path | None = None

    def _env(self, container: Mapping[str, Any]) -> dict[str, str]:
        env = super()._env(container)
        return {**env, "KUBECONFIG": str(self.kubeconfig)} if self.kubeconfig else env


def _wants_token(pod: Object) -> bool:
    """Whether the admission plugin that is off here would mount a token: the pod's own word counts before the account's."""
    return bool(pod["spec"].get("automountServiceAccountToken", True))


def run_helm(binary: Path, folder: Path, *words: str) -> str:
    """Run Helm with folders of its own. Raises AssertionError with its words."""
    env = {**os.environ, **{f"HELM_{name}_HOME": str(folder / "helm" / name) for name in ("CACHE", "CONFIG", "DATA")}}
    done = subprocess.run([str(binary), *words], env=env, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, f"helm {' '.join(words)}: {done.stderr}{done.stdout}"
    return done.stdout


def copy_charts(binary: Path, folder: Path) -> Path:
    """All charts, links followed, with their dependencies in place as `helm dependency update` puts them there."""
    root = folder / "repository"
    for part in ("helm", "examples/charts"):
        shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("*.tgz"))
    for name in ("catalog", "orders"):
        run_helm(binary, folder, "dependency", "update", "--skip-refresh", str(root / "examples/charts" / name))
    return root


def _taken(answer: httpx.Response) -> Object:
    assert answer.is_success, f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text[:500]}"
    return dict(answer.json())
