"""What is rendered passes our own rules, and the rules see what they are for."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from tests.charts.judging import Judge
from tests.charts.rendering import EXAMPLES, Object, one, render
from tests.charts.test_sidecar import CASES

TOKEN = "Deployment/shop: the pod gets a token that nothing needs"


@pytest.mark.parametrize("case", CASES)
def test_a_team_with_a_sidecar(case: str, team: Path, judge: Judge) -> None:
    wanted = [TOKEN] if case == "settings" else []  # that team asked for one
    assert judge.all(render(team, {"sidegate": CASES[case]})) == wanted


@pytest.mark.parametrize("service", ["catalog", "orders"])
def test_the_examples(service: str, judge: Judge) -> None:
    assert judge.all(render(EXAMPLES / service)) == []


def _sidegate(deployment: Object) -> Any:
    return deployment["spec"]["template"]["spec"]["initContainers"][0]


def _pod(deployment: Object) -> Any:
    return deployment["spec"]["template"]["spec"]


SPOILED: dict[str, tuple[Callable[[Object], Any], str]] = {
    "root": (lambda d: _sidegate(d)["securityContext"].update(runAsNonRoot=False), "sidegate may run as root"),
    "user 0": (lambda d: _sidegate(d)["securityContext"].update(runAsUser=0), "sidegate runs as root"),
    "seccomp": (
        lambda d: _sidegate(d)["securityContext"].update(seccompProfile={"type": "Unconfined"}),
        "sidegate has no seccomp profile",
    ),
    "writes": (lambda d: _sidegate(d)["securityContext"].pop("readOnlyRootFilesystem"), "sidegate can write to its image"),
    "gains": (lambda d: _sidegate(d)["securityContext"].pop("allowPrivilegeEscalation"), "sidegate may gain privileges"),
    "privileged": (lambda d: _sidegate(d)["securityContext"].update(privileged=True), "sidegate is privileged"),
    "keeps": (lambda d: _sidegate(d)["securityContext"].pop("capabilities"), "sidegate keeps capabilities"),
    "adds": (
        lambda d: _sidegate(d)["securityContext"]["capabilities"].update(add=["NET_ADMIN"]),
        "sidegate has the capability NET_ADMIN",
    ),
    "limits": (lambda d: _sidegate(d)["resources"]["limits"].pop("memory"), "sidegate has no limits of memory"),
    "tag": (lambda d: _sidegate(d).update(image="host:5000/sidegate"), "sidegate has an image of no fixed version"),
    "latest": (lambda d: _sidegate(d).update(image="sidegate:latest"), "sidegate has an image of no fixed version"),
    "ready": (lambda d: _sidegate(d).pop("readinessProbe"), "sidegate is never asked whether it is ready"),
    "secret": (
        lambda d: _sidegate(d)["env"].append({"name": "API_TOKEN", "value": "x"}), "sidegate has API_TOKEN in the manifest",
    ),
    "token": (lambda d: _pod(d).pop("automountServiceAccountToken"), "the pod gets a token that nothing needs"),
    "network": (lambda d: _pod(d).update(hostNetwork=True), "the pod shares hostNetwork with its node"),
    "folder": (
        lambda d: _pod(d)["volumes"].append({"name": "x", "hostPath": {"path": "/"}}),
        "the volume x is a folder of the node",
    ),
    "spread": (
        lambda d: d["metadata"]["labels"].update({"app.kubernetes.io/part-of": "sidegate"}),
        "replicas may all be on one node",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def deployment(team: Path) -> Object:
    return one(render(team), "Deployment")


@pytest.mark.parametrize("case", SPOILED)
def test_the_rules_see_it(case: str, deployment: Object, judge: Judge) -> None:
    spoil, said = SPOILED[case]
    spoiled = deepcopy(deployment)
    spoil(spoiled)
    assert judge.denials(spoiled) == [said]


def _role(**rule: list[str]) -> Object:
    return {"kind": "ClusterRole", "metadata": {"name": "shop"}, "rules": [{"verbs": ["list"], "resources": []} | rule]}


OBJECTS: dict[str, tuple[Object, str]] = {
    "changes": (_role(verbs=["list", "patch"]), "shop may patch"),
    "everything": (_role(verbs=["*"]), "shop may *"),
    "secrets": (_role(resources=["secrets", "configmaps"]), "shop may see secrets"),
    "admin": (
        {"kind": "ClusterRoleBinding", "metadata": {"name": "shop"}, "roleRef": {"name": "cluster-admin"}},
        "shop binds cluster-admin",
    ),
    "a secret": ({"kind": "Secret", "metadata": {"name": "s"}}, "a Secret is in the manifests: s"),
}


@pytest.mark.parametrize("case", OBJECTS)
def test_the_rules_see_who_may_what(case: str, judge: Judge) -> None:
    spoiled, said = OBJECTS[case]
    assert judge.denials(spoiled) == [said]
