"""Rows' tokens and keys -> headers and query of real credentials, which the compilation under test takes.

The schemes of a project accept what its issuers sign and what its consumers hold; a test has neither. So they are given the
public half of a key that lives as long as the test, and hashes of keys that are made up for each consumer. Everything else
about a credential is judged as it will be.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from xds.compile import Compilation
from xds.model import Credential, JwtScheme, Key, KeyScheme, Operation, Scheme, SchemeKind
from xds.up.keys import Keys, issued_by


@dataclass(frozen=True, slots=True)
class Carried:
    """What a request carries of credentials."""

    headers: tuple[tuple[str, str], ...] = ()
    query: str = ""


class Callers:
    """Whoever asks in tests."""

    def __init__(self, compilation: Compilation, consumers: Iterable[str] = ()) -> None:
        self._keys = Keys()
        consumers = sorted(set(consumers))
        schemes = tuple(self._taking(scheme, consumers) for scheme in compilation.gateway.schemes)
        self.schemes: Mapping[str, Scheme] = {scheme.name: scheme for scheme in schemes}
        self.compilation = replace(compilation, gateway=replace(compilation.gateway, schemes=schemes))
        """The compilation, whose schemes take the callers' credentials beside nobody else's."""

    def _taking(self, scheme: Scheme, consumers: Iterable[str]) -> Scheme:
        if isinstance(scheme, JwtScheme):
            return replace(scheme, jwks=self._keys.jwks.decode(), remote=None)
        if isinstance(scheme, KeyScheme):
            made = (
                Key(name, hashlib.sha256(text.encode()).hexdigest()) for name in consumers for text in _secrets(name)
            )
            return replace(scheme, keys=(*scheme.keys, *made))
        return scheme

    def carried(self, operation: Operation | None, claims: Mapping[str, Any] | None, consumer: str | None) -> Carried:
        """The credentials of a request for an operation (None: for no operation at all)."""
        asked = [c for a in operation.security for c in a.credentials] if operation else []
        found: list[Carried] = []
        if claims is not None:
            found.append(Carried((("authorization", f"Bearer {self._token(asked, claims)}"),)))
        if consumer is not None:
            found += [_presented(c, consumer) for c in dict.fromkeys(asked) if c.kind in _KEYS][:1]
        return Carried(
            tuple(header for each in found for header in each.headers), "&".join(c.query for c in found if c.query)
        )

    def _token(self, asked: Iterable[Credential], claims: Mapping[str, Any]) -> str:
        """A token of the issuer that the operation's first scheme of tokens trusts, unless the claims say another."""
        named = [self.schemes[c.scheme] for c in asked if c.kind is SchemeKind.JWT and c.scheme in self.schemes]
        return self._keys.token({**issued_by(named or self.schemes.values()), **claims})


_KEYS = (SchemeKind.KEY, SchemeKind.BASIC)


def _secrets(consumer: str) -> tuple[str, str]:
    """A key, and a user with a password, as each kind of scheme hashes them."""
    return f"test-key-of-{consumer}", f"{consumer}:test-password"


def _presented(credential: Credential, consumer: str) -> Carried:
    key, user = _secrets(consumer)
    if credential.kind is SchemeKind.BASIC:
        return Carried((("authorization", f"Basic {base64.b64encode(user.encode()).decode()}"),))
    if credential.place == "query":
        return Carried(query=f"{quote(credential.name, safe='')}={quote(key, safe='')}")
    text = f"{credential.name}={key}" if credential.place == "cookie" else key
    return Carried((("cookie" if credential.place == "cookie" else credential.name, text),))
