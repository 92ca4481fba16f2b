"""a service's folder -> one ConfigMap, byte for byte reproducible."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from xds.diagnostics import Diagnostic, Span
from xds.packs.archive import compressed
from xds.packs.secret import secret_files, secrets, settings_of
from xds.settings import envs, key_files, layer_file
from xds.source import read_tree

MAX_CONFIGMAP = 1024 * 1024
"""Kubernetes counts the bytes of all values after base64 is taken off (`MaxSecretSize` of its validation)."""
MAX_APPLIED = 262_144
"""`kubectl apply` keeps a copy of what it applied, base64 and all, in an annotation, of which there are so many bytes."""
MAX_RELEASED = 375_000
"""Helm keeps a release in a Secret of 1 MiB, and in it each file twice, in base64 twice: 2.7 times what a pack has."""

SOURCES, SERVICE, CHECKSUM = "sidegate.io/sources", "sidegate.io/service", "sidegate.io/sha256"
"""Labels by which sources are found, and the annotation with the SHA-256 of the pack."""

NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Packed:
    """A folder, packed. `data` is empty if an error is among the diagnostics; `files` are those that their places name."""

    data: bytes
    services: tuple[str, ...]
    diagnostics: tuple[Diagnostic, ...]
    files: Mapping[str, bytes]


def pack(root: Path) -> Packed:
    """Pack a service's folder: contracts, policies, settings with every layer, and the files that those name.

    Files with secrets that the settings name are left out (`pack-without-secret`); a secret anywhere else is an error.
    Codes: those of `xds.source.read_tree`, `pack-secret`, `pack-without-secret`, `pack-too-large`, `pack-large`.
    """
    layers = tuple(layer_file(env) for env in envs(path.name for path in root.glob("sidegate.*.yaml")))
    settings = read_tree(root, None, [name for name in layers if (root / name).is_file()])
    dev = _dev_keys(settings.files)
    named = {file for env in (None, *envs(layers)) for file in key_files(settings.files, env)} - dev
    secret = secret_files(settings.files, envs(layers))
    tree = read_tree(root, None, sorted({*layers, *(named - secret)} - settings.files.keys()))
    files = {**settings.files, **tree.files}
    said = [*tree.problems, *_left_out(sorted(secret)), *secrets(files)]
    services = tuple(sorted({f.split("/")[1] for f in files if f.startswith("contracts/") and f.count("/") > 1}))
    if not services:
        said.append(Diagnostic("no-contracts", "no contract found in contracts/<service>/<version>.yaml"))
    data = b"" if any(d.is_error for d in said) else compressed(files)
    return Packed(data, services, tuple(said), files)


def config_map(data: bytes, name: str, services: Iterable[str], namespace: str | None = None) -> str:
    """The manifest of a ConfigMap with a pack, as YAML; the same text for the same arguments on every machine."""
    # In quotes, all of them: YAML would take some for numbers, booleans or nothing.
    labels = [f'    {SOURCES}: "true"', *(f'    {SERVICE}: "{only}"' for only in _only(services))]
    return "\n".join(
        (
            "apiVersion: v1",
            "kind: ConfigMap",
            "metadata:",
            f'  name: "{name}"',
            *([f'  namespace: "{namespace}"'] if namespace else ()),
            "  labels:",
            *labels,
            "  annotations:",
            f'    {CHECKSUM}: "{hashlib.sha256(data).hexdigest()}"',
            "binaryData:",
            f"  {name}.zip: {base64.b64encode(data).decode()}",
            "",
        )
    )


def too_large(size: int) -> Iterator[Diagnostic]:
    """What is wrong with a pack of so many bytes as a ConfigMap."""
    if size > MAX_CONFIGMAP:
        help_ = (
            "mount the folder as an image volume (Kubernetes 1.33 and later) or from whatever else keeps a folder current;"
            " `--format zip` writes the pack without the ConfigMap"
        )
        message = f"the pack has {size:,} bytes, and a ConfigMap holds {MAX_CONFIGMAP:,}"
        yield Diagnostic("pack-too-large", message, None, help_)
    elif size * 4 // 3 > MAX_APPLIED:
        help_ = f"use `kubectl apply --server-side`; in a Helm chart up to {MAX_RELEASED:,} bytes fit into its release"
        message = f"the pack has {size:,} bytes: `kubectl apply` cannot keep its copy of that in an annotation"
        yield Diagnostic("pack-large", message, None, help_)


def _only(services: Iterable[str]) -> list[str]:
    """The service, if it is one and a label can say it."""
    found = list(services)
    return (
        found if len(found) == 1 and re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", found[0]) else []
    )


def _dev_keys(files: Mapping[str, bytes]) -> set[str]:
    """Keys that `sidegate up` makes at each start: nobody else holds them."""
    dev = settings_of(files, None).get("dev")
    keys = dev.get("keys") if isinstance(dev, dict) else None
    return {keys} if isinstance(keys, str) else set()


def _left_out(secret: Iterable[str]) -> Iterator[Diagnostic]:
    for file in secret:
        help_ = f"mount it from a Secret beside the pack, as <name of the pack>/{file}"
        yield Diagnostic(
            "pack-without-secret", f"{file} is not in the pack: a ConfigMap is not secret", Span(file), help_
        )
