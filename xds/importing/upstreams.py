"""Integrations' URIs -> services with an upstream each, and the path by which each operation is asked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from xds.importing.export import Method
from xds.importing.integrations import Carried
from xds.importing.stages import Stage, substituted

_URI = re.compile(r"(?P<origin>https?://[^/?#]*|\$\{stageVariables\.\w+\})(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?")


@dataclass(frozen=True, slots=True)
class Target:
    """What an integration asks: `origin` is scheme, host and port (stage variables that are not known still in it)."""

    origin: str
    path: str
    query: str = ""


def target(uri: str, stage: Stage | None) -> Target | None:
    """The target of a URI in a stage; None if it is no http address."""
    found = _URI.fullmatch(substituted(uri, stage))
    if found is None:
        return None
    return Target(found["origin"].rstrip("/"), found["path"] or "/", found["query"] or "")


def upstream(origin: str, service: str) -> str:
    """The URL for sidegate.yaml. What has no known host gets a name that never resolves, so that nobody is asked."""
    known = re.fullmatch(r"https?://[A-Za-z0-9.-]+(:[0-9]+)?|https?://\[[0-9a-fA-F:]+\](:[0-9]+)?", origin)
    return origin if known else f"https://{service}.invalid"


def grouped(methods: Iterable[tuple[Method, Carried]], stage: Stage | None, name: str) -> Mapping[str, str]:
    """The services by their origins: the one that most operations ask has the API's name, others their host beside it."""
    counts = Counter(
        found.origin for _, carried in methods if carried.uri and (found := target(carried.uri, stage)) is not None
    )
    services: dict[str, str] = {}
    for number, (origin, _) in enumerate(sorted(counts.items(), key=lambda row: (-row[1], row[0]))):
        host = re.sub("[^a-z0-9]+", "-", re.sub(r"^https?://|\$\{stageVariables\.", "", origin.lower())).strip("-")
        services[origin] = name if not number else f"{name}-{host}"[:60].rstrip("-")
    return services


def public_path(found: Target, names: Mapping[str, str]) -> str:
    """A target's path with the names that the public path has for its variables."""
    return re.sub(r"\{([^{}]+)\}", lambda name: "{" + names.get(name[1], name[1]) + "}", found.path)
