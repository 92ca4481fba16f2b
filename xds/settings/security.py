"""`security` -> the schemes that contracts name: who may sign, who has which keys, whose certificates count."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from xds.model import JwtScheme, KeyScheme, Scheme, TlsScheme
from xds.settings.jwks import jwks
from xds.settings.keys import CONSUMER, keys
from xds.settings.login import login
from xds.settings.reader import Reader
from xds.source.pointer import escape

_KINDS = ("issuer", "keys", "certificates")
_TOKEN_KEYS = ("issuer", "audiences", "jwks", "forward", "headers", "login")


def files_of(security: Any) -> Iterator[str]:
    """The files that the section names; anything may stand there."""
    for scheme in security.values() if isinstance(security, dict) else ():
        for key in ("jwks", "keys"):
            section = scheme.get(key) if isinstance(scheme, dict) else None
            file = section.get("file") if isinstance(section, dict) else None
            if isinstance(file, str):
                yield file


def scheme(reader: Reader, name: str, value: Any) -> Scheme | None:
    """One scheme. Tokens have an `issuer`, keys and users `keys`, client certificates `certificates`."""
    at = f"/security/{escape(name)}"
    section = reader.mapping(value, at)
    if "keys" in section:
        return _keys(reader, name, section, at)
    if "certificates" in section:
        return _certificates(reader, name, section, at)
    return _token(reader, name, section, at)


def _keys(reader: Reader, name: str, section: dict[str, Any], at: str) -> KeyScheme | None:
    reader.mapping(section, at, ("keys", "forward"))
    forward = _yes(reader, section, "forward", at)
    found = keys(reader, section["keys"], f"{at}/keys")
    return KeyScheme(name, found, reader.place(at), forward) if found is not None else None


def _certificates(reader: Reader, name: str, section: dict[str, Any], at: str) -> TlsScheme | None:
    reader.mapping(section, at, ("certificates",))
    listed = reader.mapping(section["certificates"], f"{at}/certificates")
    for written, consumer in listed.items():
        if not isinstance(consumer, str) or not CONSUMER.fullmatch(consumer):
            message = "a name in a certificate stands for a consumer: up to 64 letters, digits and . _ @ + -"
            reader.say("settings-invalid", message, f"{at}/certificates/{escape(written)}")
            return None
    if not listed:
        help_ = 'like {"spiffe://example.com/mobile": mobile}, a URI, a DNS name or a whole subject'
        reader.say("settings-invalid", "`certificates` says which name is which consumer", f"{at}/certificates", help_)
        return None
    return TlsScheme(name, tuple(sorted(listed.items())), reader.place(at))


def _token(reader: Reader, name: str, section: dict[str, Any], at: str) -> JwtScheme | None:
    reader.mapping(section, at, _TOKEN_KEYS if "issuer" in section else (*_TOKEN_KEYS, *_KINDS))
    issuer = section.get("issuer")
    if not isinstance(issuer, str) or not issuer:
        help_ = "a scheme of API keys or users has `keys`, one of client certificates `certificates`"
        reader.say("settings-invalid", "a scheme needs its `issuer`, the `iss` of its tokens", at, help_)
        return None
    audiences = reader.texts(section.get("audiences"), f"{at}/audiences")
    if not audiences:
        help_ = "without it a token made for any other service of this issuer would do"
        reader.say("settings-invalid", "a scheme needs `audiences`", at, help_)
        return None
    if (empty := next((n for n, audience in enumerate(audiences) if not audience.strip()), None)) is not None:
        help_ = "the `aud` that the issuer writes into tokens for this service"
        reader.say("settings-invalid", "an audience is a text with something in it", f"{at}/audiences/{empty}", help_)
        return None
    local, remote = jwks(reader, section.get("jwks"), f"{at}/jwks")
    headers = _headers(reader, section.get("headers"), f"{at}/headers")
    if local is None and remote is None:
        return None
    forward = _yes(reader, section, "forward", at)
    browsers = login(reader, name, section["login"], f"{at}/login") if "login" in section else None
    return JwtScheme(name, issuer, audiences, local or "", reader.place(at), remote, forward, headers, browsers)


def _yes(reader: Reader, section: dict[str, Any], key: str, at: str) -> bool:
    value = section.get(key, False)
    if not isinstance(value, bool):
        reader.say("settings-invalid", f"`{key}` is true or false", f"{at}/{key}")
    return value is True


_HEADER = re.compile(r"[a-z0-9][a-z0-9-]*")
_CLAIM = re.compile(r"[^\s.%]+(?:\.[^\s.%]+)*")
_RESERVED = ("x-sidegate-", "x-envoy-", "x-forwarded-", "content-", "sec-", "proxy-")
_MEANINGFUL = frozenset(
    (
        *("accept", "authorization", "connection", "cookie", "expect", "host", "origin", "range", "te", "traceparent"),
        *("trailer", "transfer-encoding", "upgrade"),
    )
)


def _headers(reader: Reader, value: Any, at: str) -> tuple[tuple[str, str], ...]:
    """Header names, and the claims of a verified token that the upstream gets in them."""
    found = {}
    for name, claim in reader.mapping(value, at).items():
        inside, lower = f"{at}/{escape(name)}", name.lower()
        if not _HEADER.fullmatch(lower) or lower.startswith(_RESERVED) or lower in _MEANINGFUL:
            reader.say(
                "settings-invalid", f"'{name}' cannot carry a claim: it means something else", inside, "like x-user"
            )
        elif not isinstance(claim, str) or not _CLAIM.fullmatch(claim):
            reader.say("settings-invalid", "a header carries a claim by its name, or by its path `a.b`", inside)
        else:
            found[lower] = claim
    return tuple(sorted(found.items()))
