"""Project, service -> what the service's companion compiles: its sources as they are served, without key material; and back."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from hashlib import sha256
from typing import Any
from zipfile import BadZipFile

from xds.packs.archive import packed, unpacked
from xds.project.project import Project
from xds.settings import key_files, settings_files
from xds.settings.layers import OVER
from xds.source import Tree
from xds.source.union import Member

Members = Mapping[str, Collection[str]]


@dataclass(frozen=True)
class Handout:
    """The sources of a service, or of all services. Equal sources give an equal `revision`.

    What compiles them (`closed`) has the digests that the control plane has. `order` is the number of the state of the
    Kubernetes API in which they came to be what they are: of two the larger is the newer. Folders have no order (0).
    """

    files: Mapping[str, bytes] = field(repr=False)
    members: Members
    env: str | None
    order: int = 0

    @cached_property
    def revision(self) -> str:
        return sha256(self._content + json.dumps(self._said, sort_keys=True).encode()).hexdigest()[:16]

    @cached_property
    def document(self) -> dict[str, Any]:
        """What travels, as JSON."""
        content = b64encode(self._content).decode()
        return {"revision": self.revision, "order": self.order, **self._said, "sources": content}

    @property
    def _said(self) -> dict[str, Any]:
        return {"env": self.env, "members": {name: sorted(services) for name, services in sorted(self.members.items())}}

    @property
    def _content(self) -> bytes:
        return packed({name: self.files[name] for name in sorted(self.files)})


def handout(project: Project, service: str, before: Handout | None = None) -> Handout:
    """A service's sources by the last compilation, those of all services with an empty name; `before` if they are the same."""
    files, members = project.sources(service)
    secret = _secret(
        tuple((name, data) for name, data in files.items() if _is_settings(name, project.env)), project.env
    )
    given = {name: data for name, data in files.items() if name not in secret}
    if before is not None and (before.files, before.members, before.env) == (given, members, project.env):
        return before
    return Handout(given, members, project.env, project.tree.as_of)


def _is_settings(name: str, env: str | None) -> bool:
    return name == OVER or (name.count("/") < 2 and name.rpartition("/")[2] in settings_files(env))


@lru_cache(maxsize=64)
def _secret(settings: tuple[tuple[str, bytes], ...], env: str | None) -> frozenset[str]:
    """The names of key material. Most services of a project share their settings."""
    files = dict(settings)
    return frozenset(key_files(files, env)) - frozenset(key_files(files, env, closed=True))


def tree_of(document: Mapping[str, Any]) -> Tree:
    """The files that were handed out. Raises ValueError or KeyError for what is no such document."""
    try:
        files = unpacked(b64decode(document["sources"], validate=True))
    except BadZipFile as error:
        raise ValueError(f"the sources are damaged: {error}") from error
    members = {str(name): Member(frozenset(services)) for name, services in document["members"].items()}
    return Tree(dict(sorted(files.items())), env=document["env"], members=members)
