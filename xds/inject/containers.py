"""About -> the sidecar's containers, in the order in which they start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xds.inject.about import About

Container = dict[str, Any]
_RUN = {"name": "sidegate-run", "mountPath": "/var/run/sidegate"}
_TLS = "/etc/sidegate/tls"


def containers(about: About) -> list[Container]:
    """Control plane and companion first, since Envoy asks both; then Envoy."""
    return [_sidegate(about), _envoy(about)]


def _sidegate(about: About) -> Container:
    port = about.values["ports"]["management"]
    return {
        **_image(about, "sidegate"),
        "command": ["sidegate", "companion" if about.central else "sidecar"],
        "args": _sidegate_args(about),
        "env": _env(about),
        "ports": [_port(port, "management")],
        "startupProbe": {"httpGet": {"path": "/ready", "port": port}, "periodSeconds": 1, "failureThreshold": 120},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": port}, "periodSeconds": 5, "timeoutSeconds": 3},
        "livenessProbe": {
            "httpGet": {"path": "/live", "port": port},
            "periodSeconds": 10,
            "timeoutSeconds": 5,
            "failureThreshold": 6,
        },
        "resources": about.values["resources"]["sidegate"],
        "securityContext": _security(about),
        "volumeMounts": [*_source_mounts(about), *_tls(about), _RUN, *_state()],
    }


def _sidegate_args(about: About) -> list[str]:
    """A companion of the shared control plane is given its sources by it; beside its own they are mounted."""
    values = about.values
    if about.central:
        first = ["--listen=unix:/var/run/sidegate/companion.sock"]
    else:
        first = [*(mount["mountPath"] for mount in _source_mounts(about)), *_traffic(about)]
        first += [f"--env={values['environment']}"] if values["environment"] else []
    return [
        *first,
        *_node(about),
        "--state=/var/lib/sidegate",
        f"--management=0.0.0.0:{values['ports']['management']}",
        *(f"--probe={probe}" for probe in about.probes),
    ]


def _envoy(about: About) -> Container:
    """No liveness: Envoy's own watchdog ends it."""
    values = about.values
    ready = values["ports"]["ready"]
    return {
        **_image(about, "sidegate-envoy"),
        "command": ["sidegate", "envoy"],
        "args": [
            *_node(about),
            *(_traffic(about) if about.central else ()),
            "--admin=/var/run/sidegate/admin.sock",
            f"--ready=0.0.0.0:{ready}",
            f"--drain={values['drainSeconds']}",
        ],
        "env": _env(about),
        "ports": [_port(values["port"], "http"), _port(ready, "ready")],
        "startupProbe": {"httpGet": {"path": "/ready", "port": ready}, "periodSeconds": 1, "failureThreshold": 120},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": ready}, "periodSeconds": 5, "timeoutSeconds": 3},
        "lifecycle": {"preStop": {"exec": {"command": ["sidegate", "drain"]}}},
        "resources": values["resources"]["envoy"],
        "securityContext": _security(about),
        "volumeMounts": [*_tls(about), _RUN, {"name": "sidegate-cache", "mountPath": "/var/run/sidegate/cache"}],
    }


def redirect(about: About) -> Container:
    """What comes for the app's port is sent to Envoy. Of all containers only this one has a capability, and it ends."""
    return {
        **_image(about, "sidegate-redirect"),
        "command": ["sidegate", "redirect"],
        "args": [f"--from={about.values['app']['port']}", f"--to={about.values['port']}"],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"cpu": "500m", "memory": "128Mi"}},
        "securityContext": {
            "runAsUser": 0,
            "runAsGroup": 0,
            "runAsNonRoot": False,
            **_HARDENED,
            "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN", "NET_RAW"]},
        },
        "volumeMounts": [{"name": "sidegate-run", "mountPath": "/run"}],
    }


def _node(about: About) -> list[str]:
    """Who this is, and where its control plane listens."""
    if not about.central:
        return [f"--service={about.service}", "--xds=unix:/var/run/sidegate/xds.sock"]
    central = about.values["central"]
    files = {"ca": "ca.crt", "cert": "tls.crt", "key": "tls.key"}
    return [
        f"--service={about.service}",
        f"--xds={central['address']}",
        *(f"--xds-{flag}={_TLS}/{file}" for flag, file in files.items()),
    ]


def _traffic(about: About) -> tuple[str, str]:
    return f"--listen=0.0.0.0:{about.values['port']}", f"--upstream=http://127.0.0.1:{about.values['app']['port']}"


def _image(about: About, name: str) -> Container:
    return {"name": name, "image": about.image, "imagePullPolicy": about.values["image"]["pullPolicy"]}


def _env(about: About) -> list[Mapping[str, Any]]:
    node = {"name": "SIDEGATE_NODE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    return [node, *about.values["env"]]


def _port(number: int, name: str) -> dict[str, Any]:
    return {"containerPort": number, "name": name, "protocol": "TCP"}


_HARDENED = {
    "readOnlyRootFilesystem": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def _security(about: About) -> dict[str, Any]:
    user = about.values.get("user")
    return {**({"runAsUser": user, "runAsGroup": user} if user else {}), "runAsNonRoot": True, **_HARDENED}


def _source_mounts(about: About) -> list[dict[str, Any]]:
    sources = {"name": "sidegate-sources", "mountPath": "/etc/sidegate/sources", "readOnly": True}
    image = {"name": "sidegate-image", "mountPath": "/etc/sidegate/image", "readOnly": True}
    return [
        *([sources] if about.projected else []),
        *([image] if about.source_image else []),
    ]


def _tls(about: About) -> list[dict[str, Any]]:
    if not about.central:
        return []
    return [{"name": "sidegate-tls", "mountPath": _TLS, "readOnly": True}]


def _state() -> list[dict[str, Any]]:
    return [
        {"name": "sidegate-state", "mountPath": "/var/lib/sidegate"},
        {"name": "sidegate-state", "mountPath": "/tmp", "subPath": "tmp"},
    ]
