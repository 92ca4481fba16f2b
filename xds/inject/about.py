"""About: one workload, and what its sidecar is told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from xds import __version__
from xds.failure import CannotRun
from xds.inject.values import Values

NAMES = ("sidegate", "sidegate-envoy", "sidegate-redirect")
VOLUMES = tuple(f"sidegate-{what}" for what in ("sources", "image", "tls", "run", "state", "cache"))
_SERVICE = re.compile(r"[a-z][a-z0-9-]{0,62}")
REQUESTS_S = 20
"""What requests under way have after the drain; `sidegate envoy` knows it as `--grace`."""
APP_S = 25
"""What the app's own end has, its preStop included, where the pod does not say how long it may take."""


@dataclass(frozen=True, slots=True)
class About:
    """`files` are the sources of the workload's own ConfigMap, path -> key; `probes` what the kubelet asks, `PORT/path`."""

    values: Values
    service: str
    workload: str
    kind: str
    files: Mapping[str, str] = field(default_factory=dict)
    probes: tuple[str, ...] = ()

    @property
    def image(self) -> str:
        """The reference of Sidegate's image: tag, digest, or both."""
        image = self.values["image"]
        if not image["digest"]:
            return f"{image['repository']}:{image['tag'] or __version__}"
        return f"{image['repository']}{':' if image['tag'] else ''}{image['tag']}@{image['digest']}"

    @property
    def central(self) -> bool:
        """Whether the control plane is the shared one."""
        return bool(self.values["control"] == "central")

    @property
    def source_image(self) -> str:
        """The image whose files are sources, empty if there is none, or nothing is mounted."""
        return "" if self.central else str(self.values["sources"]["image"])

    @property
    def projected(self) -> bool:
        """Whether there is a volume of ConfigMaps and Secrets."""
        sources = self.values["sources"]
        return not self.central and bool(self.files or sources["configMaps"] or sources["secrets"])

    @property
    def sources_name(self) -> str:
        """The name of the ConfigMap that the workload's own files are in."""
        return f"{self.workload}-sidegate"


def check(about: About) -> None:
    """Raises CannotRun for values that make no sense together."""
    values = about.values
    app, port = values["app"]["port"], values["port"]
    if app == port:
        raise CannotRun(f"app.port and port are both {port}; the app listens on a port of its own, on 127.0.0.1")
    if len({app, port, *values["ports"].values()}) < 4:
        raise CannotRun("port, app.port, ports.management and ports.ready have to differ")
    if not _SERVICE.fullmatch(about.service):
        raise CannotRun(f"{about.service!r} is no name of a service (a letter, then a-z, 0-9 and -); set service")
    if any(variable["name"] == "SIDEGATE_NODE" for variable in values["env"]):
        raise CannotRun("env: SIDEGATE_NODE is the sidecar's own")
    sources = values["sources"]
    if not (about.central or about.files or sources["configMaps"] or sources["image"]):
        raise CannotRun("no sources: name a folder (--sources), sources.configMaps or sources.image")
    if about.central and not values["central"]["secret"]:
        raise CannotRun("control: central needs central.secret, by which the shared control plane knows the pod")
    if about.source_image and about.projected:
        raise CannotRun(
            "sources.image holds all sources, and nothing is laid beside it: neither a folder (--sources) "
            "nor sources.configMaps and sources.secrets"
        )
    if values["containers"] == "classic" and about.kind in ("Job", "CronJob"):
        raise CannotRun(f"a {about.kind} with containers: classic would never end; native sidecars let it")


def refuse(spec: Mapping[str, Any], values: Values) -> None:
    """Raises CannotRun for a pod that has what would be the sidecar's."""
    if spec.get("hostNetwork"):
        raise CannotRun("a pod with hostNetwork has no ports of its own; the sidecar's would be the node's")
    _refuse_haste(spec, values["drainSeconds"])
    own = {str(values["port"]), *map(str, values["ports"].values())}
    for container in (*_all(spec, "initContainers"), *_all(spec, "containers")):
        name = container.get("name")
        if not name or not isinstance(name, str):
            raise CannotRun("one of its containers has no name")
        if name in NAMES:
            raise CannotRun(f"the pod has a container {name} already")
        for port in _all(container, "ports"):
            if str(number := port.get("containerPort")) in own:
                raise CannotRun(f"port {number} is the sidecar's, and the container {name} has it")
    for volume in _all(spec, "volumes"):
        if volume.get("name") in VOLUMES:
            raise CannotRun(f"the pod has a volume {volume['name']} already")


def _refuse_haste(spec: Mapping[str, Any], drain: int) -> None:
    """Raises CannotRun if the kubelet would kill Envoy before its time."""
    hooks = [_inner(each, "lifecycle", "preStop", "sleep") for each in _all(spec, "containers")]
    needed = drain + REQUESTS_S + max((_seconds(hook, "seconds") or 0 for hook in hooks), default=0)
    if (given := _seconds(spec, "terminationGracePeriodSeconds")) is not None and given < needed:
        raise CannotRun(
            f"terminationGracePeriodSeconds is {given}, and the app's preStop, drainSeconds ({drain}) and {REQUESTS_S} seconds "
            f"for requests under way take {needed}"
        )


def _all(part: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """The mappings of a list. Raises CannotRun for anything else."""
    found = part.get(key) or []
    if not isinstance(found, list) or not all(isinstance(each, Mapping) for each in found):
        raise CannotRun(f"its {key} are no list of mappings")
    return found


def _inner(part: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    for key in keys:
        found = part.get(key)
        part = found if isinstance(found, Mapping) else {}
    return part


def _seconds(part: Mapping[str, Any], key: str) -> int | None:
    """A number of seconds; what is none is for the API to refuse."""
    return found if isinstance(found := part.get(key), int) else None
