"""`jwks` -> the key set of an issuer: the text of a file, or where it is fetched."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from xds.model import RemoteKeys
from xds.native.quantities import DURATION, seconds
from xds.settings.reader import Reader

REFRESH_S = 300.0
SHORTEST_S = 1.0


def jwks(reader: Reader, value: Any, at: str) -> tuple[str | None, RemoteKeys | None]:
    """The text or the place of the keys; both None if something is wrong."""
    section = reader.mapping(value, at, ("file", "url", "refresh"))
    if ("file" in section) == ("url" in section):
        help_ = "{file: keys/jwks.json}, or {url: https://issuer.example.com/jwks.json}"
        reader.say("issuer-without-keys", "`jwks` names the `file` that holds the keys, or their `url`", at, help_)
        return None, None
    if "url" in section:
        return None, _remote(reader, section, at)
    return _local(reader, section["file"], at), None


def _remote(reader: Reader, section: dict[str, Any], at: str) -> RemoteKeys | None:
    url = endpoint(reader, section["url"], f"{at}/url", "`url`")
    refresh = section.get("refresh")
    if refresh is not None and not (isinstance(refresh, str) and re.fullmatch(DURATION["pattern"], refresh)):
        reader.say("settings-invalid", "`refresh` is a time like 5m", f"{at}/refresh")
        return None
    every = REFRESH_S if refresh is None else seconds(refresh)
    if every < SHORTEST_S:
        reader.say("settings-invalid", f"keys are fetched every {SHORTEST_S:g} s at most", f"{at}/refresh")
        return None
    return replace(url, refresh=every) if url else None


def endpoint(reader: Reader, value: Any, at: str, what: str) -> RemoteKeys | None:
    """A URL of the issuer's."""
    try:
        url = urlsplit(value) if isinstance(value, str) else None
        port = url.port if url else None
    except ValueError:
        url, port = None, None
    if url is None or url.scheme not in ("http", "https") or not url.hostname or url.username or url.fragment:
        reader.say("settings-invalid", f"{what} is a URL like https://issuer.example.com/keys", at)
        return None
    if url.scheme == "http" and url.hostname not in ("127.0.0.1", "::1", "localhost"):
        help_ = "whoever is in between could put in keys of their own"
        reader.say("settings-invalid", f"{what} is of https, save on this machine", at, help_)
        return None
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    return RemoteKeys(url.scheme, url.hostname, port or (443 if url.scheme == "https" else 80), path, REFRESH_S)


def _local(reader: Reader, file: Any, at: str) -> str | None:
    data = reader.files.get(reader.file(file, f"{at}/file")) if isinstance(file, str) else None
    if data is None:
        reader.say("jwks-unreadable", f"there is no readable file '{file}' in the project", f"{at}/file")
        return None
    if problem := _problem(data):
        reader.say("jwks-invalid", f"{file}: {problem}", f"{at}/file")
        return None
    return data.decode()


def _problem(data: bytes) -> str | None:
    """Why bytes are not a set of public signature keys (RFC 7517), or None."""
    try:
        keys = json.loads(data)["keys"]
    except (ValueError, KeyError, TypeError):
        return "not a JSON object with `keys` (RFC 7517)"
    if not isinstance(keys, list) or not keys or not all(isinstance(key, dict) for key in keys):
        return "`keys` must list at least one key"
    if any("d" in key for key in keys):
        return "holds a private key; keep only the public part here"
    kinds = {str(key.get("kty")) for key in keys}
    if unknown := kinds - {"RSA", "EC", "OKP"}:
        return f"key type {', '.join(sorted(unknown))} is not taken: only RSA, EC and OKP sign with a public key"
    if not any(_verifies(key) for key in keys):
        return "none of its keys verifies a signature: RS*, PS*, ES* or EdDSA (RFC 7518), with all its members"
    return None


_OCTETS = {"P-256": 32, "P-384": 48, "P-521": 66, "Ed25519": 32}
_ALGORITHMS = {"P-256": ("ES256",), "P-384": ("ES384",), "P-521": ("ES512",), "Ed25519": ("EdDSA", "Ed25519")}
_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")


def _verifies(key: dict[str, Any]) -> bool:
    """Whether signatures can be verified by a key; others of its set may be for something else."""
    curve, kind = key.get("crv"), key["kty"]
    algorithms: tuple[str, ...]
    sizes: list[tuple[str, int | None]]
    if kind == "RSA":
        algorithms, sizes = _RSA, [(name, None) for name in ("n", "e")]
    elif isinstance(curve, str) and curve in _OCTETS and (kind == "OKP") == (curve == "Ed25519"):
        names = ("x",) if kind == "OKP" else ("x", "y")
        algorithms, sizes = _ALGORITHMS[curve], [(name, _OCTETS[curve]) for name in names]
    else:
        return False
    right = key.get("alg", algorithms[0]) in algorithms and key.get("use", "sig") == "sig"
    return right and all(_holds(key.get(name), octets) for name, octets in sizes)


def _holds(value: Any, octets: int | None) -> bool:
    """Whether a member is a number in base64url, of so many octets (RFC 7518, section 6)."""
    if not isinstance(value, str) or not re.fullmatch("[A-Za-z0-9_-]+", value):
        return False
    return octets is None or len(value) == -(-octets * 4 // 3)
