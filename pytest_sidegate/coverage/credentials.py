"""headers, query -> which alternatives of a security requirement a request that was let in has met."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from sidecar.scopes import granted
from xds.model import Credential, JwtScheme, Operation, Scheme, SchemeKind


def met(
    operation: Operation, schemes: Mapping[str, Scheme], headers: Mapping[str, str], query: str | None
) -> tuple[int, ...]:
    """The indexes of the alternatives all of whose credentials a request carries.

    Whether they are right is not looked at: that is what the gateway let the request in for, since a wrong credential is
    refused even where none is needed. Client certificates are not in a request, so that they never count.
    """
    claims = _claims(headers.get("authorization", ""))
    return tuple(
        index
        for index, alternative in enumerate(operation.security)
        if all(_carries(c, schemes.get(c.scheme), claims, headers, query) for c in alternative.credentials)
    )


def _carries(
    credential: Credential,
    scheme: Scheme | None,
    claims: Mapping[str, Any] | None,
    headers: Mapping[str, str],
    query: str | None,
) -> bool:
    if credential.kind is SchemeKind.JWT:
        trusted = not isinstance(scheme, JwtScheme) or claims is None or claims.get("iss") in (None, scheme.issuer)
        return claims is not None and trusted and granted(claims).issuperset(credential.scopes)
    if credential.kind is SchemeKind.BASIC:
        return headers.get("authorization", "")[:6].lower() == "basic "
    if credential.kind is SchemeKind.TLS:
        return False
    if credential.place == "query":
        return any(name == credential.name for name, _ in parse_qsl(query or "", keep_blank_values=True))
    if credential.place == "cookie":
        pairs = headers.get("cookie", "").split(";")
        return any(pair.partition("=")[0].strip() == credential.name for pair in pairs)
    return credential.name in headers


def _claims(authorization: str) -> Mapping[str, Any] | None:
    """The claims of a bearer token, unverified."""
    scheme, _, token = authorization.partition(" ")
    parts = token.strip().split(".")
    if scheme.lower() != "bearer" or len(parts) != 3:
        return None
    try:
        text = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        claims = json.loads(text)
    except (binascii.Error, ValueError):
        return None
    return claims if isinstance(claims, dict) else None
