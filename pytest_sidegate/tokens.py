"""Authorization, schemes -> the claims that each scheme verified, or why a token is not one that it takes (RFC 7519).

What the proxy's `jwt_authn` does, in its order: form, issuer, subject, times, audience, signature; then what the filter
behind it refuses.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any

from pytest_sidegate.signatures import ALGORITHMS, decoded, signed_by
from xds.model import Alternative, JwtScheme

SKEW_S = 60
"""How far clocks may be apart."""

_CONTROL = re.compile("[\x00-\x1f\x7f]")


class Failure(StrEnum):
    """Why a scheme has no claims; the last ones weigh more where several schemes were tried."""

    MISSING = "missing"
    STRANGE = "strange"  # a token of another issuer
    INVALID = "invalid"
    EXPIRED = "expired"
    NO_KEYS = "no-keys"


Found = Mapping[str, Any] | Failure


@dataclass(frozen=True, slots=True)
class Token:
    """A token in parts, its signature not looked at."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    signed: bytes
    signature: bytes

    def is_refused(self, scheme: JwtScheme, now: float) -> bool:
        """Whether the gateway refuses it though its scheme verifies it: it asks for extensions (RFC 7515, section 4.1.11), does
        not name its key, was made later than now, or would break the headers that its claims go into."""
        if "crit" in self.header or (scheme.has_several_keys and "kid" not in self.header):
            return True
        sent = (claim_at(self.claims, path) for _, path in scheme.headers)
        return self.claims.get("iat", 0) > now + SKEW_S or any(isinstance(s, str) and _CONTROL.search(s) for s in sent)


@dataclass(slots=True)
class Tokens:
    """Judges tokens for the schemes of a gateway. `fetched` are key sets that were fetched, by scheme."""

    schemes: Mapping[str, JwtScheme]
    fetched: dict[str, str | None] = field(default_factory=dict)

    def verify(self, name: str, authorization: str | None, now: float) -> Found:
        """What one scheme makes of a request's `Authorization`."""
        text = bearer(authorization)
        if text is None:
            return Failure.MISSING
        token = parsed(text)
        if token is None:
            return Failure.INVALID
        scheme, claims = self.schemes[name], token.claims
        if claims.get("iss") != scheme.issuer:
            return Failure.STRANGE
        if _CONTROL.search(claims.get("sub", "")):
            return Failure.INVALID
        if not isinstance(claims.get("exp"), int | float) or claims.get("nbf", 0) > now + SKEW_S:
            return Failure.INVALID
        if claims["exp"] < now - SKEW_S:
            return Failure.EXPIRED
        if _audiences(claims.get("aud")).isdisjoint(map(_bare, scheme.audiences)):
            return Failure.INVALID
        keys = self._keys(scheme)
        if keys is None:
            return Failure.NO_KEYS
        if not signed_by(keys, token.header["alg"], token.header.get("kid"), token.signed, token.signature):
            return Failure.INVALID
        return claims

    def refuses(self, verified: Iterable[str], authorization: str | None, now: float) -> bool:
        """Whether a token is refused though the schemes `verified` take it."""
        token = parsed(bearer(authorization) or "")
        if token is None or not (schemes := [self.schemes[name] for name in verified]):
            return False
        return not is_bearer(authorization or "") or any(token.is_refused(scheme, now) for scheme in schemes)

    def _keys(self, scheme: JwtScheme) -> str | None:
        """The text of a scheme's key set; None if it cannot be had."""
        if scheme.remote is None:
            return scheme.jwks
        if scheme.name not in self.fetched:
            self.fetched[scheme.name] = _fetched(scheme.remote.url)
        return self.fetched[scheme.name]


def bearer(authorization: str | None) -> str | None:
    """What is taken for the token in an `Authorization`, None if nothing is: all behind the first `r` and space."""
    found = re.search(r"[rR] [^A-Za-z0-9_.-]*(.*)", authorization or "")
    return (found[1] or authorization) if found else None


def is_bearer(authorization: str) -> bool:
    """Whether the scheme's name is that of tokens, which has no case (RFC 9110, section 11.1)."""
    return authorization[:7].lower() == "bearer "


def claim_at(claims: Mapping[str, Any], path: str) -> Any:
    """A claim by its name, or by its path `a.b`."""
    found: Any = claims
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


@lru_cache(maxsize=1024)
def parsed(text: str) -> Token | None:
    """A JWS in compact form, None if it is none, or of a form or an algorithm that is not taken."""
    parts = text.split(".")
    if len(parts) != 3:
        return None
    try:
        header, claims, signature = json.loads(decoded(parts[0])), json.loads(decoded(parts[1])), decoded(parts[2])
    except (ValueError, RecursionError):
        return None
    if not isinstance(header, dict) or not isinstance(claims, dict) or header.get("alg") not in ALGORITHMS:
        return None
    texts = (header.get("kid", ""), claims.get("iss", ""), claims.get("sub", ""), claims.get("jti", ""))
    times = (claims.get(name, 0) for name in ("exp", "nbf", "iat"))
    if not all(isinstance(each, str) for each in texts) or not all(map(_is_time, times)):
        return None
    return Token(header, claims, f"{parts[0]}.{parts[1]}".encode(), signature)


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _audiences(value: Any) -> frozenset[str]:
    listed = value if isinstance(value, list) else [value]
    return frozenset(_bare(each) for each in listed if isinstance(each, str))


def _bare(audience: str) -> str:
    """An audience as the proxy compares it: without the scheme of a URL and a slash at its end."""
    return audience.removeprefix("https://").removeprefix("http://").removesuffix("/")


def _fetched(url: str) -> str | None:
    from urllib.request import ProxyHandler, build_opener

    try:
        with build_opener(ProxyHandler({})).open(url, timeout=3) as answer:
            text: str = answer.read().decode()
        return text if isinstance(json.loads(text)["keys"], list) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def required(security: Iterable[Alternative], found: Mapping[str, Found]) -> Failure | None:
    """Why no alternative of tokens is met; None if one is. Scopes are not looked at (jwt_authn, `requires_any`)."""
    worst = Failure.MISSING
    weights = list(Failure)
    anonymous = False
    for alternative in security:
        failed = next((f for c in alternative.credentials if isinstance(f := found[c.scheme], Failure)), None)
        if not alternative.credentials:
            anonymous = True
        elif failed is None:
            return None
        elif weights.index(failed) >= weights.index(worst):
            worst = failed
    return None if anonymous and worst is Failure.MISSING else worst
