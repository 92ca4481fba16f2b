"""Project, service -> what the service's companion compiles: its sources as they are served, without key material; and back."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from hashlib import sha256
from typing import Any
from zipfile import BadZipFile

from xds.packs.archive import compressed, packed, unpacked
from xds.project.project import Project
from xds.project.sources import Sources
from xds.settings import key_files, settings_files
from xds.settings.layers import OVER
from xds.source import Tree
from xds.source.union import Member

_LARGE = 8 << 20
"""Bytes from which what travels is compressed: a companion receives so much and no more."""


@dataclass(frozen=True)
class Handout:
    """The sources of a service, or of all services. Equal sources give an equal `revision`.

    What compiles them (`closed`) has the digests that the control plane has. `order` is the number of the state of the
    Kubernetes API in which they came to be what they are: of two the larger is the newer. Folders have no order (0).
    """

    given: Sources = field(repr=False)
    env: str | None
    order: int
    revision: str

    @cached_property
    def document(self) -> bytes:
        """What travels: JSON, made once for all that ask."""
        blobs = {_name(data): data for each in self.given.earlier.values() for data in each.files.values()}
        content = _travelling(self.given.files, _content(self.given))
        files = {"sources": content, "blobs": _travelling(blobs, packed(blobs))}
        said = {"revision": self.revision, "order": self.order, **_said(self.given, self.env), **files}
        return json.dumps(said).encode()


def _said(given: Sources, env: str | None) -> dict[str, Any]:
    earlier = {
        name: {"members": _listed(each), "files": {file: _name(data) for file, data in each.files.items()}}
        for name, each in given.earlier.items()
    }
    return {"env": env, "members": _listed(given), "held": sorted(given.refused), "earlier": earlier}


def _content(given: Sources) -> bytes:
    return packed({name: given.files[name] for name in sorted(given.files)})


def _listed(given: Sources) -> dict[str, list[str]]:
    return {name: sorted(services) for name, services in sorted(given.members.items())}


def _name(data: bytes) -> str:
    return sha256(data).hexdigest()


def _travelling(files: Mapping[str, bytes], content: bytes) -> str:
    """A zip as text; compressed where it is large, since packs were compressed, too, when their size was limited."""
    return b64encode(compressed(files) if len(content) > _LARGE else content).decode()


def handout(project: Project, service: str, before: Handout | None = None) -> Handout:
    """A service's sources by the last compilation, those of all services with an empty name; `before` if they are the same."""
    found = project.sources(service)
    earlier = {name: _without_keys(each, project.env) for name, each in found.earlier.items()}
    given = replace(_without_keys(found, project.env), earlier=earlier)
    if before is not None and (before.given, before.env) == (given, project.env):
        return before
    said = json.dumps(_said(given, project.env), sort_keys=True).encode()
    revision = sha256(_content(given) + said).hexdigest()[:16]
    return Handout(given, project.env, project.tree.as_of, revision)


def _without_keys(found: Sources, env: str | None) -> Sources:
    secret = _secret(tuple((name, data) for name, data in found.files.items() if _is_settings(name, env)), env)
    return replace(found, files={name: data for name, data in found.files.items() if name not in secret})


def _is_settings(name: str, env: str | None) -> bool:
    return name == OVER or (name.count("/") < 2 and name.rpartition("/")[2] in settings_files(env))


@lru_cache(maxsize=64)
def _secret(settings: tuple[tuple[str, bytes], ...], env: str | None) -> frozenset[str]:
    """The names of key material. Most services of a project share their settings."""
    files = dict(settings)
    return frozenset(key_files(files, env)) - frozenset(key_files(files, env, closed=True))


def tree_of(document: Mapping[str, Any]) -> Tree:
    """The files that were handed out. Raises ValueError or KeyError for what is no such document."""
    files, blobs = _files(document["sources"]), _files(document["blobs"]) if document.get("earlier") else {}
    earlier = {
        str(name): _tree({file: blobs[data] for file, data in each["files"].items()}, document["env"], each["members"])
        for name, each in document.get("earlier", {}).items()
    }
    tree = _tree(files, document["env"], document["members"])
    return replace(tree, held=frozenset(document.get("held", ())), earlier=earlier)


def _tree(files: Mapping[str, bytes], env: str | None, members: Mapping[str, Any]) -> Tree:
    brought = {str(name): Member(frozenset(services)) for name, services in members.items()}
    return Tree(dict(sorted(files.items())), env=env, members=brought, decided=True)


def _files(content: str) -> dict[str, bytes]:
    try:
        return unpacked(b64decode(content, validate=True))
    except (BadZipFile, EOFError, OSError) as error:
        raise ValueError(f"the sources are damaged: {error}") from error
