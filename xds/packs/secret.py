"""settings, files -> which of them hold secrets: no pack and no chart may."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from xds.diagnostics import Diagnostic, Span
from xds.settings import key_files, settings_document

_SECRET_TEXT = re.compile(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----")
_PRIVATE_MEMBERS = frozenset(("d", "k", "p", "q"))


def settings_of(files: Mapping[str, bytes], env: str | None) -> dict[str, Any]:
    """The settings as they are written, nothing if they cannot be read."""
    document, _ = settings_document(files, env)
    return document.value if document and isinstance(document.value, dict) else {}


def secret_files(files: Mapping[str, bytes], layers: Iterable[str]) -> set[str]:
    """The files with secrets that settings name, by themselves or with a layer over them."""
    return {file for env in (None, *layers) for file in _secret_files(files, env)}


def _secret_files(files: Mapping[str, bytes], env: str | None) -> set[str]:
    """The files with secrets that settings name: private keys, logins' secrets, consumers' keys, a collector's token."""
    open_ = set(key_files(files, env, closed=True))
    material = set(key_files(files, env)) - open_
    top = settings_of(files, env)
    security = top.get("security")
    schemes = security.values() if isinstance(security, dict) else ()
    keys = (scheme.get("keys") for scheme in schemes if isinstance(scheme, dict))
    consumers = {key["file"] for key in keys if isinstance(key, dict) and isinstance(key.get("file"), str)}
    return consumers | {file for file in material if not _is_public(file, top)} | set(_tokens(top))


def _tokens(top: Mapping[str, Any]) -> Iterator[str]:
    """What lets in at the collector of decisions; only companions read it."""
    log = top.get("decisionLog")
    token = log.get("authorization") if isinstance(log, dict) else None
    if isinstance(token, dict) and isinstance(token.get("file"), str):
        yield token["file"]


def _is_public(file: str, value: Any) -> bool:
    """Whether settings name a file as certificates: `cert`, `ca`."""
    if isinstance(value, dict):
        named = any(value.get(key) == file for key in ("cert", "ca", "clientCa"))
        return named or any(_is_public(file, item) for item in value.values())
    return isinstance(value, list) and any(_is_public(file, item) for item in value)


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
