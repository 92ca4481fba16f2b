"""the kubelet's HTTP probes of an app on 127.0.0.1 <-> the sidecar's management port, which passes them on."""

from __future__ import annotations

from collections.abc import Iterable

from yaml import Node

from xds.inject import nodes
from xds.inject.values import Values

_KINDS = ("startupProbe", "readinessProbe", "livenessProbe")
_PREFIX = "/probe/"


def lead(containers: Iterable[Node], values: Values) -> tuple[str, ...]:
    """Rewrite the probes of the app's port, in place. Returns what they ask, `PORT/path`."""
    asked: dict[str, None] = {}
    for container in containers:
        for get in _gets(container):
            if nodes.text(get, "host") or nodes.text(get, "scheme") not in ("", "HTTP"):
                continue
            if _port(container, get) != str(values["app"]["port"]):
                continue
            probe = f"{values['app']['port']}/{nodes.text(get, 'path').removeprefix('/')}"
            asked[probe] = None
            nodes.put(get, "path", nodes.node(_PREFIX + probe))
            nodes.put(get, "port", nodes.node(values["ports"]["management"]))
    return tuple(asked)


def restore(containers: Iterable[Node]) -> None:
    """Take a rewriting back, in place."""
    for container in containers:
        for get in _gets(container):
            port, slash, path = nodes.text(get, "path").removeprefix(_PREFIX).partition("/")
            if nodes.text(get, "path").startswith(_PREFIX) and slash and port.isdigit():
                nodes.put(get, "path", nodes.node(f"/{path}"))
                nodes.put(get, "port", nodes.node(int(port)))


def _gets(container: Node) -> Iterable[Node]:
    for kind in _KINDS:
        probe = nodes.get(container, kind)
        if probe is not None and (get := nodes.get(probe, "httpGet")) is not None:
            yield get


def _port(container: Node, get: Node) -> str:
    """The probe's port as a number, also where it is a name of the container's ports."""
    port = nodes.text(get, "port")
    named = (each for each in nodes.items(container, "ports") if nodes.text(each, "name") == port)
    return next((nodes.text(each, "containerPort") for each in named), port)
