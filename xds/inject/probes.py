"""the kubelet's HTTP probes of an app on 127.0.0.1 <-> the sidecar's management port, which passes them on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from yaml import Node

from xds.failure import CannotRun
from xds.inject import nodes
from xds.inject.values import Values

_KINDS = ("startupProbe", "readinessProbe", "livenessProbe")
_HOOKS = ("postStart", "preStop")
_PREFIX = "/probe/"
_REWRITTEN = ("path", "port")
Before = Mapping[str, Mapping[str, Any]]
"""What was rewritten, by `CONTAINER/KIND`."""


def lead(containers: Iterable[Node], values: Values) -> tuple[tuple[str, ...], Before]:
    """Rewrite the probes of the app's port, in place. Returns what they ask, `PORT/path`, and what stood there before."""
    asked: dict[str, None] = {}
    before: dict[str, dict[str, Any]] = {}
    for name, container, get in _gets(containers):
        if nodes.text(get, "host") or nodes.text(get, "scheme") not in ("", "HTTP"):
            continue
        if _port(container, get) != str(values["app"]["port"]):
            continue
        probe = f"{values['app']['port']}/{nodes.text(get, 'path').removeprefix('/')}"
        asked[probe] = None
        before[name] = {key: value for key, value in nodes.value(get).items() if key in _REWRITTEN}
        nodes.put(get, "path", nodes.node(_PREFIX + probe))
        nodes.put(get, "port", nodes.node(values["ports"]["management"]))
    return tuple(asked), before


def refuse(containers: Iterable[Node], values: Values) -> None:
    """Raises CannotRun for what the kubelet asks of the app's port otherwise: on 127.0.0.1 nobody would hear it.

    A TCP probe of a redirected port finds Envoy, the rest what no contract has.
    """
    hows = ("httpGet", "grpc") if values["traffic"] == "redirect" else ("httpGet", "grpc", "tcpSocket")
    for container in containers:
        hooks = nodes.get(container, "lifecycle")
        places = [(kind, nodes.get(container, kind)) for kind in _KINDS]
        places += [(kind, nodes.get(hooks, kind)) for kind in _HOOKS if hooks is not None]
        asked = ((kind, how, nodes.get(place, how)) for kind, place in places if place is not None for how in hows)
        for kind, how, get in asked:
            if get is None or nodes.text(get, "host") or _port(container, get) != str(values["app"]["port"]):
                continue
            if kind in _HOOKS or how != "httpGet" or nodes.text(get, "scheme") not in ("", "HTTP"):
                name = nodes.text(container, "name")
                raise CannotRun(
                    f"{kind} of the container {name} is {how} to app.port, where the kubelet is not heard; "
                    "say httpGet by HTTP (a probe) or exec, or app.rewriteProbes: false if the app listens elsewhere too"
                )


def restore(containers: Iterable[Node], before: Before) -> None:
    """Take a rewriting back, in place. A probe that was changed since stays as it is."""
    for name, _, get in _gets(containers):
        if name not in before or not nodes.text(get, "path").startswith(_PREFIX):
            continue
        for key in _REWRITTEN:
            if key in before[name]:
                nodes.put(get, key, nodes.node(before[name][key]))
            else:
                nodes.drop(get, key)


def _gets(containers: Iterable[Node]) -> Iterator[tuple[str, Node, Node]]:
    """`CONTAINER/KIND`, the container and the probe's `httpGet`."""
    for container in containers:
        for kind in _KINDS:
            probe = nodes.get(container, kind)
            if probe is not None and (get := nodes.get(probe, "httpGet")) is not None:
                yield f"{nodes.text(container, 'name')}/{kind}", container, get


def _port(container: Node, get: Node) -> str:
    """The probe's port as a number, also where it is a name of the container's ports."""
    port = nodes.text(get, "port")
    named = (each for each in nodes.items(container, "ports") if nodes.text(each, "name") == port)
    return next((nodes.text(each, "containerPort") for each in named), port)
