"""a service's folder -> one ConfigMap, byte for byte reproducible; what must not or cannot be in it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xds.diagnostics import Diagnostic, Span
from xds.packs.archive import compressed
from xds.settings import FILE, envs, key_files, layer_file, settings_document
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
_ELSEWHERE = re.compile(r"(?i)[0-9_.]+(e[0-9]+)?|0[box][0-9a-f_]+|y|n|yes|no|on|off|true|false|null")
"""Names that YAML takes for numbers, booleans or nothing."""
_SECRET_TEXT = re.compile(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----")
_PRIVATE_MEMBERS = frozenset(("d", "k", "p", "q"))


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
    labels = [f'    {SOURCES}: "true"', *(f"    {SERVICE}: {_quoted(only)}" for only in _only(services))]
    return "\n".join(
        (
            "apiVersion: v1",
            "kind: ConfigMap",
            "metadata:",
            f"  name: {_quoted(name)}",
            *([f"  namespace: {_quoted(namespace)}"] if namespace else ()),
            "  labels:",
            *labels,
            "  annotations:",
            f"    {CHECKSUM}: {_quoted(hashlib.sha256(data).hexdigest())}",
            "binaryData:",
            f"  {name}.zip: {base64.b64encode(data).decode()}",
            "",
        )
    )


def _quoted(name: str) -> str:
    """A name in YAML, marked as a text where it would be read as something else."""
    return f'"{name}"' if _ELSEWHERE.fullmatch(name) else name


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


def _top(files: Mapping[str, bytes], env: str | None) -> dict[str, Any]:
    document, _ = settings_document(files, env)
    return document.value if document and isinstance(document.value, dict) else {}


def _dev_keys(files: Mapping[str, bytes]) -> set[str]:
    """Keys that `sidegate up` makes at each start: nobody else holds them."""
    dev = _top(files, None).get("dev")
    keys = dev.get("keys") if isinstance(dev, dict) else None
    return {keys} if isinstance(keys, str) else set()


def secret_files(files: Mapping[str, bytes], layers: Iterable[str]) -> set[str]:
    """The files with secrets that settings name, by themselves or with a layer over them."""
    return {file for env in (None, *layers) for file in _secret_files(files, env)}


def _secret_files(files: Mapping[str, bytes], env: str | None) -> set[str]:
    """The files with secrets that settings name: private keys, logins' secrets, consumers' keys."""
    open_ = set(key_files(files, env, closed=True))
    material = set(key_files(files, env)) - open_
    top = _top(files, env)
    security = top.get("security")
    schemes = security.values() if isinstance(security, dict) else ()
    keys = (scheme.get("keys") for scheme in schemes if isinstance(scheme, dict))
    consumers = {key["file"] for key in keys if isinstance(key, dict) and isinstance(key.get("file"), str)}
    return consumers | {file for file in material if not _is_public(file, top)}


def _is_public(file: str, value: Any) -> bool:
    """Whether settings name a file as certificates: `cert`, `ca`."""
    if isinstance(value, dict):
        named = any(value.get(key) == file for key in ("cert", "ca", "clientCa"))
        return named or any(_is_public(file, item) for item in value.values())
    return isinstance(value, list) and any(_is_public(file, item) for item in value)


def _left_out(secret: Iterable[str]) -> Iterator[Diagnostic]:
    for file in secret:
        help_ = f"mount it from a Secret beside the pack, as <name of the pack>/{file}"
        yield Diagnostic(
            "pack-without-secret", f"{file} is not in the pack: a ConfigMap is not secret", Span(file), help_
        )


def secrets(files: Mapping[str, bytes]) -> Iterator[Diagnostic]:
    """Private keys in files, as `pack-secret`."""
    for file, data in sorted(files.items()):
        if found := _SECRET_TEXT.search(data):
            line = data.count(b"\n", 0, found.start()) + 1
            help_ = "take it out of the folder, and mount it from a Secret"
            yield Diagnostic("pack-secret", "a private key", Span(file, line, 1), help_)
        elif file.endswith(".json") and _is_private_set(data):
            yield Diagnostic("pack-secret", "a key set with private keys", Span(file), "keep only the public part here")


def _is_private_set(data: bytes) -> bool:
    try:
        keys = json.loads(data)["keys"]
    except (ValueError, KeyError, TypeError):
        return False
    listed = keys if isinstance(keys, list) else []
    return any(isinstance(key, dict) and "kty" in key and _PRIVATE_MEMBERS & key.keys() for key in listed)


__all__ = ["FILE", "NAME", "Packed", "config_map", "pack", "secret_files", "secrets", "too_large"]
