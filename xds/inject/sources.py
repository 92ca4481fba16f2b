"""a folder of sources -> the ConfigMap that holds them, one key a file, as the library chart makes it."""

from __future__ import annotations

import base64
import json
import os
import re
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from xds.failure import CannotRun
from xds.inject.about import About
from xds.inject.values import Values
from xds.packs.secret import secret_files, secrets
from xds.settings import envs

LIMIT = 1_048_576  # of all data of a ConfigMap, keys included
_UNPRINTED = re.compile("[\x7f-\x9f\ufeff\ufffd-\uffff]")  # the library chart's rule


def read_folder(folder: Path, values: Values) -> Mapping[str, bytes]:
    """The folder's files by their paths; left out are dot files, and what `sources.secrets` mounts in their place.

    Raises CannotRun if it cannot be read, holds too much, or a secret: a ConfigMap is none.
    """
    if not folder.is_dir():
        raise CannotRun(f"{folder} is no folder of sources")
    try:
        found = {
            name: path.read_bytes().removeprefix(BOM_UTF8) for name, path in sorted(_files(folder))
        }  # as Helm reads
    except OSError as error:
        raise CannotRun(f"{error.filename} cannot be read: {error.strerror}") from error
    mounted = {item["path"] for secret in values["sources"]["secrets"] for item in secret["items"]}
    found = {name: data for name, data in found.items() if name not in mounted}
    _refuse_secrets(found)
    size = sum(len(name) + len(data) for name, data in found.items())
    if size > LIMIT:
        raise CannotRun(
            f"the files of {folder} are {size} bytes and a ConfigMap holds {LIMIT}; apply what `sidegate pack {folder}` "
            "writes (compressed) and name it in sources.configMaps, or build an image of the folder and set "
            "sources.image instead"
        )
    return found


def _refuse_secrets(files: Mapping[str, bytes]) -> None:
    found = {str(each.span and each.span.file): each.message for each in secrets(files)}
    named = secret_files(files, envs(files)) & files.keys()
    found |= dict.fromkeys(named, "the settings name it as a secret")
    if found:
        file, what = min(found.items())
        raise CannotRun(f"{file}: {what}, and a ConfigMap is none; take it out, and mount it with sources.secrets")


def keys(files: Mapping[str, bytes]) -> Mapping[str, str]:
    """Path -> key in the ConfigMap, where no `/` may stand. Raises CannotRun where two paths would be one key."""
    made: dict[str, str] = {}
    paths: dict[str, str] = {}
    for path in files:
        key = re.sub(r"[^-._A-Za-z0-9]", "_", path)
        if key in paths:
            raise CannotRun(f"{paths[key]} and {path} would be one key of a ConfigMap, {key}; rename one")
        made[path], paths[key] = key, path
    return made


def config_map(about: About, files: Mapping[str, bytes], labels: Mapping[str, str], namespace: str) -> dict[str, Any]:
    """The ConfigMap. Labelled so that the shared control plane finds it; the annotation gives each key its path back."""
    text = {about.files[path]: data.decode() for path, data in files.items() if _is_text(path, data)}
    binary = {key: base64.b64encode(files[path]).decode() for path, key in about.files.items() if key not in text}
    paths = {key: path for path, key in about.files.items()}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": about.sources_name,
            **({"namespace": namespace} if namespace else {}),
            "labels": {**labels, "sidegate.io/sources": "true", "sidegate.io/service": about.service},
            "annotations": {"sidegate.io/paths": json.dumps(paths, separators=(",", ":"), sort_keys=True)},
        },
        **({"data": text} if text else {}),
        **({"binaryData": binary} if binary else {}),
    }


def _is_text(path: str, data: bytes) -> bool:
    """Whether a file goes into `data`: no pack, and UTF-8 of characters that YAML prints."""
    try:
        return not path.endswith(".zip") and not _UNPRINTED.search(data.decode())
    except UnicodeDecodeError:
        return False


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for root, folders, names in os.walk(folder, followlinks=True):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for name in names:
            if not name.startswith("."):
                path = Path(root, name)
                yield path.relative_to(folder).as_posix(), path
