"""Scheme -> the Lua program that judges credentials; operation -> the requirement that the program is given with a request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from urllib.parse import quote

from xds.model import Alternative, Credential, JwtScheme, KeyScheme, Scheme, SchemeKind, TlsScheme
from xds.native.plans import DEFAULT
from xds.program.literal import literal

PRELUDE = """\
-- What no program needs is gone before any text that was generated.
for _, name in ipairs({ "ffi", "io", "os", "package", "require", "load", "loadstring", "loadfile", "dofile", "debug", "jit",
  "collectgarbage", "setfenv", "getfenv", "newproxy", "module" }) do _G[name] = nil end
"""


_NO_PLANS: Mapping[str, Mapping[str, object]] = {}


def program(schemes: Iterable[Scheme], plans: Mapping[str, Mapping[str, object]] = _NO_PLANS) -> str:
    """The program for a gateway's schemes. It holds hashes of keys, never keys. `plans` is what limits are told of each."""
    listed = sorted(schemes, key=lambda scheme: scheme.name)
    keys = {s.name: {key.sha256: key.consumer for key in s.keys} for s in listed if isinstance(s, KeyScheme)}
    names = {s.name: dict(s.consumers) for s in listed if isinstance(s, TlsScheme)}
    mine = {key.consumer: key.plan for s in listed if isinstance(s, KeyScheme) for key in s.keys if key.plan}
    data = f"local KEYS = {literal(keys)}\nlocal NAMES = {literal(names)}\n"
    data += f"local PLANS = {literal(plans)}\nlocal PLAN_OF = {literal(mine)}\nlocal DEFAULT = {literal(DEFAULT)}\n"
    return PRELUDE + sha256() + data + _text("auth.lua")


def sha256() -> str:
    """The Lua text that makes `SHA256` of a string, in hexadecimal digits."""
    return f"local SHA256 = (function()\n{_text('sha256.lua')}end)()\n"


@cache
def _text(name: str) -> str:
    return (files("xds.program") / name).read_text(encoding="utf-8")


def requirement(
    alternatives: tuple[Alternative, ...], schemes: Mapping[str, Scheme], token_key: Mapping[str, str]
) -> str:
    """What `requirement` in `auth.lua` reads. `token_key` is how jwt_authn's metadata calls a scheme."""
    each = ("&".join(_credential(c, schemes, token_key) for c in a.credentials) for a in alternatives)
    return "|".join(dict.fromkeys(each))


def _credential(credential: Credential, schemes: Mapping[str, Scheme], token_key: Mapping[str, str]) -> str:
    scheme = schemes[credential.scheme]
    kept = not isinstance(scheme, TlsScheme) and scheme.forward
    name = token_key[scheme.name] if isinstance(scheme, JwtScheme) else credential.name
    parts = (credential.kind, credential.scheme, credential.place, name, "1" if kept else "0", *credential.scopes)
    return ",".join(quote(part, safe="") for part in parts)


_CHALLENGES = {
    SchemeKind.JWT: "Bearer",
    SchemeKind.BASIC: 'Basic realm="gateway", charset="UTF-8"',
    SchemeKind.TLS: 'MutualTLS realm="gateway"',
}


def challenge(alternatives: Iterable[Alternative]) -> str:
    """The `WWW-Authenticate` of a 401: one challenge for each way in (RFC 9110, section 11.6.1)."""
    credentials = (c for alternative in alternatives for c in alternative.credentials)
    return ", ".join(dict.fromkeys(_challenge(credential) for credential in credentials))


def _challenge(credential: Credential) -> str:
    """No scheme is registered for keys; one of that name, which says where the key goes, is what clients know."""
    if credential.kind is SchemeKind.KEY:
        return f'ApiKey realm="gateway", in="{credential.place}", name="{quote(credential.name)}"'
    return _CHALLENGES[credential.kind]
