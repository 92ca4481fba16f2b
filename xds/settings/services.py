"""`services` -> ServiceSettings: upstreams and hosts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from xds.model import Place, Upstream
from xds.settings.reader import FILE, Reader
from xds.settings.upstreams import upstream
from xds.source.pointer import escape


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """What sidegate.yaml says of one service: its upstream, those of single versions, and its hosts (none: every host)."""

    upstream: Upstream | None = None
    versions: Mapping[str, Upstream] = field(default_factory=dict)
    hosts: tuple[str, ...] = ()
    place: Place = Place(FILE)

    def upstream_of(self, version: str) -> Upstream | None:
        """The upstream of a version: its own, else the service's."""
        return self.versions.get(version, self.upstream)


def service(reader: Reader, name: str, value: Any) -> ServiceSettings:
    at = f"/services/{escape(name)}"
    section = reader.mapping(value, at, ("upstream", "hosts", "versions"))
    versions = reader.mapping(section.get("versions"), f"{at}/versions")
    upstreams = {}
    for version, inner in versions.items():
        inside = f"{at}/versions/{escape(version)}"
        own = reader.mapping(inner, inside, ("upstream",))
        if found := upstream(reader, own.get("upstream"), f"{inside}/upstream"):
            upstreams[version] = found
    every = upstream(reader, section["upstream"], f"{at}/upstream") if "upstream" in section else None
    return ServiceSettings(every, upstreams, hosts(reader, section.get("hosts"), f"{at}/hosts"), reader.place(at))


def hosts(reader: Reader, value: Any, at: str) -> tuple[str, ...]:
    hosts = reader.texts(value, at)
    if value == []:
        reader.say("settings-invalid", "`hosts` names no host", at, "leave it out for every host")
    for index, host in enumerate(hosts):
        if not host or any(c in host for c in "/:@ ") or "*" in host.removeprefix("*."):
            reader.say("settings-invalid", f"'{host}' is not a host name", f"{at}/{index}", "write a name without port")
    return tuple(sorted({host.lower() for host in hosts}))
