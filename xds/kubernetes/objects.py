"""ConfigMap -> the packs that it carries."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from xds.packs.archive import packed

PATHS = "sidegate.io/paths"
"""The annotation that says which path each plain key of a ConfigMap stands for, as a JSON object."""


@dataclass(frozen=True, slots=True)
class Version:
    """A `resourceVersion`, comparable. "The same type's versions are compared as integers of any length" since Kubernetes 1.35
    (KEP-5504), which wrote down what every API server on etcd had done before; zero is none."""

    number: int = 0

    @classmethod
    def of(cls, text: str | None) -> Version:
        """Raises ValueError for a text that is no version."""
        if not text or not text.isascii() or not text.isdigit() or text[0] == "0":
            raise ValueError(f"{text!r} is no resourceVersion that can be compared")
        return cls(int(text))

    def __lt__(self, other: Version) -> bool:
        return self.number < other.number

    def __le__(self, other: Version) -> bool:
        return self.number <= other.number

    def __str__(self) -> str:
        return str(self.number)


@dataclass(frozen=True, slots=True)
class Source:
    """One labelled ConfigMap: `packs` by the name of their file, `problem` says what is wrong with it."""

    namespace: str
    name: str
    created: str
    version: Version
    packs: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    problem: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        return self.namespace, self.name


def source_of(config_map: Mapping[str, Any]) -> Source:
    """A ConfigMap as the API gives it (JSON, as plain values). Raises ValueError if it has no name or version.

    Its packs are the `*.zip` of `binaryData`, and its plain keys where `sidegate.io/paths` says what paths they are. What
    holds neither, or cannot be understood, gets an empty pack, so that what it held before is kept and a diagnostic says why.
    """
    metadata = config_map.get("metadata") or {}
    namespace, name = metadata.get("namespace"), metadata.get("name")
    if not namespace or not name:
        raise ValueError("a ConfigMap without a name")
    created, version = str(metadata.get("creationTimestamp") or ""), Version.of(metadata.get("resourceVersion"))
    try:
        packs = _packs(config_map, f"{namespace}.{name}")
        problem = None
    except ValueError as error:
        packs, problem = {f"{namespace}.{name}.zip": b""}, f"ConfigMap {namespace}/{name}: {error}"
    return Source(str(namespace), str(name), created, version, packs, problem)


def _packs(config_map: Mapping[str, Any], prefix: str) -> dict[str, bytes]:
    zips = {k: v for k, v in (config_map.get("binaryData") or {}).items() if k.endswith(".zip")}
    files = _plain(config_map)
    if not zips and not files:
        raise ValueError(f"it has neither a pack (*.zip) nor files with the annotation {PATHS}")
    found = {f"{prefix}.zip": packed(files)} if files else {}
    for key, text in sorted(zips.items()):
        file = f"{prefix}.zip" if len(zips) == 1 and not files else f"{prefix}_{key}"  # no name has a `_`
        found[file] = _bytes(key, text)
    return found


def _plain(config_map: Mapping[str, Any]) -> dict[str, bytes]:
    """Plain keys by the paths they stand for."""
    said = ((config_map.get("metadata") or {}).get("annotations") or {}).get(PATHS)
    if said is None:
        return {}
    try:
        paths = json.loads(said)
    except (ValueError, TypeError):
        raise ValueError(f"its annotation {PATHS} is no JSON") from None
    if not isinstance(paths, dict) or not all(isinstance(path, str) for path in paths.values()):
        raise ValueError(f"its annotation {PATHS} is no object of texts")
    plain, binary = config_map.get("data") or {}, config_map.get("binaryData") or {}
    if missing := sorted(paths.keys() - plain.keys() - binary.keys()):
        raise ValueError(f"its annotation {PATHS} names a key that it has not: {missing[0]}")
    if len(set(paths.values())) < len(paths):
        raise ValueError(f"its annotation {PATHS} names a path twice")
    found = {path: str(plain[key]).encode() for key, path in paths.items() if key in plain}
    found |= {p: _bytes(key, binary[key]) for key, p in paths.items() if key in binary and not key.endswith(".zip")}
    return dict(sorted(found.items()))


def _bytes(key: str, text: object) -> bytes:
    try:
        return base64.b64decode(str(text), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"{key} is not base64") from None
