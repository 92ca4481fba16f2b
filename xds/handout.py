"""Project, service -> what the service's companion compiles: its sources as they are served, without key material; and back."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from zipfile import BadZipFile

from xds.packs.archive import packed, unpacked
from xds.project.project import Project
from xds.settings import key_files
from xds.source import Tree
from xds.source.union import Member


def handout(project: Project, service: str) -> dict[str, Any]:
    """A document of JSON for a service's companion, or for that of all services (an empty name).

    Equal sources give an equal `revision`. What compiles them (`closed`) has the digests that the control plane has.
    """
    files, members = project.sources(service)
    secret = {*key_files(files, project.env)} - {*key_files(files, project.env, closed=True)}
    content = packed({name: files[name] for name in sorted(files) if name not in secret})
    said = {"env": project.env, "members": {name: sorted(services) for name, services in sorted(members.items())}}
    revision = sha256(content + json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]
    return {"revision": revision, **said, "sources": b64encode(content).decode()}


def tree_of(document: Mapping[str, Any]) -> Tree:
    """The files that were handed out. Raises ValueError or KeyError for what is no such document."""
    try:
        files = unpacked(b64decode(document["sources"], validate=True))
    except BadZipFile as error:
        raise ValueError(f"the sources are damaged: {error}") from error
    members = {str(name): Member(frozenset(services)) for name, services in document["members"].items()}
    return Tree(dict(sorted(files.items())), env=document["env"], members=members)
