"""manifests, values and sources -> manifests with the sidecar in each workload's pod. Twice is once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from yaml import MappingNode, Node

from xds import __version__
from xds.failure import CannotRun
from xds.inject import nodes, probes
from xds.inject.about import APP_S, NAMES, REQUESTS_S, VOLUMES, About, check, refuse
from xds.inject.containers import containers, redirect
from xds.inject.sources import config_map, keys
from xds.inject.values import Values
from xds.inject.volumes import volumes

_TEMPLATE = ("spec", "template")
POD = {
    "Deployment": _TEMPLATE,
    "StatefulSet": _TEMPLATE,
    "DaemonSet": _TEMPLATE,
    "ReplicaSet": _TEMPLATE,
    "Job": _TEMPLATE,
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    "Pod": (),
}
_LISTS = ("initContainers", "containers", "volumes")
DONE, DEFAULT = "sidegate.io/injected", "kubectl.kubernetes.io/default-container"
REPLACED = "sidegate.io/replaced"
"""What a run put in the place of something, or of nothing, as JSON: the next one takes it back."""
OFF = "sidegate.io/inject"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What every workload is given. `files` are the sources of a folder, by path."""

    values: Values
    files: Mapping[str, bytes]


def inject(text: str, wanted: Wanted) -> str:
    """The same documents in the same order; a workload's ConfigMap of sources follows it.

    Left alone are pods with the annotation `sidegate.io/inject: "false"`, and Helm's hooks, such as the pod of `helm test`.
    Raises CannotRun that names the workload for what cannot be done, and where there is no workload at all.
    """
    made: list[Node] = []
    found = 0
    documents = [each for document in nodes.read(text) for each in _flat(document)]
    for document in documents:
        made.append(document)
        kind = nodes.text(document, "kind")
        if kind not in POD or _is_hook(document):
            continue
        found += 1
        name = nodes.text(nodes.get(document, "metadata"), "name")
        try:
            made += _injected(document, kind, name, wanted)
        except CannotRun as problem:
            raise CannotRun(f"{kind} {name}: {problem}") from problem
    if not found:
        raise CannotRun(f"there is no workload in the manifests ({', '.join(POD)})")
    return nodes.write(_once(made))


def _injected(document: Node, kind: str, name: str, wanted: Wanted) -> list[Node]:
    pod = _pod(document, kind)
    spec = nodes.get(pod, "spec")
    if spec is None or not nodes.items(spec, "containers"):
        raise CannotRun("its pod has no containers")
    if not name:
        raise CannotRun("it has no name, and its ConfigMap is named after it")
    if nodes.text(nodes.get(nodes.get(pod, "metadata") or pod, "annotations"), OFF) == "false":
        return []
    labels = nodes.get(nodes.mapping(document, "metadata"), "labels")
    files = keys(wanted.files)
    service = wanted.values["service"] or nodes.text(labels, "app.kubernetes.io/name") or name
    about = About(wanted.values, service, name, kind, files)
    check(about)
    _take_out(pod, spec)
    refuse(nodes.value(spec), wanted.values)
    _mark(pod, spec, about)
    _put_in(pod, spec, about)
    if not files:
        return []
    namespace = nodes.text(nodes.get(document, "metadata"), "namespace")
    known = nodes.value(labels) if isinstance(labels, MappingNode) else {}
    return [nodes.node(config_map(about, wanted.files, known, namespace))]


def _pod(document: Node, kind: str) -> Node:
    at: Node | None = document
    for key in POD[kind]:
        at = nodes.get(at, key) if at is not None else None
    if at is None:
        raise CannotRun(f"it has no {'.'.join(POD[kind])}")
    return at


def _take_out(pod: Node, spec: Node) -> None:
    """What an earlier run put in; of what was changed since, nothing."""
    for key in _LISTS:  # an empty one would leave its place in the next run, and with it the same text
        nodes.replace(spec, key, nodes.items(spec, key))
    annotations = nodes.get(nodes.get(pod, "metadata") or pod, "annotations")
    if not nodes.text(annotations, DONE):
        return
    for key, own in zip(_LISTS, (NAMES, NAMES, VOLUMES), strict=True):
        nodes.replace(spec, key, [each for each in nodes.items(spec, key) if nodes.text(each, "name") not in own])
    given, before = _replaced(nodes.text(annotations, REPLACED))
    for key, value in given.items():
        if (there := nodes.get(spec, key)) is not None and nodes.value(there) == value:
            nodes.drop(spec, key)
    probes.restore(nodes.items(spec, "containers"), before)


def _replaced(text: str) -> tuple[Mapping[str, Any], probes.Before]:
    try:
        found = json.loads(text or "{}")
        return dict(found.get("given", {})), {name: dict(was) for name, was in found.get("probes", {}).items()}
    except (ValueError, TypeError, AttributeError):
        raise CannotRun(f"its annotation {REPLACED} is not what an earlier run wrote") from None


def _mark(pod: Node, spec: Node, about: About) -> None:
    metadata = nodes.mapping(pod, "metadata")
    nodes.put(nodes.mapping(metadata, "labels"), "sidegate.io/service", nodes.node(about.service))
    annotations = nodes.mapping(metadata, "annotations")
    nodes.put(annotations, DONE, nodes.node(__version__))
    if nodes.get(annotations, DEFAULT) is None:
        nodes.put(annotations, DEFAULT, nodes.node(nodes.text(nodes.items(spec, "containers")[0], "name")))


def _put_in(pod: Node, spec: Node, about: About) -> None:
    values = about.values
    wanted = {
        "automountServiceAccountToken": values["automountServiceAccountToken"],
        "terminationGracePeriodSeconds": values["drainSeconds"] + REQUESTS_S + APP_S,
    }
    given = {key: value for key, value in wanted.items() if nodes.get(spec, key) is None}
    for key, value in given.items():
        nodes.put(spec, key, nodes.node(value))
    app = nodes.items(spec, "containers")
    before: probes.Before = {}
    if values["app"]["rewriteProbes"]:
        probes.refuse(app, values)
        asked, before = probes.lead(app, values)
        about = replace(about, probes=asked)
    replaced = json.dumps({"given": given, "probes": before}, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    nodes.put(nodes.mapping(nodes.mapping(pod, "metadata"), "annotations"), REPLACED, nodes.node(replaced))
    first = [redirect(about)] if values["traffic"] == "redirect" else []
    sidecars = containers(about)
    if values["containers"] == "native":
        first += [{**each, "restartPolicy": "Always"} for each in sidecars]
    else:
        nodes.replace(spec, "containers", [*app, *map(nodes.node, sidecars)])
    nodes.replace(spec, "initContainers", [*nodes.items(spec, "initContainers"), *map(nodes.node, first)])
    nodes.replace(spec, "volumes", [*nodes.items(spec, "volumes"), *map(nodes.node, volumes(about))])


def _is_hook(document: Node) -> bool:
    metadata = nodes.get(document, "metadata")
    return bool(metadata and nodes.text(nodes.get(metadata, "annotations"), "helm.sh/hook"))


def _flat(document: Node) -> Iterator[Node]:
    """The objects of a `List`, or of a `DeploymentList` and its like, as documents of their own."""
    of = nodes.text(document, "kind").removesuffix("List")
    if of == nodes.text(document, "kind") or (of and of not in POD):
        yield document
        return
    for item in nodes.items(document, "items"):
        if of and nodes.get(item, "kind") is None:  # the API leaves out of a list's objects what the list says
            nodes.put(item, "apiVersion", nodes.node(nodes.text(document, "apiVersion")))
            nodes.put(item, "kind", nodes.node(of))
        yield from _flat(item)


def _once(documents: list[Node]) -> list[Node]:
    """Of ConfigMaps of sources with one name the last, in the place of the first. Raises CannotRun if another has the name."""
    made: dict[tuple[str, ...], Node] = {}
    theirs: set[tuple[str, ...]] = set()
    for at, document in enumerate(documents):
        metadata = nodes.get(document, "metadata")
        name = (nodes.text(metadata, "namespace"), nodes.text(metadata, "name"))
        is_map = nodes.text(document, "kind") == "ConfigMap"
        ours = is_map and nodes.text(nodes.get(metadata, "labels") if metadata else None, "sidegate.io/sources")
        if is_map and not ours:
            theirs.add(name)
        made[name if ours else (str(at),)] = document
    if taken := theirs & made.keys():
        raise CannotRun(
            f"there is a ConfigMap {min(taken)[1]} already, and that of a workload's sources would have its name"
        )
    return list(made.values())
