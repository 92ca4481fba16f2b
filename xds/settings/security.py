"""`security` -> the schemes that contracts name: who may sign, for whom, with which keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from xds.model import JwtScheme
from xds.settings.reader import Reader
from xds.source.pointer import escape


def files_of(security: Any) -> Iterator[str]:
    """The files that the section names; anything may stand there."""
    for scheme in security.values() if isinstance(security, dict) else ():
        jwks = scheme.get("jwks") if isinstance(scheme, dict) else None
        file = jwks.get("file") if isinstance(jwks, dict) else None
        if isinstance(file, str):
            yield file


def scheme(reader: Reader, name: str, value: Any) -> JwtScheme | None:
    at = f"/security/{escape(name)}"
    section = reader.mapping(value, at, ("issuer", "audiences", "jwks"))
    issuer = section.get("issuer")
    if not isinstance(issuer, str) or not issuer:
        reader.say("settings-invalid", "a scheme needs its `issuer`, the `iss` of its tokens", at)
        return None
    audiences = reader.texts(section.get("audiences"), f"{at}/audiences")
    if not audiences:
        help_ = "without it a token made for any other service of this issuer would do"
        reader.say("settings-invalid", "a scheme needs `audiences`", at, help_)
        return None
    jwks = _jwks(reader, section.get("jwks"), f"{at}/jwks")
    return JwtScheme(name, issuer, audiences, jwks, reader.place(at)) if jwks else None


def _jwks(reader: Reader, value: Any, at: str) -> str | None:
    section = reader.mapping(value, at, ("file",))
    file = section.get("file")
    if not isinstance(file, str):
        reader.say("settings-invalid", "`jwks` names the `file` that holds the keys", at)
        return None
    data = reader.files.get(file)
    if data is None:
        reader.say("jwks-unreadable", f"there is no readable file '{file}' in the project", f"{at}/file")
        return None
    if problem := _jwks_problem(data):
        reader.say("jwks-invalid", f"{file}: {problem}", f"{at}/file")
        return None
    return data.decode()


def _jwks_problem(data: bytes) -> str | None:
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
    return None
