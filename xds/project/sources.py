"""Services as they are served -> the files that they were compiled from, and what is kept of one on disk; and back."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any
from zipfile import BadZipFile

from xds.model import Service
from xds.model.listeners import Secret
from xds.packs.archive import packed, unpacked
from xds.project.compatible import contract_files
from xds.source import Tree
from xds.source.packs import pack_of

_ORIGIN, _ABOUT = ".pack", ".about"
"""Beside a service's files: its pack's name if it has one; that pack's namespace, and the digests."""


@dataclass(frozen=True, slots=True)
class Sources:
    """The files of services, and which services packs among them bring. `refused` are services that the files are not to be
    used for; such as are served all the same have the sources of what is served in `earlier`."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    members: Mapping[str, Collection[str]] = field(default_factory=dict)
    refused: frozenset[str] = frozenset()
    earlier: Mapping[str, Sources] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a service: all that it was compiled from. `digests` are empty where they are not known."""

    files: Mapping[str, bytes]
    pack: str | None = None
    namespace: str = ""
    digests: tuple[str, ...] = ()

    @property
    def zip(self) -> bytes:
        """What is stored, byte for byte reproducible."""
        about = {"namespace": self.namespace, "digests": self.digests}
        files = {**self.files, _ABOUT: json.dumps(about).encode()}
        if self.pack is not None:
            files[_ORIGIN] = self.pack.encode()
        return packed({name: files[name] for name in sorted(files)})

    @classmethod
    def read(cls, data: bytes) -> Kept:
        """Raises BadZipFile for what cannot be read."""
        try:
            files = unpacked(data)
            pack = files.pop(_ORIGIN, b"").decode() or None
            about: dict[str, Any] = json.loads(files.pop(_ABOUT, b"{}"))
            return cls(files, pack, str(about.get("namespace", "")), tuple(map(str, about.get("digests", ()))))
        except (ValueError, TypeError, AttributeError) as error:
            raise BadZipFile(str(error)) from None

    def sources(self, service: str) -> Sources:
        """As they are given to others."""
        return Sources(self.files, {self.pack: (service,)} if self.pack else {})


def files_of(services: Collection[Service], tree: Tree, packs: Collection[str], every: Set[str]) -> dict[str, bytes]:
    """Everything that services were compiled from, and nothing of packs other than theirs. `every` are the names of all."""
    folders = {("policies", service.name) for service in services} | {("policies", "platform")}
    names = contract_files(services, tree, every)
    for file in tree.files:
        parts = file.split("/", 2)
        if parts[0] not in ("contracts", "policies") or (len(parts) > 2 and (parts[0], parts[1]) in folders):
            names.add(file)
    return {name: tree.files[name] for name in sorted(names) if (pack := pack_of(name)) is None or pack in packs}


def with_keys(files: Mapping[str, bytes], secrets: Iterable[Secret], pack: str | None) -> dict[str, bytes]:
    """The files with key material as it is in force."""
    found = dict(files)
    for secret in secrets:
        pair = zip(secret.files, (secret.certificate, secret.key), strict=False)
        found |= {name: data for name, data in pair if pack_of(name) in (None, pack)}
    return found
