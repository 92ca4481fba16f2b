"""The shared control plane's chart: what it makes of the main values, and what it refuses."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.charts.judging import Judge
from tests.charts.rendering import ROOT, Object, Refused, notes, one, render
from tests.charts.test_sidecar import GOLDEN, VERSIONS, commands_of, dumped
from xds.cli import parser
from xds.settings import SECTIONS

CHART = ROOT / "helm" / "sidegate"
SECRET: dict[str, Any] = {"xds": {"secret": "sidegate-xds"}}

CASES: dict[str, dict[str, Any]] = {
    "plain": SECRET,
    "namespaces": {
        "xds": {"secret": "gateway-xds"},
        "fullname": "gateway",
        "user": None,
        "sources": {"kubernetes": {"namespaces": ["shop", "billing"]}},
        "networkPolicy": {"enabled": False},
    },
    "everything": {
        "xds": SECRET["xds"] | {"certManager": {"enabled": True, "issuer": {"name": "inside"}}},
        "image": {"repository": "registry.test/sidegate", "digest": "sha256:" + "0" * 64},
        "imagePullSecrets": [{"name": "registry"}],
        "controlPlane": {"replicas": 3, "minAvailable": "50%", "environment": "prod"},
        "sources": {
            "settings": {"security": {"bearer": {"issuer": "https://issuer.test", "audiences": ["shop"]}}},
            "files": {"policies/platform/claims.rego": "package platform.claims\n"},
            "secrets": [{"name": "consumers", "items": [{"key": "keys.yaml", "path": "keys/consumers.yaml"}]}],
        },
        "edge": {
            "enabled": True,
            "secret": "sidegate-edge",
            "service": {"type": "LoadBalancer", "annotations": {"a": "b"}},
        },
        "opa": {"enabled": True, "configMaps": ["authz"], "config": {"decision_logs": {"console": True}}},
        "rateLimit": {"enabled": True, "secret": "sidegate-ratelimit", "onFailure": "closed"},
        "telemetry": {"endpoint": "http://collector.observability:4318"},
        "monitoring": {"enabled": True, "labels": {"release": "prometheus"}},
        "dashboards": {"enabled": True, "annotations": {"folder": "Gateways"}},
        "networkPolicy": {"metricsFrom": [{"namespaceSelector": {"matchLabels": {"team": "observability"}}}]},
        "serviceAccount": {"annotations": {"a": "b"}},
        "pods": {"labels": {"team": "platform"}, "annotations": {"a": "b"}, "tolerations": [{"operator": "Exists"}]},
        "test": {"requests": ["GET /shop/v1/items 200", "GET /shop/v1/nothing 404"]},
    },
    "limits": {
        "xds": SECRET["xds"],
        "rateLimit": {
            "enabled": True,
            "secret": "sidegate-ratelimit",
            "store": {"address": "valkey.data:6379", "authSecret": "valkey"},
        },
        "sources": {"kubernetes": {"enabled": False}},
    },
}
FOREIGN = {"Certificate", "ServiceMonitor", "PodMonitor", "PrometheusRule"}
"""Of operators, whose schemas are not Kubernetes'."""


@pytest.fixture(scope="module")
def rendered() -> dict[str, list[Object]]:
    return {name: render(CHART, values, "sidegate") for name, values in CASES.items()}


@pytest.mark.parametrize("case", CASES)
def test_manifests_are_as_they_were_reviewed(case: str, rendered: dict[str, list[Object]]) -> None:
    text = "---\n".join(map(dumped, rendered[case]))
    file = GOLDEN / f"sidegate-{case}.yaml"
    if os.environ.get("SIDEGATE_UPDATE_GOLDEN"):
        file.write_text(text)
    assert text == file.read_text()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("case", CASES)
def test_kubernetes_takes_the_manifests(case: str, version: str, rendered: dict[str, list[Object]]) -> None:
    for each in rendered[case]:
        if each["kind"] not in FOREIGN:
            kubernetes_validate.validate(each, version, strict=True)


@pytest.mark.parametrize("case", CASES)
def test_our_own_rules(case: str, rendered: dict[str, list[Object]], judge: Judge) -> None:
    assert judge.all(rendered[case]) == []


@pytest.mark.parametrize("case", CASES)
def test_the_commands_are_those_of_the_image(case: str, rendered: dict[str, list[Object]]) -> None:
    for words in commands_of(rendered[case]):
        assert parser(words).parse_args(words).verb == words[0]


def test_objects_are_selected_by_nobody_elses_labels(rendered: dict[str, list[Object]]) -> None:
    """Every Service, budget and policy picks exactly one workload of the chart."""
    found = rendered["everything"]
    workloads = [each for each in found if each["kind"] == "Deployment"]
    for each in found:
        selector = each.get("spec", {}).get("selector" if each["kind"] != "NetworkPolicy" else "podSelector")
        if selector is None or each["kind"] in FOREIGN:
            continue
        wanted = selector.get("matchLabels", selector).items()
        picked = [d for d in workloads if wanted <= d["spec"]["template"]["metadata"]["labels"].items()]
        assert len(picked) == 1, each["metadata"]["name"]


def test_settings_name_what_the_chart_runs(rendered: dict[str, list[Object]]) -> None:
    settings = yaml.safe_load(one(rendered["everything"], "ConfigMap", "-sources")["data"]["sidegate.yaml"])
    assert settings["opa"] == {"url": "http://sidegate-opa.prod.svc:8181"}
    assert settings["rateLimit"] == {"service": "sidegate-ratelimit.prod.svc:8081", "onFailure": "closed"}
    assert settings["security"]["bearer"]["issuer"] == "https://issuer.test"


def test_certificates_are_of_the_names_by_which_nodes_are_known(rendered: dict[str, list[Object]]) -> None:
    made = {
        each["spec"]["secretName"]: each["spec"]["dnsNames"]
        for each in rendered["everything"]
        if each["kind"] == "Certificate"
    }
    assert made == {
        "sidegate-xds": ["sidegate-xds.prod.svc"],
        "sidegate-edge": ["edge.prod.svc"],
        "sidegate-ratelimit": ["ratelimit.prod.svc"],
    }


def test_ones_own_settings_win() -> None:
    values = CASES["everything"] | {"sources": {"settings": {"opa": {"url": "http://elsewhere:8181"}}}}
    settings = yaml.safe_load(one(render(CHART, values, "sidegate"), "ConfigMap", "-sources")["data"]["sidegate.yaml"])
    assert settings["opa"] == {"url": "http://elsewhere:8181"}


def test_it_may_read_config_maps_where_it_was_told_and_nothing_else(rendered: dict[str, list[Object]]) -> None:
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list", "watch"]}]
    roles = [each for each in rendered["namespaces"] if each["kind"] in ("Role", "ClusterRole")]
    assert [(each["kind"], each["metadata"]["namespace"], each["rules"]) for each in roles] == [
        ("Role", "shop", rules),
        ("Role", "billing", rules),
    ]
    assert one(rendered["plain"], "ClusterRole")["rules"] == rules
    assert not [each for each in rendered["limits"] if "Role" in each["kind"]]


def test_the_settings_schema_knows_every_section() -> None:
    with pytest.raises(Refused, match="elsewhere"):
        render(CHART, SECRET | {"sources": {"settings": {"elsewhere": 1}}})
    known = {name: {} for name in SECTIONS if name != "dev"}
    assert render(CHART, SECRET | {"sources": {"settings": known}})


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no secret": ({}, "xds.secret names no Secret"),
    "an edge without a secret": (SECRET | {"edge": {"enabled": True}}, "edge.secret"),
    "limits without a secret": (SECRET | {"rateLimit": {"enabled": True}}, "rateLimit.secret"),
    "no issuer": ({"xds": {"secret": "x", "certManager": {"enabled": True}}}, "issuer.name"),
    "more than most": (SECRET | {"edge": {"replicas": {"min": 3, "max": 2}}}, "edge.replicas.min"),
    "the chart's own variable": (
        SECRET | {"controlPlane": {"env": [{"name": "SIDEGATE_OWN_NAMESPACE", "value": "x"}]}},
        "OWN_NAMESPACE is the chart's",
    ),
    "the endpoint twice": (
        SECRET
        | {"telemetry": {"endpoint": "http://a"}, "controlPlane": {"env": [{"name": "OTEL_EXPORTER_OTLP_ENDPOINT"}]}},
        "ENDPOINT is the chart's own",
    ),
    "one that may never go": (
        SECRET | {"controlPlane": {"replicas": 1}},
        "controlPlane.minAvailable (1) of 1 replicas",
    ),
    "half of one, rounded up": (
        SECRET | {"controlPlane": {"replicas": 1, "minAvailable": "50%"}},
        "controlPlane.minAvailable (50%) of 1",
    ),
    "all of them": (
        SECRET | {"controlPlane": {"replicas": 3, "minAvailable": "70%"}},
        "(70%) of 3 replicas lets no pod",
    ),
    "an edge that may never go": (
        SECRET | {"edge": {"enabled": True, "secret": "e", "replicas": {"min": 1}}},
        "edge.minAvailable (1) of 1 replicas",
    ),
    "no allowed request": (SECRET | {"test": {"requests": ["GET /a 404", "GET /b 401"]}}, "an allowed (below 400)"),
    "an unknown value": (SECRET | {"repliccas": 1}, "additional properties 'repliccas' not allowed"),
    "an unknown inner value": (SECRET | {"edge": {"enable": True}}, "additional properties 'enable' not allowed"),
    "no replica": (SECRET | {"controlPlane": {"replicas": 0}}, "/controlPlane/replicas"),
    "null": (SECRET | {"controlPlane": {"replicas": None}}, "missing property 'replicas'"),
    "settings as a file": (SECRET | {"sources": {"files": {"sidegate.yaml": "a"}}}, "sources.settings"),
    "a path out of the folder": (SECRET | {"sources": {"files": {"../x": "a"}}}, "../x"),
    "a file that is no text": (SECRET | {"sources": {"files": {"a.pb": "a\x7f"}}}, "a.pb is no plain text"),
    "two files of one key": (SECRET | {"sources": {"files": {"a/b": "", "a_b": ""}}}, "would be one key"),
    "too much": (SECRET | {"sources": {"files": {"a": "x" * 1_048_576}}}, "a ConfigMap holds 1048576"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_wrong_values_are_refused(case: str) -> None:
    values, said = REFUSED[case]
    with pytest.raises(Refused) as refusal:
        render(CHART, values)
    assert said in str(refusal.value)


def test_the_notes_say_what_to_do_next() -> None:
    said = notes(CHART, SECRET, "sidegate")
    assert "address: sidegate-xds.prod.svc:9902" in said
    assert "helm test sidegate --namespace prod" in said
    edge = SECRET | {"edge": {"enabled": True, "secret": "e"}}
    assert "does not ask the edge" in notes(CHART, edge, "sidegate")
    assert "does not ask the edge" not in notes(CHART, edge | {"test": {"requests": ["GET /a 200", "GET /b 404"]}})


@pytest.mark.parametrize(("replicas", "left"), [(1, 0), (1, "0%"), (3, "66%"), (3, 2)])
def test_one_pod_at_the_least_may_go(replicas: int, left: int | str) -> None:
    values = SECRET | {"controlPlane": {"replicas": replicas, "minAvailable": left}}
    assert one(render(CHART, values, "sidegate"), "PodDisruptionBudget")["spec"]["minAvailable"] == left


def test_the_sidecars_default_is_this_chart_in_its_own_namespace(team: Path) -> None:
    """What the library chart says without being told is what this chart makes, installed as its README says."""
    values = yaml.safe_load((ROOT / "helm" / "sidegate-sidecar" / "values.yaml").read_text())
    name, _, port = values["central"]["address"].partition(":")
    service = one(render(CHART, SECRET, "sidegate"), "Service", "-xds")
    assert name == f"{service['metadata']['name']}.sidegate.svc"
    assert int(port) == service["spec"]["ports"][0]["port"]
