"""About -> the volumes of the sidecar."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from xds.inject.about import About

_READ = 0o444  # readable for the sidecar's user, whatever the pod's fsGroup is


def volumes(about: About) -> list[dict[str, Any]]:
    """Sources, the certificate for the shared control plane, sockets, state, Envoy's cache."""
    return [
        *_sources(about),
        *_certificate(about),
        {"name": "sidegate-run", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}},
        {"name": "sidegate-state", "emptyDir": {"sizeLimit": "512Mi"}},
        {"name": "sidegate-cache", "emptyDir": {"sizeLimit": about.values["cacheSize"]}},
    ]


def _sources(about: About) -> Iterator[dict[str, Any]]:
    if about.projected:
        yield {"name": "sidegate-sources", "projected": {"defaultMode": _READ, "sources": list(_projected(about))}}
    if image := about.source_image:
        policy = about.values["image"]["pullPolicy"]
        yield {"name": "sidegate-image", "image": {"reference": image, "pullPolicy": policy}}


def _projected(about: About) -> Iterator[dict[str, Any]]:
    sources = about.values["sources"]
    if about.files:
        items = [{"key": key, "path": path} for path, key in sorted(about.files.items())]
        yield {"configMap": {"name": about.sources_name, "items": items}}
    yield from ({"configMap": {"name": name}} for name in sources["configMaps"])
    yield from ({"secret": dict(secret)} for secret in sources["secrets"])


def _certificate(about: About) -> Iterator[dict[str, Any]]:
    if about.central:
        secret = about.values["central"]["secret"]
        yield {"name": "sidegate-tls", "secret": {"secretName": secret, "defaultMode": _READ}}
