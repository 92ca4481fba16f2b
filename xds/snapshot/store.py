"""Snapshot <-> the last good one on disk."""

from __future__ import annotations

import json
import os
from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from xds.snapshot.resource import Resource, Snapshot, content_version

_MAGIC = b"sidegate snapshot 1\n"
_DIGEST = 64


class StoreError(Exception):
    """The last good snapshot could not be written or read; the message says what to do. Traffic is unaffected."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What was kept: the snapshot and `tag`, a word of the caller's on what it was made of."""

    snapshot: Snapshot
    tag: str


@dataclass(frozen=True, slots=True)
class Store:
    """One file that holds the last good snapshot of a group.

    Form: a line that names the format, the SHA-256 of the rest in hexadecimal and a line feed, then JSON. A file that is not
    exactly that, or whose resources do not have the versions they claim, is refused, so that damage is never served.
    """

    path: Path

    def save(self, snapshot: Snapshot, tag: str) -> None:
        """Replaces the file as a whole: written beside, flushed to disk, renamed. Raises StoreError; the old file stays."""
        payload = _dump(snapshot, tag)
        digest = sha256(payload).hexdigest().encode()
        beside = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            _write(beside, b"".join((_MAGIC, digest, b"\n", payload)))
            os.replace(beside, self.path)
            _sync_folder(self.path.parent)
        except OSError as error:
            _discard(beside)
            raise StoreError(f"the last good snapshot is not kept, {self.path}: {error.strerror or error}") from error

    def load(self) -> Stored | None:
        """The snapshot that was kept, or None if there is no file. Raises StoreError on a file that is not a whole one."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(
                f"the last good snapshot cannot be read, {self.path}: {error.strerror or error}"
            ) from error
        start = len(_MAGIC) + _DIGEST + 1
        if not data.startswith(_MAGIC):
            raise StoreError(f"{self.path} is not a snapshot of this version of sidegate; remove it")
        digest, payload = data[len(_MAGIC) : start - 1], data[start:]
        if sha256(payload).hexdigest().encode() != digest:
            raise StoreError(f"{self.path} is damaged: its checksum does not hold; remove it")
        return _parse(payload, self.path)


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Makes the rename itself durable; a file system that cannot do this has kept the file all the same."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _discard(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return  # the disk that refused the file may refuse this too; the name is overwritten the next time


def _dump(snapshot: Snapshot, tag: str) -> bytes:
    rows = [
        [r.type_url, r.name, r.version, b64encode(r.body).decode(), [list(x) for x in r.references], list(r.opaque)]
        for named in snapshot.resources.values()
        for r in named.values()
    ]
    return json.dumps({"tag": tag, "types": list(snapshot.resources), "resources": rows}).encode()


def _parse(payload: bytes, path: Path) -> Stored:
    try:
        document = json.loads(payload)
        resources: dict[str, dict[str, Resource]] = {str(url): {} for url in document["types"]}
        for row in document["resources"]:
            resource = _resource(row)
            resources[resource.type_url][resource.name] = resource
        return Stored(Snapshot(resources), str(document["tag"]))
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path} is damaged: {error}; remove it") from error


def _resource(row: list[Any]) -> Resource:
    type_url, name, version, body, references, opaque = row
    data = b64decode(body, validate=True)
    if content_version(type_url, data) != version:
        raise ValueError(f"{name!r} does not have the version it claims")
    return Resource(type_url, name, version, data, tuple((str(u), str(n)) for u, n in references), tuple(opaque))
