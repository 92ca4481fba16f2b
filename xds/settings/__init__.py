"""sidegate.yaml -> Settings. A section a module; `reader` is what all of them ask."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from xds.diagnostics import Diagnostic
from xds.model import JwtScheme
from xds.native import Edge
from xds.settings.opa import opa
from xds.settings.reader import FILE, Reader
from xds.settings.security import files_of as files_of_security
from xds.settings.security import scheme
from xds.settings.services import ServiceSettings, service
from xds.source import load

__all__ = ["FILE", "ServiceSettings", "Settings", "key_files", "parse_settings"]

SECTIONS = ("services", "security", "opa", "dev")


@dataclass(frozen=True, slots=True)
class Settings:
    """A project's settings. `opa` is the URL of an OPA server that decides, or None for the embedded engine.

    `edge` is what holds for the whole gateway natively. `dev` is the section that only `sidegate up` reads (processes,
    tokens and requests to try), unchecked here.
    """

    services: Mapping[str, ServiceSettings] = field(default_factory=dict)
    schemes: Mapping[str, JwtScheme] = field(default_factory=dict)
    opa: str | None = None
    dev: Mapping[str, Any] = field(default_factory=dict)
    edge: Edge = Edge()


def key_files(data: bytes | None) -> tuple[str, ...]:
    """The files that sidegate.yaml names beside the folders every project has, to be read with the tree."""
    document = load(FILE, data)[0] if data is not None else None
    top = document.value if document and isinstance(document.value, dict) else {}
    return tuple(sorted(set(_files(top))))


def _files(top: Mapping[str, Any]) -> Iterator[str]:
    """One line for each section that names files."""
    yield from files_of_security(top.get("security"))


def parse_settings(files: Mapping[str, bytes]) -> tuple[Settings, tuple[Diagnostic, ...]]:
    """Read sidegate.yaml out of a project's files.

    Returns the settings and the diagnostics. A project without the file has empty settings; values that are refused are
    left out of the settings, so that whatever needs them is refused too.
    """
    if FILE not in files:
        return Settings(), ()
    document, diagnostics = load(FILE, files[FILE])
    if document is None:
        return Settings(), diagnostics
    reader = Reader(document, files, list(diagnostics))
    settings = _settings(reader)
    return settings, tuple(reader.found)


def _settings(reader: Reader) -> Settings:
    top = reader.mapping(reader.document.value, "", SECTIONS)
    services = reader.mapping(top.get("services"), "/services")
    schemes = reader.mapping(top.get("security"), "/security")
    read = {name: scheme(reader, name, value) for name, value in schemes.items()}
    return Settings(
        services={name: service(reader, name, value) for name, value in services.items()},
        schemes={name: found for name, found in read.items() if found},
        opa=opa(reader, top.get("opa")),
        dev=reader.mapping(top.get("dev"), "/dev"),
        edge=Edge(),
    )
