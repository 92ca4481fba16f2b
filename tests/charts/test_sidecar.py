"""The library chart in a team's chart: what it makes of the workload, and what it refuses."""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.charts.rendering import EXAMPLES, Object, Refused, notes, one, render
from xds.cli import parser
from xds.packs.packing import MAX_RELEASED

GOLDEN = Path(__file__).parent / "golden"
VERSIONS = ("1.29", "1.31", "1.33", "1.34", "1.37")
CATALOG = EXAMPLES / "catalog"

CASES: dict[str, dict[str, Any]] = {
    "pod": {},
    "classic": {"containers": "classic"},
    "central": {"control": "central", "central": {"secret": "catalog-xds"}},
    "redirect": {"traffic": "redirect"},
    "packs": {"sources": {"folder": "", "configMaps": ["catalog-pack", "platform"]}},
    "image": {"sources": {"folder": "", "image": "shop/contracts:1"}},
    "settings": {
        "service": "catalog",
        "port": 8443,
        "user": None,
        "automountServiceAccountToken": True,
        "environment": "prod",
        "image": {"repository": "registry.test/sidegate", "digest": "sha256:" + "0" * 64, "pullPolicy": "Always"},
        "env": [{"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "http://collector:4318"}],
        "test": {"enabled": False},
    },
}


@pytest.fixture(scope="module")
def rendered(team: Path) -> dict[str, list[Object]]:
    return {name: render(team, {"sidegate": values}) for name, values in CASES.items()}


@pytest.mark.parametrize("case", CASES)
def test_manifests_are_as_they_were_reviewed(case: str, rendered: dict[str, list[Object]]) -> None:
    text = "---\n".join(dumped(each) for each in rendered[case] if each["kind"] != "Service")
    file = GOLDEN / f"sidecar-{case}.yaml"
    if os.environ.get("SIDEGATE_UPDATE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    assert text == file.read_text()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("case", CASES)
def test_kubernetes_takes_the_manifests(case: str, version: str, rendered: dict[str, list[Object]]) -> None:
    for each in rendered[case]:
        kubernetes_validate.validate(_without_news(each, version), version, strict=True)


def test_the_sources_are_the_files_of_the_chart() -> None:
    found = render(CATALOG)
    (made,) = [each for each in found if each["kind"] == "ConfigMap"]
    spec = _pod(found)
    items = spec["volumes"][0]["projected"]["sources"][0]["configMap"]["items"]
    assert {item["path"]: made["data"][item["key"]] for item in items} == dict(_texts(CATALOG / "sidegate"))


def _texts(folder: Path) -> Iterator[tuple[str, str]]:
    for root, _, names in os.walk(folder, followlinks=True):
        for name in names:
            path = Path(root, name)
            yield path.relative_to(folder).as_posix(), path.read_text()


def _pod(found: list[Object]) -> Any:
    (deployment,) = [each for each in found if each["kind"] == "Deployment"]
    return deployment["spec"]["template"]["spec"]


def _without_news(each: Object, version: str) -> Object:
    """Image volumes are older than some versions of these; asked of them is the rest."""
    if version < "1.31" and each["kind"] == "Deployment":
        each = deepcopy(each)
        spec = each["spec"]["template"]["spec"]
        spec["volumes"] = [volume for volume in spec["volumes"] if "image" not in volume]
    return each


def dumped(each: Object) -> str:
    """The object, short; of a ConfigMap's data only the keys, since contracts are reviewed elsewhere."""
    shown = {**each, "data": dict.fromkeys(each["data"], "...")} if "data" in each else each
    return yaml.safe_dump(shown, default_flow_style=None, width=118, sort_keys=False)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown value": ({"prot": 1}, "additional properties 'prot' not allowed"),
    "an unknown inner value": ({"app": {"prot": 1}}, "additional properties 'prot' not allowed"),
    "a port of root's": ({"port": 80}, "/port"),
    "a port as a text": ({"port": "8080"}, "/port"),
    "root": ({"user": 0}, "/user"),
    "another kind of control": ({"control": "mesh"}, "/control"),
    "null": ({"port": None}, "missing property 'port'"),
    "a request without a status": ({"test": {"requests": ["GET /"]}}, "/test/requests/0"),
    "no requests to try": (
        {"test": {"requests": []}},
        "test.requests are an allowed (below 400) and a refused request",
    ),
    "no allowed request": ({"test": {"requests": ["GET /a 401", "GET /b 404"]}}, "test.requests are an allowed"),
    "no refused request": ({"test": {"requests": ["GET /a 200", "GET /b 302"]}}, "test.requests are an allowed"),
    "the app on Envoy's port": ({"app": {"port": 8080}}, "app.port and port are both 8080"),
    "probes on Envoy's port": ({"ports": {"ready": 8080}}, "have to differ"),
    "no sources": ({"sources": {"folder": ""}}, "no sources"),
    "a folder that is not there": ({"sources": {"folder": "elsewhere"}}, 'nothing in the chart\'s folder "elsewhere"'),
    "the sidecar's own variable": ({"env": [{"name": "SIDEGATE_NODE"}]}, "SIDEGATE_NODE"),
    "a folder beside an image": ({"sources": {"image": "shop/contracts:1"}}, "sources.image holds all sources"),
    "packs beside an image": (
        {"sources": {"folder": "", "image": "shop/contracts:1", "configMaps": ["a"]}},
        "sources.image holds all sources",
    ),
    "secrets beside an image": (
        {"sources": {"folder": "", "image": "a", "secrets": [{"name": "k", "items": [{"key": "a", "path": "a"}]}]}},
        "sources.image holds all sources",
    ),
    "central without a secret": ({"control": "central"}, "central.secret"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_wrong_values_are_refused(case: str, team: Path) -> None:
    values, said = REFUSED[case]
    with pytest.raises(Refused) as refusal:
        render(team, {"sidegate": values})
    assert said in str(refusal.value)


TEMPLATE_REFUSED = {
    "no object": ("just words", "is no YAML object"),
    "no workload": ("kind: Service\nmetadata: {name: one}", "a Service has no pod"),
    "a job of classic containers": (
        "kind: Job\nmetadata: {name: one}\nspec: {template: {spec: {containers: [{name: a}]}}}", "would never end",
    ),
    "host network": ("kind: Pod\nmetadata: {name: one}\nspec: {hostNetwork: true, containers: [{name: a}]}", "hostNetwork"),
    "its containers already": ("kind: Pod\nmetadata: {name: one}\nspec: {containers: [{name: sidegate}]}", "sidegate already"),
    "its volumes already": (
        "kind: Pod\nmetadata: {name: one}\nspec: {containers: [{name: a}], volumes: [{name: sidegate-run}]}",
        "volume sidegate-run already",
    ),
    "an end too soon": (
        "kind: Pod\nmetadata: {name: one}\nspec: {terminationGracePeriodSeconds: 39, containers: [{name: a}, "
        "{name: b, lifecycle: {preStop: {sleep: {seconds: 15}}}}]}",
        "is 39, and the app's preStop, drainSeconds (5) and 20 seconds for requests under way take 40",
    ),
    "an end at once": (
        "kind: Pod\nmetadata: {name: one}\nspec: {terminationGracePeriodSeconds: 0, containers: [{name: a}]}",
        "terminationGracePeriodSeconds is 0, and the app's preStop",
    ),
    "its ports already": (
        "kind: Pod\nmetadata: {name: one}\nspec: {containers: [{name: a, ports: [{containerPort: 9181}]}]}",
        "port 9181 is the sidecar's",
    ),
}  # fmt: skip


UNHEARD = {
    "tcp": "readinessProbe: {tcpSocket: {port: web}}",
    "grpc": "livenessProbe: {grpc: {port: 9001}}",
    "https": "startupProbe: {httpGet: {port: 9001, scheme: HTTPS}}",
    "a hook": "lifecycle: {preStop: {httpGet: {path: /stop, port: web}}}",
    "a hook by tcp": "lifecycle: {postStart: {tcpSocket: {port: 9001}}}",
}
HEARD = {
    "another port": "readinessProbe: {tcpSocket: {port: 7}}",
    "another host": "readinessProbe: {httpGet: {port: 9001, host: 10.0.0.1}}",
    "exec": "lifecycle: {preStop: {exec: {command: [a]}}}",
    "http": "readinessProbe: {httpGet: {port: web}}",
}


def probed(text: str) -> str:
    """A pod of one container with that."""
    app = "name: a, ports: [{name: web, containerPort: 9001}]"
    return f"apiVersion: v1\nkind: Pod\nmetadata: {{name: one}}\nspec: {{containers: [{{{app}, {text}}}]}}\n"


def with_workload(team: Path, folder: Path, text: str) -> Path:
    """The team's chart with another workload."""
    chart = folder / "catalog"
    shutil.copytree(team, chart)
    defined = '{{ define "catalog.deployment" }}\n' + text + '\n{{ end }}{{ include "sidegate-sidecar.workload" '
    (chart / "templates" / "deployment.yaml").write_text(defined + '(list . "catalog.deployment") }}')
    return chart


@pytest.mark.parametrize("case", UNHEARD)
def test_what_the_app_would_not_hear_is_refused(case: str, team: Path, tmp_path: Path) -> None:
    chart = with_workload(team, tmp_path, probed(UNHEARD[case]))
    with pytest.raises(Refused, match="where the kubelet is not heard"):
        render(chart)
    assert render(chart, {"sidegate": {"app": {"rewriteProbes": False}}})
    if "tcp" in case:
        assert render(chart, {"sidegate": {"traffic": "redirect"}})
    else:
        with pytest.raises(Refused, match="where the kubelet is not heard"):
            render(chart, {"sidegate": {"traffic": "redirect"}})


@pytest.mark.parametrize("case", HEARD)
def test_what_is_heard_is_not_refused(case: str, team: Path, tmp_path: Path) -> None:
    assert render(with_workload(team, tmp_path, probed(HEARD[case])))


@pytest.mark.parametrize("case", TEMPLATE_REFUSED)
def test_workloads_that_cannot_have_a_sidecar(case: str, team: Path, tmp_path: Path) -> None:
    text, said = TEMPLATE_REFUSED[case]
    chart = with_workload(team, tmp_path, text)
    with pytest.raises(Refused) as refusal:
        render(chart, {"sidegate": {"containers": "classic"}})
    assert said in str(refusal.value)


def test_the_tests_pod_runs_where_the_workloads_may(team: Path, tmp_path: Path) -> None:
    placed = {
        "imagePullSecrets": [{"name": "registry"}],
        "nodeSelector": {"pool": "shop"},
        "tolerations": [{"operator": "Exists"}],
    }
    workload = {"kind": "Deployment", "metadata": {"name": "one"}}
    workload |= {"spec": {"template": {"spec": {"containers": [{"name": "a"}], **placed}}}}
    made = one(render(with_workload(team, tmp_path, yaml.safe_dump(workload))), "Pod", "-test")
    assert placed.items() <= made["spec"].items()
    kubernetes_validate.validate(made, VERSIONS[0], strict=True)


def test_a_charts_name_that_is_no_services(team: Path, tmp_path: Path) -> None:
    chart = tmp_path / "catalog"
    shutil.copytree(team, chart)
    about = chart / "Chart.yaml"
    about.write_text(about.read_text().replace("name: catalog", "name: 9catalog"))
    with pytest.raises(Refused, match=r"9catalog.* is no name of a service"):
        render(chart)
    assert render(chart, {"sidegate": {"service": "catalog"}})


def test_a_pod_has_the_time_that_its_end_takes(team: Path) -> None:
    """Set where the team's manifest says nothing: the app's own end, the drain, and requests under way."""
    assert _pod(render(team))["terminationGracePeriodSeconds"] == 50
    assert _pod(render(team, {"sidegate": {"drainSeconds": 600}}))["terminationGracePeriodSeconds"] == 645


def test_too_much_for_a_config_map_is_told_with_the_way_out(team: Path, tmp_path: Path) -> None:
    chart = tmp_path / "catalog"
    shutil.copytree(team, chart)
    (chart / "sidegate" / "large.txt").write_text("x" * 1_048_576)
    with pytest.raises(Refused) as refusal:
        render(chart)
    assert "a ConfigMap holds 1048576" in str(refusal.value)
    assert "sources.image" in str(refusal.value)


def test_more_than_a_release_of_helm_holds_is_told(team: Path, tmp_path: Path) -> None:
    chart = tmp_path / "catalog"
    shutil.copytree(team, chart)
    (chart / "sidegate" / "one.zip").write_bytes(bytes(MAX_RELEASED - 2))
    (chart / "sidegate" / "two.zip").write_bytes(bytes(2))
    assert render(chart)
    (chart / "sidegate" / "two.zip").write_bytes(bytes(3))
    with pytest.raises(Refused, match=r"the packs in sidegate are 375001 bytes.*sources\.configMaps.*sources\.image"):
        render(chart)


PEM = "-----BEGIN EC PRIVATE KEY-----\nAA==\n-----END EC PRIVATE KEY-----\n"
NAMED = "security: {a: {keys: {file: k/a.yaml}}, b: {login: {secret: {file: login.txt}}}, c: 1}\n"
SECRETS: dict[str, tuple[dict[str, str], str]] = {
    "a key": ({"tls/shop.pem": "# mine\n" + PEM}, "tls/shop.pem: a private key"),
    "a key in a contract's example": (
        {"contracts/catalog/x.yaml": f"a: '{PEM}'"},
        "contracts/catalog/x.yaml: a private",
    ),
    "a key set": ({"private.json": '{"keys": [{"kty": "RSA"}, {"kty": "EC", "d": "x"}]}'}, "private.json: a key set"),
    "consumers": ({"sidegate.yaml": NAMED, "k/a.yaml": "keys: []"}, "k/a.yaml: the settings name it as a secret"),
    "a token": (
        {"sidegate.yaml": "decisionLog: {url: u, authorization: {file: token}}\n", "token": "hush"},
        "token: the settings name it as a secret",
    ),
    "a layer's": ({"sidegate.prod.yaml": NAMED, "login.txt": "hush"}, "login.txt: the settings name it as a secret"),
}


def changed(team: Path, folder: Path, files: dict[str, str]) -> Path:
    """The team's chart with other sources."""
    chart = folder / "catalog"
    shutil.copytree(team, chart)
    for name, text in files.items():
        (chart / "sidegate" / name).parent.mkdir(parents=True, exist_ok=True)
        (chart / "sidegate" / name).write_text(text)
    return chart


def mounted(files: dict[str, str]) -> dict[str, Any]:
    """Values by which these files come from a Secret."""
    return {"sources": {"secrets": [{"name": "mine", "items": [{"key": str(at), "path": path}]}
                                    for at, path in enumerate(files)]}}  # fmt: skip


@pytest.mark.parametrize("case", SECRETS)
def test_secrets_are_refused_or_come_from_a_secret(case: str, team: Path, tmp_path: Path) -> None:
    files, said = SECRETS[case]
    chart = changed(team, tmp_path, files)
    with pytest.raises(Refused) as refusal:
        render(chart)
    assert said in str(refusal.value)
    assert "sources.secrets" in str(refusal.value)
    made = one(render(chart, {"sidegate": mounted(files)}), "ConfigMap")
    assert not files.keys() & json.loads(made["metadata"]["annotations"]["sidegate.io/paths"]).values()


@pytest.mark.parametrize("text", ["[]", "{", '{"keys": 1}', '{"keys": [1]}', '{"keys": [{"kty": "EC", "x": "d"}]}'])
def test_what_is_no_secret_is_none(text: str, team: Path, tmp_path: Path) -> None:
    assert render(
        changed(
            team,
            tmp_path,
            {"some.json": text, "sidegate.yaml": "security: []\ndecisionLog: []", "sidegate.x.yaml": text},
        )
    )


ODD = {
    "shop.pb": bytes(range(256)) * 2,
    "other.zip": b"PK",
    "latin.txt": "Größe".encode("latin-1"),
    "delete.txt": b"a\x7fb",
    "next.txt": "a\u0085b".encode(),
    "last.txt": "a\uffffb".encode(),
    "inner.txt": "a\ufeffb".encode(),
    "null.txt": b"a\0b\x01",
    "lines.txt": b"a: 1\r\nb: 2\r",
    "lead.txt": b"  a\n b\n",
    "tab.txt": b"\ta \n",
    "zz.txt": b"a\n\n\n",
    "empty.txt": b"",
}
"""Files that a template or YAML could spoil; the last of the texts ends in blank lines, which Helm cuts off an object."""


def odd(team: Path, folder: Path) -> Path:
    """The team's chart with those files."""
    chart = folder / "catalog"
    shutil.copytree(team, chart)
    for name, data in ODD.items():
        (chart / "sidegate" / name).write_bytes(data)
    return chart


def held(made: Object) -> dict[str, bytes]:
    """A ConfigMap's files by their paths."""
    data = {key: text.encode() for key, text in made["data"].items()}
    data |= {key: base64.b64decode(text) for key, text in made["binaryData"].items()}
    return {path: data[key] for key, path in json.loads(made["metadata"]["annotations"]["sidegate.io/paths"]).items()}


def test_every_file_is_kept_by_its_bytes(team: Path, tmp_path: Path) -> None:
    made = one(render(odd(team, tmp_path)), "ConfigMap")
    files = held(made)
    assert {name: files[name] for name in ODD} == ODD
    assert files["sidegate.yaml"] == (team / "sidegate" / "sidegate.yaml").read_bytes()
    binary = {"shop.pb", "other.zip", "latin.txt", "delete.txt", "next.txt", "last.txt", "inner.txt"}
    assert made["binaryData"].keys() == binary
    kubernetes_validate.validate(made, VERSIONS[0], strict=True)


@pytest.mark.parametrize("service", ["catalog", "orders"])
@pytest.mark.parametrize("version", VERSIONS)
def test_the_examples_are_taken(service: str, version: str) -> None:
    for each in render(EXAMPLES / service):
        kubernetes_validate.validate(each, version, strict=True)


def test_the_notes_say_what_to_do_next(team: Path) -> None:
    said = notes(team)
    assert "targetPort is 8080" in said
    assert "listens on 127.0.0.1:9001 and nowhere else" in said
    assert "helm test shop --namespace prod" in said
    assert "seconds: 10" in notes(team, {"sidegate": {"containers": "classic"}})


@pytest.mark.parametrize("case", CASES)
def test_the_commands_are_those_of_the_image(case: str, rendered: dict[str, list[Object]]) -> None:
    for words in commands_of(rendered[case]):
        assert parser(words).parse_args(words).verb == words[0]


@pytest.mark.parametrize("case", CASES)
def test_sources_are_read_where_a_volume_is(case: str, rendered: dict[str, list[Object]]) -> None:
    spec = _pod(rendered[case])
    sidecar = next(
        each for each in (*spec.get("initContainers", ()), *spec["containers"]) if each["name"] == "sidegate"
    )
    words = [*sidecar["command"][1:], *sidecar["args"]]
    if words[0] == "sidecar":
        mounted = {mount["mountPath"] for mount in sidecar["volumeMounts"]}
        assert str(parser(words).parse_args(words).dir) in mounted


def commands_of(found: list[Object]) -> Iterator[list[str]]:
    """The words behind `sidegate` of all containers and hooks."""
    for each in found:
        spec = each.get("spec", {})
        spec = spec.get("template", {}).get("spec", spec)
        for container in [*spec.get("initContainers", []), *spec.get("containers", [])]:
            hook = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", [])
            for command in (container.get("command", []) + container.get("args", []), hook):
                if command[:1] == ["sidegate"]:
                    yield command[1:]
