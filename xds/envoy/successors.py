"""Routed -> what is to be used instead: a link's target, and how the version is named where that is not in the URL."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from itertools import takewhile

from xds.envoy.featured import featured
from xds.envoy.routed import Routed
from xds.model import Gateway, Version
from xds.native.deprecation import is_link
from xds.native.versions import Kind, choice_of, newest_first


@dataclass(frozen=True, slots=True)
class Successor:
    """`title` is a word for people (RFC 8288, section 3.4.1), empty if the target says all."""

    target: str
    title: str = ""

    @property
    def shown(self) -> str:
        """In a line."""
        return f"{self.target} ({self.title})" if self.title else self.target


def successor(routed: Routed) -> Successor | None:
    """The successor that an operation names, else the next version of the service; None if there is none."""
    named = routed.operation.native.successor
    if named is not None and is_link(named):
        return Successor(named)
    service = next(service for service in routed.gateway.services if service.name == routed.version.service)
    version = _next(routed.version, service.versions) if named is None else _called(named, service.versions)
    return _of(routed, version) if version else None


def _next(version: Version, versions: tuple[Version, ...]) -> Version | None:
    newer = None
    for each in newest_first(versions):
        if each.name == version.name:
            break
        newer = each
    return newer


def _called(name: str, versions: tuple[Version, ...]) -> Version | None:
    return next((version for version in versions if version.name == name), None)


def _of(routed: Routed, version: Version) -> Successor:
    """The same path where requests name the version, else the path that all of the version's operations begin with."""
    choice, own = choice_of(version), routed.operation.native.version
    if choice is None or own is None or choice.selector != own.selector:
        return Successor(base(version), choice.shown if choice else "")
    path = routed.operation.path.text
    here = path if "{" not in path else base(routed.version)
    if choice.kind is Kind.QUERY:
        return Successor(f"{here}?{choice.name}={choice.value}")
    return Successor(here, choice.shown)


def base(version: Version) -> str:
    """What the paths of a version have in common, in whole segments."""
    paths = [operation.path.text.split("/") for operation in version.operations] or [[""]]
    pairs = zip(min(paths), max(paths), strict=False)
    common = takewhile(lambda pair: pair[0] == pair[1] and "{" not in pair[0], pairs)
    return "/".join(segment for segment, _ in common) or "/"


def seen(gateway: Gateway) -> Hashable:
    """What routes of one version may show of the others: nothing, as long as nothing is deprecated."""
    if not any(operation.native.deprecated or operation.native.sunset for operation in featured(gateway)):
        return ()
    versions = (version for service in gateway.services for version in service.versions)
    return tuple((version.service, version.name, base(version)) for version in versions)
