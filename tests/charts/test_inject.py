"""`sidegate inject` gives the same pod as the library chart; everything else of the manifests stays as it was."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.charts.rendering import EXAMPLES, Object, objects, one, render
from tests.charts.test_sidecar import (
    CASES,
    HEARD,
    ODD,
    SECRETS,
    UNHEARD,
    changed,
    held,
    mounted,
    odd,
    probed,
    with_workload,
)
from xds.cli import main

CATALOG = EXAMPLES / "catalog"
Inject = Callable[..., str]


@pytest.fixture
def inject(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inject:
    def injected(text: str, *flags: str, code: int = 0) -> str:
        monkeypatch.setattr("sys.stdin", io.StringIO(text))
        assert main(["inject", *flags]) == code
        said = capsys.readouterr()
        return said.err if code else said.out

    return injected


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The catalog's Deployment as its team wrote it."""
    chart = tmp_path_factory.mktemp("bare") / "catalog"
    shutil.copytree(CATALOG, chart)
    template = chart / "templates" / "deployment.yaml"
    defined, _, _ = template.read_text().rpartition("{{ include")
    template.write_text(defined + '{{ include "catalog.deployment" . }}')
    (deployment,) = [each for each in render(chart) if each["kind"] == "Deployment"]
    return yaml.safe_dump(deployment)


def values_file(folder: Path, values: dict[str, Any]) -> str:
    """The values that the catalog's chart has, with `values` over them."""
    own = yaml.safe_load((CATALOG / "values.yaml").read_text())["sidegate"]
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump({"sidegate": {"service": "catalog"} | own | values}))
    return str(file)


@pytest.mark.parametrize("case", CASES)
def test_the_pod_is_the_charts(case: str, bare: str, inject: Inject, tmp_path: Path) -> None:
    flags = ["--values", values_file(tmp_path, CASES[case])]
    if CASES[case].get("sources", {}).get("folder") != "":
        flags += ["--sources", str(CATALOG / "sidegate")]
    made = objects(inject(bare, *flags))
    from_chart = render(CATALOG, {"sidegate": CASES[case]})
    wanted = [each for each in from_chart if each["kind"] in ("Deployment", "ConfigMap")]
    assert made == wanted


def test_every_file_is_kept_as_by_the_chart(bare: str, team: Path, inject: Inject, tmp_path: Path) -> None:
    chart = odd(team, tmp_path)
    flags = ["--values", values_file(tmp_path, {}), "--sources", str(chart / "sidegate")]
    made = one(objects(inject(bare, *flags)), "ConfigMap")
    assert made == one(render(chart), "ConfigMap")
    assert ODD.items() <= held(made).items()


@pytest.mark.parametrize("case", SECRETS)
def test_secrets_are_refused_or_left_out_as_by_the_chart(
    case: str, bare: str, team: Path, inject: Inject, tmp_path: Path
) -> None:
    files, said = SECRETS[case]
    chart = changed(team, tmp_path, files)
    sources = ["--sources", str(chart / "sidegate")]
    assert said in inject(bare, "--values", values_file(tmp_path, {}), *sources, code=3)
    made = objects(inject(bare, "--values", values_file(tmp_path, mounted(files)), *sources))
    assert made == [m for m in render(chart, {"sidegate": mounted(files)}) if m["kind"] in ("Deployment", "ConfigMap")]


@pytest.mark.parametrize("case", CASES)
def test_twice_is_once(case: str, bare: str, inject: Inject, tmp_path: Path) -> None:
    flags = ["--values", values_file(tmp_path, CASES[case])]
    if CASES[case].get("sources", {}).get("folder") != "":
        flags += ["--sources", str(CATALOG / "sidegate")]
    once = inject(bare, *flags)
    assert inject(once, *flags) == once


def test_other_values_replace_those_before(bare: str, inject: Inject, tmp_path: Path) -> None:
    flags = ["--values", values_file(tmp_path, {}), "--sources", str(CATALOG / "sidegate")]
    classic = ["--set", "containers=classic", "--set", "ports.management=9999"]
    assert objects(inject(inject(bare, *flags), *flags, *classic)) == objects(inject(bare, *flags, *classic))


PROBED = {
    "containers": [
        {
            "name": "app",
            "image": "app",
            "ports": [{"name": "web", "containerPort": 9001}],
            "readinessProbe": {"httpGet": {"path": "/probe/9001/x", "port": 9001}},
            "livenessProbe": {"httpGet": {"port": "web"}},
            "startupProbe": {"httpGet": {"path": "/probe/7/y", "port": 7}},
        }
    ]
}


@pytest.mark.parametrize("rewrite", ["true", "false"])
def test_a_path_that_looks_rewritten_is_the_apps_own(rewrite: str, inject: Inject) -> None:
    """Each run begins with what the team wrote."""
    flags = ("--set", "sources.configMaps=[pack]", "--set", "app.port=9001", "--set", f"app.rewriteProbes={rewrite}")
    once = inject(workload("Pod", {"metadata": {}, "spec": PROBED}), *flags)
    assert inject(once, *flags) == once
    (made,) = objects(inject(once, *flags[:4], "--set", "app.rewriteProbes=false"))
    (app,) = made["spec"]["containers"]
    assert app == PROBED["containers"][0]


@pytest.mark.parametrize("empty", ["[]", "null", "~", ""])
def test_twice_is_once_where_lists_are_empty(empty: str, inject: Inject) -> None:
    """Byte for byte: what is empty keeps no place that the next run would not find."""
    text = (
        "kind: Pod\nmetadata: {name: one}\nspec:\n"
        f"  initContainers: {empty}\n  volumes: {empty}\n  containers: [{{name: app}}]\n  nodeName: a\n"
    )
    once = inject(text, "--set", "sources.configMaps=[pack]")
    assert inject(once, "--set", "sources.configMaps=[pack]") == once


def test_an_empty_list_is_left_out_as_by_the_chart(team: Path, inject: Inject, tmp_path: Path) -> None:
    spec = {"containers": [{"name": "a", "image": "a"}], "initContainers": [], "volumes": []}
    written = workload("Pod", {"metadata": {}, "spec": spec})
    chart = with_workload(team, tmp_path, written)
    flags = ("--values", values_file(tmp_path, {"containers": "classic"}), "--sources", str(chart / "sidegate"))
    (made, _) = objects(inject(written, *flags))
    assert "initContainers" not in made["spec"]
    assert one(render(chart, {"sidegate": {"containers": "classic"}}), "Pod", "one") == made


@pytest.mark.parametrize(
    "value", ["1e3", "y", "N", "0o17", "1:30", "1_000", "-.5", "+12e03", ".5", "no", "0x1f", "text"]
)
def test_texts_are_texts_for_kubernetes_too(value: str, inject: Inject, tmp_path: Path) -> None:
    """What go-yaml reads as numbers and booleans, PyYAML would write bare."""
    file = tmp_path / "values.yaml"
    file.write_text(json.dumps({"sources": {"configMaps": ["pack"]}, "env": [{"name": "A", "value": value}]}))
    made = inject(workload("Pod"), "--values", str(file))
    bare = value == "text"
    assert made.count(f"value: {value if bare else repr(value)}\n") == 2


def test_what_an_earlier_run_set_can_be_set_otherwise(inject: Inject) -> None:
    flags = ("--set", "sources.configMaps=[pack]", "--set", "automountServiceAccountToken=true")
    text = workload("Deployment")
    assert inject(inject(text, *flags[:2]), *flags) == inject(text, *flags)


def test_what_was_changed_after_a_run_stays(inject: Inject) -> None:
    flags = ("--set", "sources.configMaps=[pack]", "--set", "app.port=9001")
    (made,) = objects(inject(workload("Pod", {"metadata": {}, "spec": PROBED}), *flags))
    spec = made["spec"]
    spec["automountServiceAccountToken"] = True
    spec["terminationGracePeriodSeconds"] = 300
    spec["volumes"].append({"name": "sidegate-mine", "emptyDir": {}})
    spec["containers"][0]["volumeMounts"] = [{"name": "sidegate-mine", "mountPath": "/mine"}]
    spec["containers"][0]["startupProbe"] = {"httpGet": {"path": "/started", "port": 7}}
    (again,) = objects(inject(yaml.safe_dump(made), *flags))
    names = [each["name"] for each in again["spec"]["volumes"]]
    assert names.count("sidegate-mine") == 1
    assert len(names) == len(set(names)) == len(spec["volumes"])
    assert again["spec"] | {"volumes": None} == spec | {"volumes": None}


TRICKY = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: other, labels: {day: 2024-01-01, mode: 0644, no: "no", yes: yes}}
data:
  at: 1:30
---
kind: Pod
apiVersion: v1
metadata:
  name: one
  annotations: {when: 2024-01-01T00:00:00Z, big: 1e3}
spec:
  containers:
  - {name: app, image: app, env: [{name: A, value: "0644"}, {name: B, value: 'no'}], resources: {limits: {cpu: 0.5}}}
  volumes:
  - {name: data, configMap: {name: other, defaultMode: 0644}}
"""


def test_what_nobody_touches_keeps_its_spelling(inject: Inject) -> None:
    made = inject(TRICKY, "--set", "sources.configMaps=[pack]")
    for spelled in ("day: 2024-01-01", "at: 1:30", "mode: 0644", 'no: "no"', "yes: yes", "big: 1e3", "cpu: 0.5"):
        assert spelled in made
    assert "when: 2024-01-01T00:00:00Z" in made
    assert 'value: "0644"' in made
    assert "value: 'no'" in made
    assert [each["kind"] for each in objects(made)] == ["ConfigMap", "Pod"]


TEMPLATE: Object = {"metadata": {}, "spec": {"containers": [{"name": "app", "image": "app"}]}}


def workload(kind: str, template: Object | None = None) -> str:
    """A workload with that pod template."""
    template = template or TEMPLATE
    inner: Object = {"spec": {"template": template}}
    if kind == "CronJob":
        inner = {"spec": {"jobTemplate": inner}}
    elif kind == "Pod":
        inner = template
    return yaml.safe_dump({"apiVersion": "apps/v1", "kind": kind} | inner | {"metadata": {"name": "one"}})


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod"])
def test_every_kind_of_workload(kind: str, inject: Inject) -> None:
    (made,) = objects(inject(workload(kind), "--set", "sources.configMaps=[pack]"))
    text = yaml.safe_dump(made)
    assert text.count("name: sidegate-envoy\n") == 1
    assert text.count("restartPolicy: Always") == 2
    assert made["kind"] == kind


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod"])
def test_every_kind_is_the_charts(kind: str, team: Path, inject: Inject, tmp_path: Path) -> None:
    app = {"name": "app", "image": "app", "ports": [{"name": "web", "containerPort": 9001}]}
    app["livenessProbe"] = {"httpGet": {"port": "web"}, "periodSeconds": 9}
    app["startupProbe"] = {"exec": {"command": ["true"]}}
    first = {"name": "first", "image": "first", "command": ["true"]}
    data = {"name": "data", "emptyDir": {}}
    app["lifecycle"] = {"preStop": {"sleep": {"seconds": 15}}}
    spec = {"containers": [app], "initContainers": [first], "volumes": [data], "automountServiceAccountToken": True}
    spec["terminationGracePeriodSeconds"] = 40
    text = workload(kind, {"metadata": {"annotations": {"own": "1"}}, "spec": spec})
    chart = with_workload(team, tmp_path, text)
    wanted = [each for each in render(chart) if each["metadata"]["name"] in ("one", "one-sidegate")]
    flags = ["--values", values_file(tmp_path, {}), "--sources", str(team / "sidegate")]
    assert objects(inject(text, *flags)) == wanted


def test_lists_and_several_workloads(inject: Inject) -> None:
    both = {"kind": "List", "items": [yaml.safe_load(workload("Deployment")), yaml.safe_load(workload("Job"))]}
    made = objects(inject(yaml.safe_dump(both), "--set", "sources.configMaps=[pack]"))
    assert [each["kind"] for each in made] == ["Deployment", "Job"]


@pytest.mark.parametrize("depth", [1, 2])
def test_lists_of_lists(depth: int, inject: Inject) -> None:
    """And the API's own lists, whose objects do not say what they are."""
    one = yaml.safe_load(workload("Deployment"))
    one = {key: value for key, value in one.items() if key not in ("kind", "apiVersion")}
    found: Object = {"apiVersion": "apps/v1", "kind": "DeploymentList", "items": [one]}
    for _ in range(depth):
        found = {"kind": "List", "items": [found]}
    (made,) = objects(inject(yaml.safe_dump(found), *PACK))
    assert (made["apiVersion"], made["kind"]) == ("apps/v1", "Deployment")
    assert "sidegate.io/injected" in made["spec"]["template"]["metadata"]["annotations"]


def test_hooks_are_left_alone(inject: Inject) -> None:
    hook = yaml.safe_load(workload("Pod"))
    hook["metadata"]["annotations"] = {"helm.sh/hook": "test"}
    both = yaml.safe_dump(hook) + "---\n" + workload("Deployment")
    assert objects(inject(both, *PACK))[0] == hook
    assert "no workload" in inject(yaml.safe_dump(hook), *PACK, code=3)


def test_an_equals_sign_is_text(inject: Inject) -> None:
    text = "kind: Pod\nmetadata: {name: one}\nspec: {containers: [{name: app, args: [=, a]}]}\n"
    assert "args: [=, a]" in inject(text, *PACK)


def test_a_config_map_of_that_name_is_not_doubled(inject: Inject, tmp_path: Path) -> None:
    (tmp_path / "sidegate.yaml").write_text("services: {}\n")
    theirs = "kind: ConfigMap\nmetadata: {name: one-sidegate}\n---\n"
    said = inject(theirs + workload("Deployment"), "--sources", str(tmp_path), code=3)
    assert "ConfigMap one-sidegate already" in said


def test_a_pod_that_says_no_is_left_alone(inject: Inject) -> None:
    text = workload("Deployment", {**TEMPLATE, "metadata": {"annotations": {"sidegate.io/inject": "false"}}})
    assert objects(inject(text, "--set", "sources.configMaps=[pack]")) == objects(text)


PACK = ("--set", "sources.configMaps=[pack]")
OWN = {"name": "sidegate-envoy", "image": "x"}
REFUSED: dict[str, tuple[str, tuple[str, ...], int, str]] = {
    "no sources": (workload("Deployment"), (), 3, "Deployment one: no sources"),
    "packs beside an image": (
        workload("Pod"), (*PACK, "--set", "sources.image=shop/contracts:1"), 3, "sources.image holds all sources",
    ),
    "no workload": ("kind: Service\n", PACK, 3, "no workload"),
    "nothing": ("", PACK, 3, "no workload"),
    "no yaml": ("a: [", PACK, 3, "no YAML"),
    "no pod": ("kind: Job\nmetadata: {name: one}\n", PACK, 3, "no spec.template"),
    "no containers": ("kind: Pod\nmetadata: {name: one}\nspec: {}\n", PACK, 3, "no containers"),
    "no name": ("kind: Pod\nspec: {containers: [{name: a}]}\n", PACK, 3, "no name"),
    "classic job": (workload("Job"), (*PACK, "--set", "containers=classic"), 3, "would never end"),
    "host network": (
        workload("Pod", {"spec": {**TEMPLATE["spec"], "hostNetwork": True}}), PACK, 3, "hostNetwork",
    ),
    "a container of that name": (workload("Pod", {"spec": {"containers": [OWN]}}), PACK, 3, "sidegate-envoy already"),
    "a volume of that name": (
        workload("Pod", {"spec": {**TEMPLATE["spec"], "volumes": [{"name": "sidegate-run"}]}}), PACK, 3, "sidegate-run",
    ),
    "a port that is taken": (
        workload("Pod", {"spec": {"containers": [{"name": "a", "ports": [{"containerPort": 9180}]}]}}),
        PACK, 3, "port 9180 is the sidecar's",
    ),
    "a container without a name": ("kind: Pod\nmetadata: {name: one}\nspec: {containers: [{image: a}]}", PACK, 3, "no name"),
    "a container that is none": (
        "kind: Pod\nmetadata: {name: one}\nspec: {containers: [a]}", PACK, 3, "containers are no list of mappings",
    ),
    "ports that are no list": (
        "kind: Pod\nmetadata: {name: one}\nspec: {containers: [{name: a, ports: {b: 1}}]}", PACK, 3, "ports are no list",
    ),
    "a port that is taken, as a text": (
        workload("Pod", {"spec": {"containers": [{"name": "a", "ports": [{"containerPort": "9180"}]}]}}),
        PACK, 3, "port 9180 is the sidecar's",
    ),
    "no number": ("kind: Pod\nmetadata: {name: one}\nspec: {containers: [{name: a, x: !!int y}]}", PACK, 3, "no YAML"),
    "a label that is no service": (
        "kind: Pod\nmetadata: {name: one, labels: {app.kubernetes.io/name: 9 x}}\nspec: {containers: [{name: a}]}",
        PACK, 3, "'9 x' is no name of a service",
    ),
    "the sidecar's own variable": (workload("Pod"), (*PACK, "--set", "env=[{name: SIDEGATE_NODE}]"), 3, "SIDEGATE_NODE"),
    "an end too soon": (
        workload("Pod", {"spec": {**TEMPLATE["spec"], "terminationGracePeriodSeconds": 30}}),
        (*PACK, "--set", "drainSeconds=11"), 3, "take 31",
    ),
    "not what a run wrote": (
        workload("Job", {**TEMPLATE, "metadata": {"annotations": {"sidegate.io/injected": "1", "sidegate.io/replaced": "[]"}}}),
        PACK, 3, "sidegate.io/replaced",
    ),
    "app on the sidecar's port": (workload("Pod"), (*PACK, "--set", "app.port=8080"), 3, "both 8080"),
    "ports that are the same": (workload("Pod"), (*PACK, "--set", "ports.ready=9180"), 3, "have to differ"),
    "central without a secret": (workload("Pod"), (*PACK, "--set", "control=central"), 3, "central.secret"),
    "unknown value": (workload("Pod"), (*PACK, "--set", "prot=1"), 2, "prot"),
    "unknown inner value": (workload("Pod"), (*PACK, "--set", "app.prot=1"), 2, "app: "),
    "wrong value": (workload("Pod"), (*PACK, "--set", "port=80"), 2, "port: "),
    "null": (workload("Pod"), (*PACK, "--set", "port=null"), 2, '"port" is a required property'),
    "no folder": (workload("Pod"), ("--sources", "/nowhere"), 3, "/nowhere"),
    "no values": (workload("Pod"), ("--values", "/nowhere"), 3, "/nowhere"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_done_is_told(case: str, inject: Inject) -> None:
    text, flags, code, said = REFUSED[case]
    assert said in inject(text, *flags, code=code)


def test_too_much_for_a_config_map(inject: Inject, tmp_path: Path) -> None:
    (tmp_path / "large.yaml").write_text("x" * 1_048_576)
    said = inject(workload("Pod"), "--sources", str(tmp_path), code=3)
    assert "1048586 bytes" in said
    assert "sources.image" in said


@pytest.mark.parametrize(
    "text",
    [
        "{metadata: {name: one, labels: [a]}, spec: {containers: [{name: a}]}}",
        "{metadata: {name: one, annotations: a}, spec: {containers: [{name: a, lifecycle: 1}]}}",
        "{metadata: {name: one}, spec: {containers: [{name: a, lifecycle: {preStop: {sleep: {seconds: x}}}}]}}",
        "{metadata: {name: one}, spec: {containers: [{name: a, readinessProbe: {httpGet: []}}]}}",
        "{metadata: {name: one}, spec: {containers: [{name: a}], terminationGracePeriodSeconds: []}}",
    ],
)
def test_what_is_odd_is_for_the_api_to_refuse(text: str, inject: Inject, tmp_path: Path) -> None:
    (tmp_path / "sidegate.yaml").write_text("services: {}\n")
    assert "sidegate-envoy" in inject(text.replace("{metadata", "{kind: Pod, metadata", 1), "--sources", str(tmp_path))


@pytest.mark.parametrize("case", UNHEARD)
def test_what_the_app_would_not_hear_is_refused(case: str, inject: Inject) -> None:
    flags = (*PACK, "--set", "app.port=9001")
    said = inject(probed(UNHEARD[case]), *flags, code=3)
    assert "where the kubelet is not heard" in said
    assert "sidegate-envoy" in inject(probed(UNHEARD[case]), *flags, "--set", "app.rewriteProbes=false")
    redirected = inject(probed(UNHEARD[case]), *flags, "--set", "traffic=redirect", code=0 if "tcp" in case else 3)
    assert ("sidegate-envoy" in redirected) == ("tcp" in case)


@pytest.mark.parametrize("case", HEARD)
def test_what_is_heard_is_not_refused(case: str, team: Path, inject: Inject, tmp_path: Path) -> None:
    chart = with_workload(team, tmp_path, probed(HEARD[case]))
    flags = ("--values", values_file(tmp_path, {}), "--sources", str(chart / "sidegate"))
    (wanted,) = [m for m in render(chart) if m["kind"] == "Pod" and m["metadata"]["name"] == "one"]
    assert objects(inject(probed(HEARD[case]), *flags))[0] == wanted


def test_a_port_without_a_number_is_for_the_api_to_refuse(inject: Inject) -> None:
    text = workload("Pod", {"spec": {"containers": [{"name": "a", "ports": [{"name": "web"}]}]}})
    assert "sidegate-envoy" in inject(text, *PACK)


def test_two_files_of_one_key(inject: Inject, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_text("")
    (tmp_path / "a_b").write_text("")
    assert "a/b and a_b would be one key" in inject(workload("Pod"), "--sources", str(tmp_path), code=3)
