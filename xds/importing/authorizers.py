"""Authorizers, API keys and `security` -> plain security schemes and requirements, and `security` of sidegate.yaml."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from xds.importing.export import Export, Method, X
from xds.importing.part import Notes, Part

_POOL = re.compile(r"arn:aws[a-z-]*:cognito-idp:([a-z0-9-]+):[0-9]*:userpool/([A-Za-z0-9_-]+)")
_COGNITO = re.compile(r"https://cognito-idp\.[a-z0-9-]+\.amazonaws\.com/.+")
DISCOVERY = "/.well-known/openid-configuration"
UNKNOWN_AUDIENCE = "replace-with-your-app-client-id"

TOKEN, KEY, NONE = "token", "key", ""


@dataclass(frozen=True, slots=True)
class Scheme:
    """A scheme as it will be: `kind` says what callers bring, or nothing (then `reason` says why nobody gets in).

    `plain` is its Security Scheme Object, `settings` its entry under `security` in sidegate.yaml.
    """

    name: str
    kind: str
    plain: Mapping[str, Any]
    settings: Mapping[str, Any]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What an operation asks for: `security` in OpenAPI's form, the scopes of which one is enough, whether a token or a
    key is among it, and why it must be refused (empty: it need not)."""

    security: tuple[Mapping[str, tuple[str, ...]], ...] = ()
    scopes: tuple[str, ...] = ()
    token: bool = False
    key: bool = False
    refused: str = ""

    @property
    def schemes(self) -> frozenset[str]:
        return frozenset(name for alternative in self.security for name in alternative)


def read_schemes(export: Export, audiences: Iterable[str], notes: Notes) -> dict[str, tuple[Scheme, ...]]:
    """The schemes by the export's names. One authorizer of several user pools is several schemes."""
    given = tuple(audiences)
    found = {}
    for name, part in export.top.get("components", "securitySchemes").items():
        found[name] = tuple(_schemes(name, part, given, export, notes))
    return found


def _schemes(name: str, part: Part, audiences: tuple[str, ...], export: Export, notes: Notes) -> Iterable[Scheme]:
    authorizer, source = part.get(f"{X}authorizer"), export.top.get(f"{X}api-key-source")
    kind = authorizer.text("type").lower()
    if part.text(f"{X}authtype").lower() == "awssigv4":
        help_ = "give callers tokens, keys or client certificates, declare them, and allow the operations in the policy"
        notes.refused(
            part, f"{name}: requests signed for IAM (SigV4) have no equivalent; what asks for them is refused", help_
        )
        yield Scheme(name, NONE, {}, {}, "AWS asked for a request signed for IAM")
    elif kind == "jwt":
        yield _jwt(name, part, authorizer, export, notes)
    elif kind == "cognito_user_pools":
        yield from _cognito(name, authorizer, audiences, export, notes)
    elif authorizer:
        help_ = "say in Rego what the function decides, over verified tokens or keys, and allow the operations there"
        notes.refused(
            authorizer, f"{name} is a Lambda authorizer, which has no equivalent; what asks for it is refused", help_
        )
        yield Scheme(name, NONE, {}, {}, f"the Lambda authorizer {name} decided")
    elif part.text("type") == "apiKey" and source.value == "AUTHORIZER":
        help_ = "let callers send the key itself, and take the key source out of the import"
        notes.refused(source, f"{name}: a Lambda authorizer named the API key; what asks for it is refused", help_)
        yield Scheme(name, NONE, {}, {}, "a Lambda authorizer named the API key")
    elif part.text("type") == "apiKey":
        yield _key(name, part, notes)
    else:
        notes.refused(part, f"{name} has no authorizer: what asks for it is refused", "configure it in sidegate.yaml")
        yield Scheme(name, NONE, {}, {}, f"nothing says who verifies {name}")


def _key(name: str, part: Part, notes: Notes) -> Scheme:
    file = f"keys/{name}.yaml"
    notes.todo(
        part,
        f"{name}: the keys are not in the export, and {file} holds none yet",
        f"sidegate key new --scheme {name} CONSUMER for each; a key of AWS's goes on if its SHA-256 is written there",
    )
    plain = {"type": "apiKey", "name": part.text("name") or "x-api-key", "in": part.text("in") or "header"}
    return Scheme(name, KEY, plain, {"keys": {"file": file}})


def _jwt(name: str, part: Part, authorizer: Part, export: Export, notes: Notes) -> Scheme:
    configuration = authorizer.get("jwtConfiguration")
    issuer = configuration.text("issuer") or part.text("openIdConnectUrl").removesuffix(DISCOVERY)
    audiences = configuration.get("audience").texts()
    source = authorizer.get("identitySource").texts()
    if source and [s.lower() for s in source] != ["$request.header.authorization"]:
        notes.refused(
            authorizer.get("identitySource"),
            f"{name}: tokens come from {', '.join(source)}; here they come in Authorization: Bearer; it is refused",
            "let callers send the Authorization header",
        )
        return Scheme(name, NONE, {}, {}, "its token came elsewhere than in Authorization")
    if not issuer:
        notes.refused(authorizer, f"{name} has no issuer; what asks for it is refused", "configure it in sidegate.yaml")
        return Scheme(name, NONE, {}, {}, f"{name} has no issuer")
    if not audiences:
        notes.todo(authorizer, f"{name} has no audience", f"put it in place of {UNKNOWN_AUDIENCE} in sidegate.yaml")
    if _COGNITO.fullmatch(issuer):
        _access_tokens(name, authorizer, export, notes)
    else:
        help_ = f"compare with jwks_uri in {issuer.rstrip('/')}{DISCOVERY}"
        notes.todo(authorizer, f"{name}: the place of the issuer's keys is taken to be {_jwks(issuer)}", help_)
    return _bearer(name, issuer, tuple(audiences) or (UNKNOWN_AUDIENCE,))


def _cognito(name: str, authorizer: Part, audiences: tuple[str, ...], export: Export, notes: Notes) -> Iterable[Scheme]:
    arns = authorizer.get("providerARNs")
    pools = [found for arn in arns.texts() if (found := _POOL.fullmatch(arn))]
    if not pools:
        notes.refused(
            authorizer, f"{name} names no user pool; what asks for it is refused", "configure it in sidegate.yaml"
        )
        yield Scheme(name, NONE, {}, {}, f"{name} names no user pool")
        return
    if not audiences:
        help_ = (
            f"give --audience CLIENT_ID, or put it in place of {UNKNOWN_AUDIENCE} in sidegate.yaml: no token does yet"
        )
        notes.todo(arns, f"{name}: AWS takes tokens for every app client of the pool; here they are named", help_)
    _access_tokens(name, authorizer, export, notes)
    for number, pool in enumerate(pools):
        issuer = f"https://cognito-idp.{pool[1]}.amazonaws.com/{pool[2]}"
        yield _bearer(f"{name}{number + 1 if number else ''}", issuer, audiences or (UNKNOWN_AUDIENCE,))


def _access_tokens(name: str, part: Part, export: Export, notes: Notes) -> None:
    """Cognito's access tokens say `client_id` where others say `aud`; ID tokens, which have no scopes, say `aud`."""
    scoped = any(
        scopes.texts()
        for method in export.methods
        for item in method.part.get("security").each()
        for key, scopes in item.items()
        if key == name
    )
    message = (
        f"{name}: Cognito's access tokens have no `aud`, so that they are refused here, where a token must have one"
    )
    help_ = "let a pre token generation trigger add `aud`; ID tokens have it"
    (notes.lost if scoped else notes.differs)(part, message, help_)


def _bearer(name: str, issuer: str, audiences: tuple[str, ...]) -> Scheme:
    plain = {"type": "openIdConnect", "openIdConnectUrl": f"{issuer.rstrip('/')}{DISCOVERY}"}
    settings = {"issuer": issuer, "audiences": list(audiences), "jwks": {"url": _jwks(issuer)}}
    return Scheme(name, TOKEN, plain, settings)


def _each(scopes: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Every scope by itself; nothing, once, if none is asked for."""
    return tuple((scope,) for scope in scopes) or ((),)


def _jwks(issuer: str) -> str:
    return f"{issuer.rstrip('/')}/.well-known/jwks.json"


def asked(export: Export, method: Method, schemes: Mapping[str, tuple[Scheme, ...]], notes: Notes) -> Asked:
    """What a method asks for.

    AWS asks for all that a method lists: an API key and one authorizer, and of an authorizer's scopes for one. OpenAPI's
    list is the other way round, so that the requirement is written anew.
    """
    written = method.part.get("security") or export.top.get("security")
    listed = [(name, scopes) for item in written.each() for name, scopes in item.items()]
    if written and (not isinstance(written.value, list) or not all(isinstance(item, dict) for item in written.value)):
        notes.refused(written, f"{method.where}: what it asks for cannot be read; it is refused")
        return Asked(refused="what AWS asked for could not be read")
    if (auth := method.part.get(f"{X}auth")) and auth.text("type").upper() != "NONE":
        help_ = "declare another scheme, and allow the operation in the policy"
        notes.refused(auth, f"{method.where} asks for a request signed for IAM; it is refused", help_)
        return Asked(refused="AWS asked for a request signed for IAM")
    keys: dict[str, tuple[str, ...]] = {}
    tokens: list[tuple[Scheme, tuple[str, ...]]] = []
    for name, scopes in listed:
        found = schemes.get(name, ())
        if not found or (nobody := next((s for s in found if s.kind == NONE), None)):
            return Asked(refused=nobody.reason if found and nobody else f"nothing says what {name} is")
        tokens += [(scheme, tuple(scopes.texts())) for scheme in found if scheme.kind == TOKEN]
        keys |= {scheme.name: () for scheme in found if scheme.kind == KEY}
    alternatives: list[Mapping[str, tuple[str, ...]]] = [
        {scheme.name: one, **keys} for scheme, scopes in tokens for one in _each(scopes)
    ]
    security = tuple(alternatives) or ((keys,) if keys else ())
    wanted = tuple(dict.fromkeys(scope for _, scopes in tokens for scope in scopes))
    return Asked(security, wanted, bool(tokens), bool(keys))
