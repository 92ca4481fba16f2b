"""sidegate.yaml -> Settings. A section a module; `reader` is what all of them ask."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from xds.diagnostics import Diagnostic
from xds.model import Scheme
from xds.native import Edge
from xds.settings.layers import envs, layer_file, settings_document, settings_files
from xds.settings.opa import opa
from xds.settings.reader import FILE, Reader
from xds.settings.security import files_of as files_of_security
from xds.settings.security import scheme
from xds.settings.services import ServiceSettings, service

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

SECTIONS = ("services", "security", "opa", "dev")


@dataclass(frozen=True, slots=True)
class Settings:
    """A project's settings. `opa` is the URL of an OPA server that decides, or None for the embedded engine.

    `edge` is what holds for the whole gateway natively. `dev` is the section that only `sidegate up` reads (processes,
    tokens and requests to try), unchecked here.
    """

    services: Mapping[str, ServiceSettings] = field(default_factory=dict)
    schemes: Mapping[str, Scheme] = field(default_factory=dict)
    opa: str | None = None
    dev: Mapping[str, Any] = field(default_factory=dict)
    edge: Edge = Edge()


def key_files(files: Mapping[str, bytes], env: str | None = None) -> tuple[str, ...]:
    """The files that the settings among `files` name beside the folders every project has, to be read with the tree."""
    document, _ = settings_document(files, env)
    top = document.value if document and isinstance(document.value, dict) else {}
    return tuple(sorted(set(_files(top))))


def _files(top: Mapping[str, Any]) -> Iterator[str]:
    """One line for each section that names files."""
    yield from files_of_security(top.get("security"))


def parse_settings(files: Mapping[str, bytes], env: str | None = None) -> tuple[Settings, tuple[Diagnostic, ...]]:
    """Read sidegate.yaml, and the layer of an environment over it, out of a project's files.

    Returns the settings and the diagnostics. A project without the file has empty settings; values that are refused are
    left out of the settings, so that whatever needs them is refused too.
    """
    document, diagnostics = settings_document(files, env)
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
