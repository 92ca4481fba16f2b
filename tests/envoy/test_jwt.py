"""Tokens against a real Envoy: what it takes, what it refuses with 401, and what the companion is told."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from tests.e2e.tokens import Issuer
from tests.envoy.models import BEARER, bearer, gateway, operation, version
from tests.envoy.proxy import Got, Proxy, proxy
from xds.headers import claims_header
from xds.model import Alternative, Credential

OPTIONAL = (*BEARER, Alternative(()))
EITHER = (*BEARER, Alternative((Credential("partnerAuth"),)))
BOTH = (Alternative((Credential("bearer"), Credential("partnerAuth"))),)

ISSUER, PARTNER = Issuer(), Issuer("https://partner.test")


@pytest.fixture(scope="module")
def envoy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    operations = [
        operation("GET /closed", BEARER), operation("GET /optional", OPTIONAL), operation("GET /open"),
        operation("GET /either", EITHER), operation("GET /both", BOTH),
    ]  # fmt: skip
    one = json.dumps({"keys": json.loads(PARTNER.jwks())["keys"][:1]})
    partner = replace(bearer(one, "partnerAuth"), issuer=PARTNER.name)
    schemes = [replace(bearer(ISSUER.jwks()), headers=(("x-team", "team"),)), partner]
    with proxy(
        lambda port: gateway(version("catalog/v1", operations, f"http://127.0.0.1:{port}"), schemes=schemes),
        tmp_path_factory.mktemp("envoy"),
    ) as running:
        yield running


def _ask(envoy: Proxy, path: str, token: str | None, scheme: str = "Bearer") -> Got:
    return envoy.ask("GET", path, {"authorization": f"{scheme} {token}"} if token is not None else {})


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
def test_signed_tokens_are_taken(envoy: Proxy, alg: str) -> None:
    token = ISSUER.token(alg)
    assert _ask(envoy, "/closed", token).status == 200
    claims = envoy.companion.seen[-1].header(claims_header("bearer"))
    assert claims is not None
    assert json.loads(base64.urlsafe_b64decode(claims + "=="))["sub"] == "alice"
    assert envoy.upstream.seen[-1].header("authorization") is None, "credentials go no further unless asked"
    assert not [name for name, _ in envoy.upstream.seen[-1].headers if name.startswith("x-sidegate-")]


def test_scheme_word_has_no_case(envoy: Proxy) -> None:
    assert _ask(envoy, "/closed", ISSUER.token(), "bearer").status == 200


def test_audience_may_be_one_of_several(envoy: Proxy) -> None:
    assert _ask(envoy, "/closed", ISSUER.token(aud=["other", "ref"])).status == 200


def _forged(alg: str, sign: bool = True) -> str:
    """A token whose header says `alg`, signed with HMAC over the public key."""
    now = int(time.time())
    payload = {"iss": ISSUER.name, "aud": "ref", "sub": "mallory", "exp": now + 60}
    parts = [_b64(json.dumps(part).encode()) for part in ({"alg": alg, "kid": "rs256", "typ": "JWT"}, payload)]
    pem = (
        ISSUER.keys["RS256"]
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    signed = hmac.new(pem, ".".join(parts).encode(), hashlib.sha256).digest() if sign else b""
    return ".".join([*parts, _b64(signed)])


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _swapped(alg: str) -> str:
    """A good ES256 signature under a header that names another algorithm and key."""
    good = ISSUER.token("ES256")
    header = _b64(json.dumps({"alg": alg, "kid": "rs256"}).encode())
    return ".".join([header, *good.split(".")[1:]])


def _zero_signature() -> str:
    return ISSUER.token("ES256").rpartition(".")[0] + "." + _b64(bytes(64))


def _embedded() -> str:
    """Signed by a stranger whose key the token itself brings along."""
    stranger = Issuer()
    key: dict[str, Any] = json.loads(stranger.jwks())["keys"][0]
    return stranger.token(headers={"jwk": key, "jku": "http://127.0.0.1:1/", "x5u": "http://127.0.0.1:1/"})


INVALID = {
    "none": lambda: _forged("none", sign=False),
    "None": lambda: _forged("None", sign=False),
    "nOnE": lambda: _forged("nOnE", sign=False),
    "none with signature": lambda: _forged("none"),
    "HS256 with the public key": lambda: _forged("HS256"),
    "RS256 over HMAC": lambda: _forged("RS256"),
    "empty signature": lambda: ISSUER.token().rpartition(".")[0] + ".",
    "another key's signature": lambda: Issuer().token(),
    "key of the token's own": _embedded,
    "ES256 under RS256": lambda: _swapped("RS256"),
    "ES256 under PS256": lambda: _swapped("PS256"),
    "zero signature": _zero_signature,
    "no exp": lambda: ISSUER.token(exp=None),
    "wrong audience": lambda: ISSUER.token(aud="other"),
    "audience as prefix": lambda: ISSUER.token(aud="re"),
    "audience in other case": lambda: ISSUER.token(aud="REF"),
    "no audience": lambda: ISSUER.token(aud=None),
    "wrong issuer": lambda: ISSUER.token(iss="https://evil.test"),
    "no issuer": lambda: ISSUER.token(iss=None),
    "not yet": lambda: ISSUER.token(nbf=int(time.time()) + 3600),
    "crit": lambda: ISSUER.token(headers={"crit": ["exp"]}),
    "crit unknown": lambda: ISSUER.token(headers={"crit": ["urn:x"], "urn:x": True}),
    "crit empty": lambda: ISSUER.token(headers={"crit": []}),
    "kid is a path": lambda: ISSUER.token(headers={"kid": "../../dev/null"}),
    "no kid among several keys": lambda: ISSUER.token(headers={"kid": None}),
    "issued in the future": lambda: ISSUER.token(iat=int(time.time()) + 3600),
    **{f"control {sign!r} in sub": lambda sign=sign: ISSUER.token(sub=f"a{sign}b") for sign in "\0\n\x1f\x7f"},
    "control in a claim that is sent on": lambda: ISSUER.token(team="a\r\nx: y"),
    "not a token": lambda: "abc",
    "three dots": lambda: "a.b.c.d",
    "encrypted": lambda: "a.b.c.d.e",
}


@pytest.mark.parametrize("name", INVALID)
def test_other_tokens_are_refused(envoy: Proxy, name: str) -> None:
    before = len(envoy.companion.seen), len(envoy.upstream.seen)
    got = _ask(envoy, "/closed", INVALID[name]())
    assert (got.status, got.code) == (401, "token-invalid"), got
    assert got.headers["www-authenticate"].startswith("Bearer")
    assert (len(envoy.companion.seen), len(envoy.upstream.seen)) == before


def test_expired(envoy: Proxy) -> None:
    got = _ask(envoy, "/closed", ISSUER.token(exp=int(time.time()) - 3600))
    assert (got.status, got.code) == (401, "token-expired")


TAKEN = {
    "one key and no kid": lambda: PARTNER.token(headers={"kid": None}),
    "issued a moment ahead": lambda: PARTNER.token(iat=int(time.time()) + 30),
    "no iat": lambda: PARTNER.token(iat=None),
    "no sub": lambda: PARTNER.token(sub=None),
    "letters of other scripts": lambda: PARTNER.token(sub="\u00e4\u2028\U0001f600"),
}


@pytest.mark.parametrize("name", TAKEN)
def test_what_may_be_unusual(envoy: Proxy, name: str) -> None:
    assert _ask(envoy, "/either", TAKEN[name]()).status == 200


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEARER", "BeAReR"])
def test_the_name_of_the_scheme_has_no_case(envoy: Proxy, scheme: str) -> None:
    assert envoy.ask("GET", "/closed", {"authorization": f"{scheme} {ISSUER.token()}"}).status == 200


@pytest.mark.parametrize("before", ["xBearer ", "Tutor ", "x Bearer ", "Tutor Bearer ", "Digest r "])
def test_another_scheme_is_none(envoy: Proxy, before: str) -> None:
    seen = len(envoy.upstream.seen)
    got = envoy.ask("GET", "/closed", {"authorization": before + ISSUER.token()})
    assert (got.status, got.code) == (401, "token-invalid")
    assert len(envoy.upstream.seen) == seen


@pytest.mark.parametrize("value", [None, "Basic YTpi", "Bearer", "Bearer "])
def test_missing(envoy: Proxy, value: str | None) -> None:
    got = envoy.ask("GET", "/closed", {"authorization": value} if value is not None else {})
    assert got.status == 401
    assert got.code in ("token-missing", "token-invalid")
    assert got.headers["www-authenticate"].startswith("Bearer")


def test_token_in_the_query_is_none(envoy: Proxy) -> None:
    got = envoy.ask("GET", f"/closed?access_token={ISSUER.token()}")
    assert (got.status, got.code) == (401, "token-missing")


def test_two_authorization_headers(envoy: Proxy) -> None:
    good, bad = ISSUER.token(), Issuer().token()
    for first, second in ((good, bad), (bad, good)):
        request = (
            f"GET /closed HTTP/1.1\r\nhost: a\r\nconnection: close\r\n"
            f"authorization: Bearer {first}\r\nauthorization: Bearer {second}\r\n\r\n"
        )
        assert envoy.raw(request.encode()).split()[1] in (b"400", b"401")


def test_alternatives(envoy: Proxy) -> None:
    mine, theirs = ISSUER.token(), PARTNER.token()
    assert [_ask(envoy, "/optional", token).status for token in (None, mine, theirs, "junk")] == [200, 200, 401, 401]
    assert [_ask(envoy, "/either", token).status for token in (None, mine, theirs, "junk")] == [401, 200, 200, 401]
    assert [_ask(envoy, "/both", token).status for token in (None, mine, theirs)] == [401, 401, 401]
    assert _ask(envoy, "/either", theirs).status == 200
    told = envoy.companion.seen[-1]
    assert told.header(claims_header("partnerAuth"))
    assert not told.header(claims_header("bearer"))


def test_a_client_cannot_bring_claims(envoy: Proxy) -> None:
    forged = {claims_header("bearer"): _b64(b'{"sub":"root"}'), "x-sidegate-operation": "d a/b/c"}
    assert envoy.ask("GET", "/open", forged).status == 200
    assert envoy.companion.seen[-1].header(claims_header("bearer")) is None
    assert envoy.ask("GET", "/optional", forged).status == 200
    assert envoy.companion.seen[-1].header(claims_header("bearer")) is None
    assert str(envoy.companion.seen[-1].header("x-sidegate-operation")).endswith(" catalog/v1/get--optional")


def test_the_tests_own_signatures_are_good() -> None:
    key = ISSUER.keys["RS256"].public_key()
    assert jwt.decode(ISSUER.token(), key, ["RS256"], audience="ref")["sub"] == "alice"
