"""one contract's file -> the files of a project that holds it alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import Any
from urllib.parse import unquote

from xds.failure import CannotRun
from xds.source import load

_MAX_PARTS = 2_000


@dataclass(frozen=True, slots=True)
class Single:
    """A contract that stands alone, laid out as `contracts/<service>/<version>/openapi.yaml` with its parts beside it.

    `root` is the contract's name there, `files` the bytes by name, `shown` the name by which the user knows each.
    """

    service: str
    version: str
    root: str
    files: Mapping[str, bytes]
    shown: Mapping[str, str]
    sources: Mapping[str, Path]


def read_single(contract: Path) -> Single:
    """Read a contract and every local file that its `$ref`s lead to inside its own folder.

    References to other places are left for the compiler to refuse. Raises CannotRun if the contract cannot be read.
    """
    contract = contract.absolute()
    service, version = _names(contract)
    ending = "openapi.json" if contract.suffix == ".json" else "openapi.yaml"
    folder = f"contracts/{service}/{version}"
    files: dict[str, bytes] = {}
    sources: dict[str, Path] = {}
    waiting = [contract.name]
    while waiting and len(files) < _MAX_PARTS:
        part = waiting.pop()
        name = f"{folder}/{ending if part == contract.name else part}"
        if name in files or (data := _read(contract.parent / part, contract)) is None:
            continue
        files[name], sources[name] = data, contract.parent / part
        waiting.extend(_references(part, data))
    shown = {name: _relative(path) for name, path in sources.items()}
    return Single(service, version, f"{folder}/{ending}", files, shown, sources)


def _names(contract: Path) -> tuple[str, str]:
    """Service and version for a contract: `shop-v2.yaml` is version v2 of shop; a mere `openapi.yaml` its folder's."""
    stem = contract.stem if contract.stem.lower() not in ("openapi", "index", "api") else contract.parent.name
    slug = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")
    found = re.fullmatch(r"(?:(.+?)-)?(v\d+)", slug)
    if found:
        return found[1] or "service", found[2]
    return (slug if slug and slug[0].isalpha() else "service"), "v1"


def _read(path: Path, contract: Path) -> bytes | None:
    try:
        if path.resolve().is_relative_to(contract.parent.resolve()) or path == contract:
            return path.read_bytes()
    except OSError as error:
        if path == contract:
            raise CannotRun(f"{contract} cannot be read: {(error.strerror or str(error)).lower()}") from error
    return None  # the compiler reports the reference that leads nowhere, with its place


def _references(part: str, data: bytes) -> Iterator[str]:
    """The files, relative to the contract's folder, that a document's `$ref`s and mappings name."""
    document, _ = load(part, data)
    for reference in _texts(document.value) if document else ():
        file = unquote(reference.partition("#")[0])
        if not file or "://" in file or file.startswith(("/", "\\")):
            continue
        target = normpath(str(PurePosixPath(part).parent / file))
        if not target.startswith(".."):
            yield target


def _texts(value: Any) -> Iterator[str]:
    """Every text under a `$ref`, without recursion: documents may be deep."""
    waiting = [value]
    while waiting:
        current = waiting.pop()
        if isinstance(current, dict):
            if isinstance(reference := current.get("$ref"), str):
                yield reference
            waiting.extend(current.values())
        elif isinstance(current, list):
            waiting.extend(current)


def _relative(path: Path) -> str:
    try:
        return path.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return path.as_posix()
