"""Headers, query -> what the proxy's program (`xds/program/auth.lua`) says of a request's credentials of all kinds.

A wrong credential is never anonymity; of several alternatives that are met, one with a key says who asks.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import unquote_to_bytes

from pytest_sidegate.tokens import Failure, Found
from sidecar.scopes import granted
from xds.model import Alternative, Credential, KeyScheme, Scheme, SchemeKind

WRONG: Any = object()
"""A credential is there, and it is not one that is taken."""


@dataclass(frozen=True, slots=True)
class Who:
    """Whoever a credential stands for."""

    consumer: str | None = None
    scopes: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Word:
    """The program's verdict: `pass`, `insufficient-scope`, `missing`, `invalid`, `expired`, `keys-unavailable`; who asks."""

    word: str
    consumer: str | None = None
    lack: tuple[str, ...] = ()


@dataclass(slots=True)
class Credentials:
    """The credentials of one request, looked at once each. `found` is what each scheme of tokens made of it."""

    schemes: Mapping[str, Scheme]
    headers: Mapping[str, str]
    query: str | None
    found: Mapping[str, Found]
    known: dict[Credential, Any] = field(default_factory=dict)
    wrong: bool = False
    expired: bool = False
    unknown: bool = False

    def judged(self, security: tuple[Alternative, ...]) -> Word:
        """The verdict on one operation's alternatives."""
        met: Who | None = None
        least: tuple[str, ...] | None = None
        for alternative in security:
            each = [self._brought(credential) for credential in alternative.credentials]
            brought = [who for who in each if who is not None]
            consumers = {who.consumer for who in brought if who.consumer}
            self.wrong |= len(consumers) > 1  # credentials that belong together are one consumer's
            if not each or len(brought) < len(each) or len(consumers) > 1:
                continue
            lack = tuple(
                s for c, w in zip(alternative.credentials, brought, strict=True) for s in c.scopes if _lacks(w, s)
            )
            who = Who(next(iter(consumers), None))
            if not lack and (met is None or (who.consumer and not met.consumer)):
                met = who
            elif lack and (least is None or len(lack) < len(least)):
                least = lack
        if met is not None:
            return Word("pass", met.consumer)
        if any(not alternative.credentials for alternative in security) and not self.wrong:
            return Word("pass")
        if least is not None:
            return Word("insufficient-scope", lack=least)
        if self.wrong and self.unknown:
            return Word("keys-unavailable")
        return Word(("expired" if self.expired else "invalid") if self.wrong else "missing")

    @property
    def brought(self) -> dict[str, dict[str, Any]]:
        """The schemes of keys and users whose credential is there and right; such a one has no claims."""
        known = ((c, who) for c, who in self.known.items() if c.kind is not SchemeKind.JWT)
        return {credential.scheme: {} for credential, who in known if who is not None}

    def _brought(self, credential: Credential) -> Who | None:
        if credential not in self.known:
            found = _PRESENT[credential.kind](self, credential)
            self.wrong |= found is WRONG
            self.known[credential] = None if found is WRONG else found
        who: Who | None = self.known[credential]
        return who

    def _key(self, credential: Credential) -> Any:
        texts = _carried(credential, self.headers, self.query)
        if not texts:
            return None
        return self._consumer(credential.scheme, texts[0].encode("latin-1")) if len(texts) == 1 and texts[0] else WRONG

    def _basic(self, credential: Credential) -> Any:
        line = self.headers.get("authorization", "")
        found = re.fullmatch(r"([A-Za-z]+) +(\S+)", line)
        if found is None:
            return WRONG if line[:5].lower() == "basic" else None
        if found[1].lower() != "basic":
            return None
        try:
            pair = base64.b64decode(found[2] + ("" if "=" in found[2] else "=" * (-len(found[2]) % 4)), validate=True)
        except (binascii.Error, ValueError):
            return WRONG
        return self._consumer(credential.scheme, pair) if b":" in pair else WRONG

    def _token(self, credential: Credential) -> Any:
        found = self.found[credential.scheme]
        if isinstance(found, Failure):
            self.expired |= found is Failure.EXPIRED
            self.unknown |= found is Failure.NO_KEYS
            return None if found is Failure.MISSING else WRONG
        return Who(None, granted(found))

    def _consumer(self, scheme: str, secret: bytes) -> Any:
        known = self.schemes[scheme]
        digest = sha256(secret).hexdigest()
        keys = known.keys if isinstance(known, KeyScheme) else ()
        return next((Who(key.consumer) for key in keys if key.sha256 == digest), WRONG)


_PRESENT: Mapping[SchemeKind, Callable[[Credentials, Credential], Any]] = {
    SchemeKind.KEY: Credentials._key,
    SchemeKind.BASIC: Credentials._basic,
    SchemeKind.JWT: Credentials._token,
    SchemeKind.TLS: lambda self, credential: None,  # there is no connection, and so no certificate
}


def _lacks(who: Who, scope: str) -> bool:
    return who.scopes is not None and scope not in who.scopes


def _carried(credential: Credential, headers: Mapping[str, str], query: str | None) -> list[str]:
    """Every text that is presented where a key is carried, as Latin-1."""
    if credential.place == "header":
        return [headers[credential.name]] if credential.name in headers else []
    if credential.place == "query":
        pairs = (pair.partition("=") for pair in query.split("&")) if query else ()
        return [_form(value) for name, _, value in pairs if _form(name) == credential.name]
    pairs = (pair.partition("=") for pair in headers.get("cookie", "").split(";"))
    named = [value.strip() for name, mark, value in pairs if mark and name.strip() == credential.name]
    return [v[1:-1] if len(v) > 1 and v[0] == v[-1] == '"' else v for v in named]


def _form(text: str) -> str:
    return unquote_to_bytes(text.replace("+", " ")).decode("latin-1")


def without_keys(security: tuple[Alternative, ...], schemes: Mapping[str, Scheme]) -> tuple[frozenset[str], ...]:
    """The names of headers, query parameters and cookies that are taken off before anybody else sees the request."""
    places: dict[str, set[str]] = {"header": set(), "query": set(), "cookie": set()}
    for credential in (c for alternative in security for c in alternative.credentials):
        scheme = schemes.get(credential.scheme)
        if credential.kind is SchemeKind.KEY and isinstance(scheme, KeyScheme) and not scheme.forward:
            places[credential.place].add(credential.name)
    return tuple(frozenset(names) for names in places.values())
