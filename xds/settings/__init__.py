"""sidegate.yaml -> Settings. A section a module; `reader` is what all of them ask."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from xds.diagnostics import Diagnostic
from xds.model import Scheme
from xds.model.listeners import Listener, Secret
from xds.native import Edge
from xds.settings.addresses import addresses, trusted_hops
from xds.settings.caching import store
from xds.settings.decision_log import DecisionLog, decision_log
from xds.settings.faults import faults
from xds.settings.layers import envs, layer_file, settings_document, settings_files
from xds.settings.listeners import files_of as files_of_listeners
from xds.settings.listeners import listeners
from xds.settings.login import files_of as files_of_logins
from xds.settings.nodes import nodes
from xds.settings.opa import opa
from xds.settings.packs import check_packs
from xds.settings.patches import patches
from xds.settings.plans import one_plan_each, plans
from xds.settings.publishing import breaking_allowed
from xds.settings.rates import rate_limit_service, rate_limits
from xds.settings.reader import FILE, Reader
from xds.settings.security import files_of as files_of_security
from xds.settings.security import scheme
from xds.settings.services import ServiceSettings, service
from xds.settings.tls import files_of_upstreams, now
from xds.settings.transcoding import files_of as files_of_services
from xds.source.packs import inside

__all__ = [
    "FILE",
    "ServiceSettings",
    "Settings",
    "envs",
    "key_files",
    "layer_file",
    "parse_settings",
    "settings_document",
    "settings_files",
]

SECTIONS = (
    "listeners",
    "services",
    "security",
    "opa",
    "decisionLog",
    "dev",
    "faults",
    "addresses",
    "trustedHops",
    "cache",
    "patches",
    "rateLimit",
    "rateLimits",
    "plans",
    "packs",
    "nodes",
    "publish",
)


@dataclass(frozen=True, slots=True)
class Settings:
    """A project's settings. `opa` is the URL of an OPA server that decides, or None for the embedded engine.

    `edge` is what holds for the whole gateway natively. `dev` is the section that only `sidegate up` reads (processes,
    tokens and requests to try), unchecked here. `secrets` is the key material that can be used, `wanted` the names of all
    that is asked for, `of_packs` what packs ask for (its lack holds up nobody else); none of it is looked at if they are
    `closed`. `breaking` says that contracts may go out that break clients of what is served.
    """

    services: Mapping[str, ServiceSettings] = field(default_factory=dict)
    schemes: Mapping[str, Scheme] = field(default_factory=dict)
    opa: str | None = None
    decision_log: DecisionLog | None = None
    dev: Mapping[str, Any] = field(default_factory=dict)
    edge: Edge = Edge()
    listeners: tuple[Listener, ...] = ()
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    wanted: frozenset[str] = frozenset()
    of_packs: frozenset[str] = frozenset()
    speakers: Mapping[str | None, frozenset[str]] = field(default_factory=dict)
    """The security schemes that each pack says, and the project itself (None)."""
    closed: bool = False
    breaking: bool = False
    nodes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def key_files(files: Mapping[str, bytes], env: str | None = None, *, closed: bool = False) -> tuple[str, ...]:
    """The files that the settings among `files` name beside the folders every project has, to be read with the tree.

    `closed` leaves out certificates and their keys.
    """
    document, _ = settings_document(files, env)
    found: set[str] = set()
    for pack, value in document.by_pack() if document else ():
        top = value if isinstance(value, dict) else {}
        named = {*_files(top), *(() if closed else _key_material(top))}
        found |= {inside(pack, file) for file in named} if pack else named
    return tuple(sorted(found))


def _files(top: Mapping[str, Any]) -> Iterator[str]:
    """One line for each section that names files."""
    yield from files_of_security(top.get("security"))
    yield from files_of_services(top.get("services"))


def _key_material(top: Mapping[str, Any]) -> Iterator[str]:
    """The files that only proxies are given."""
    yield from files_of_listeners(top.get("listeners"))
    yield from files_of_upstreams(top.get("services"))
    yield from files_of_logins(top.get("security"))


def parse_settings(
    files: Mapping[str, bytes],
    env: str | None = None,
    *,
    closed: bool = False,
    clock: Callable[[], datetime] | None = now,
) -> tuple[Settings, tuple[Diagnostic, ...]]:
    """Read sidegate.yaml, and the layer of an environment over it, out of a project's files.

    Returns the settings and the diagnostics. A project without the file has empty settings; values that are refused are
    left out of the settings, so that whatever needs them is refused too. See `Reader` for `closed` and `clock`.
    """
    document, diagnostics = settings_document(files, env)
    if document is None:
        return Settings(), diagnostics
    reader = Reader(document, files, list(diagnostics), closed, clock)
    settings = _settings(reader)
    return settings, tuple(reader.found)


def _schemes(value: Any) -> frozenset[str]:
    section = value.get("security") if isinstance(value, dict) else None
    return frozenset(section) if isinstance(section, dict) else frozenset()


def _settings(reader: Reader) -> Settings:
    top = reader.mapping(reader.document.value, "", SECTIONS)
    services = reader.mapping(top.get("services"), "/services")
    schemes = reader.mapping(top.get("security"), "/security")
    read = {name: scheme(reader, name, value) for name, value in schemes.items()}
    one_plan_each(reader, filter(None, read.values()))
    found = {name: service(reader, name, value) for name, value in services.items()}
    listening = listeners(reader, top.get("listeners"))
    check_packs(reader, top.get("packs"))
    counting = rate_limit_service(reader, top.get("rateLimit"))
    return Settings(
        services=found,
        schemes={name: scheme for name, scheme in read.items() if scheme},
        opa=opa(reader, top.get("opa")),
        decision_log=decision_log(reader, top.get("decisionLog")),
        dev=reader.mapping(top.get("dev"), "/dev"),
        edge=Edge(
            rate_limits=rate_limits(reader, top.get("rateLimits"), counting),
            rate_limit=counting,
            faults=faults(reader, top.get("faults")),
            patches=patches(reader, top.get("patches")),
            addresses=addresses(reader, top.get("addresses")),
            cache=store(reader, top.get("cache")),
            plans=plans(reader, top.get("plans"), counting),
            trusted_hops=trusted_hops(reader, top.get("trustedHops")),
        ),
        listeners=listening,
        secrets=reader.secrets,
        wanted=frozenset(reader.wanted),
        of_packs=frozenset(reader.of_packs),
        speakers={pack: _schemes(value) for pack, value in reader.document.by_pack()},
        nodes=nodes(reader, top.get("nodes")),
        closed=reader.closed,
        breaking=breaking_allowed(reader, top.get("publish")),
    )
