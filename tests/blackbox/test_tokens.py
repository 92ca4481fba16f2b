"""J: tokens that are forged, misdirected, too old, too young, or meant for somebody else."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import time
from collections.abc import Callable, Iterator

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tests.blackbox.case import PUBLIC, Case, request, rows
from tests.blackbox.http1 import Exchange
from tests.blackbox.world import World
from tests.e2e.tokens import Issuer

GOOD = "/v1/items?limit=10"
ITEM = "/v1/items/1c9d3a52-4e0b-4a52-8f43-2f4b6f0a7c11"
P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@pytest.fixture(scope="module")
def stranger() -> Iterator[socket.socket]:
    """A socket that nobody must ever connect to."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


@pytest.fixture(scope="module", autouse=True)
def forged(world: World, stranger: socket.socket) -> None:
    """Every token of the table, under the name by which a row has it."""
    issuer, other, now = world.issuer, Issuer(world.issuer.name), int(time.time())
    away = f"http://127.0.0.1:{stranger.getsockname()[1]}/keys"
    key = json.loads(other.jwks())["keys"][0]
    world.tokens.update(
        {
            **{f"alg-{alg}": _unsigned(issuer, alg) for alg in ("none", "None", "nOnE")},
            "no-signature": issuer.token().rpartition(".")[0] + ".",
            "hmac": _hmac(issuer, "HS256"),
            "hmac-as-rsa": _hmac(issuer, "RS256"),
            "pss": _pss(issuer, "PS256"),
            "pss-as-rs256": _pss(issuer, "RS256"),
            "rsa-as-es256": _headed(issuer.token("RS256"), {"alg": "ES256", "kid": "es256"}),
            "es256-as-rs256": _headed(issuer.token("ES256"), {"alg": "RS256", "kid": "rs256"}),
            **{
                f"kid-{number}": issuer.token(headers={"kid": kid})
                for number, kid in enumerate(("../../dev/null", "' or 1=1 --", away))
            },
            "kid-list": _headed(issuer.token(), {"alg": "RS256", "kid": ["rs256"]}),
            "kid-missing": issuer.token(headers={"kid": None}),
            "two-lines": issuer.token(sub="reader\r\nx-role: admin"),
            "jku": other.token(headers={"jku": away, "x5u": away, "jwk": key}),
            "jwk": other.token(headers={"jwk": key}),
            "not-yet": issuer.token(nbf=now + 3600),
            "issued-later": issuer.token(iat=now + 3600),
            "expired": issuer.token(exp=now - 3600),
            "aud-wrong": issuer.token(aud="other"),
            "aud-list": issuer.token(aud=["other", "ref"]),
            "aud-part": issuer.token(aud="re"),
            "aud-longer": issuer.token(aud="reference"),
            "aud-case": issuer.token(aud="REF"),
            "scope-other": issuer.token(scope="items:administrator xitems:admin"),
            "scope-list": issuer.token(scope=["items:admin"]),
            "scp": issuer.token(scp=["items:admin"]),
            "jwe": _jwe({"alg": "RSA-OAEP", "enc": "A256GCM"}),
            "jwe-bomb": _jwe({"alg": "dir", "enc": "A256GCM", "zip": "DEF"}),
            "jwe-p2c": _jwe({"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 1 << 31, "p2s": "AAAA"}),
            "zero": _resigned(issuer.token("ES256"), lambda r, s: bytes(64)),
            "der": _resigned(issuer.token("ES256"), encode_dss_signature),
            "twin": _resigned(
                issuer.token("ES256"), lambda r, s: r.to_bytes(32, "big") + (P256 - s).to_bytes(32, "big")
            ),
            "tenant-a": issuer.token(tenant="a"),
        }
    )


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _headed(token: str, header: dict[str, object]) -> str:
    """A token under another header, its signature as it was."""
    return ".".join([_b64(json.dumps(header).encode()), *token.split(".")[1:]])


def _unsigned(issuer: Issuer, alg: str) -> str:
    return _headed(issuer.token(), {"alg": alg, "kid": "rs256", "typ": "JWT"}).rpartition(".")[0] + "."


def _hmac(issuer: Issuer, alg: str) -> str:
    """HMAC with the public key as the secret."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    secret = issuer.keys["RS256"].public_key().public_bytes(serialization.Encoding.PEM, form)
    signed = _headed(issuer.token(), {"alg": alg, "kid": "rs256"}).rpartition(".")[0]
    return f"{signed}.{_b64(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


def _pss(issuer: Issuer, alg: str) -> str:
    """Signed by the right RSA key with an algorithm that is not the key's."""
    signed = _headed(issuer.token(), {"alg": alg, "kid": "rs256"}).rpartition(".")[0]
    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256().digest_size)
    return f"{signed}.{_b64(issuer.keys['RS256'].sign(signed.encode(), scheme, hashes.SHA256()))}"


def _jwe(header: dict[str, object]) -> str:
    return ".".join(
        [_b64(json.dumps(header).encode()), _b64(b"k" * 32), _b64(b"i" * 12), _b64(b"\0" * 900), _b64(b"t" * 16)]
    )


def _resigned(token: str, change: Callable[[int, int], bytes]) -> str:
    signed, _, signature = token.rpartition(".")
    raw = _bytes(signature)
    return f"{signed}.{_b64(change(int.from_bytes(raw[:32], 'big'), int.from_bytes(raw[32:], 'big')))}"


def _challenged(world: World, exchange: Exchange) -> None:
    told = exchange.answer.header("www-authenticate") or ""
    assert told.startswith("Bearer"), told


def _not_logged(world: World, exchange: Exchange) -> None:
    time.sleep(0.3)
    assert world.tokens["reader"].rsplit(".", 1)[1] not in str(world.log())


def bearer(*lines: str) -> bytes:
    return request(GOOD, token=PUBLIC, headers=[f"Authorization: {line}" for line in lines])


def refused(id: str, token: str, code: str = "token-invalid", target: str = GOOD) -> Case:
    return Case(id, request(target, token=token), {401}, code, check=_challenged)


TOKENS = [
    Case("J01-none", request(GOOD, token=PUBLIC), {401}, "token-missing", check=_challenged),
    Case("J01-empty", bearer("Bearer "), {401}, check=_challenged),
    Case("J01-word", bearer("Bearer"), {401}, check=_challenged),
    Case("J01-basic", bearer("Basic YTpi"), {401}, "token-missing", check=_challenged),
    Case("J01-lower-case", bearer("bearer @reader@"), {200}),
    *(refused(f"J02-{alg}", f"alg-{alg}") for alg in ("none", "None", "nOnE")),
    Case("J01-upper-case", bearer("BEARER @reader@"), {200}),
    Case("J01-alike", bearer("Tutor @reader@"), {401}, "token-invalid", check=_challenged),
    refused("J02-empty-signature", "no-signature"),
    refused("J02-hmac", "hmac"),
    refused("J04-pss", "pss"),
    refused("J04-rsa-as-es256", "rsa-as-es256"),
    refused("J04-es256-as-rs256", "es256-as-rs256"),
    refused("J05-pss-as-rs256", "pss-as-rs256"),
    refused("J05-hmac-as-rsa", "hmac-as-rsa"),
    *(refused(f"J07-{number}", f"kid-{number}") for number in range(3)),
    refused("J07-list", "kid-list"),
    refused("J07-missing", "kid-missing"),
    Case(
        "J07-64-KiB",
        bearer("Bearer " + _b64(b'{"alg":"RS256","kid":"' + b"a" * 65536) + ".e30.e30"),
        {401, 431},
        untraced="431",
    ),
    refused("J08-jku", "jku"),
    refused("J08-jwk", "jwk"),
    refused("J10-not-yet", "not-yet"),
    refused("J10-issued-later", "issued-later"),
    refused("J10-expired", "expired", "token-expired"),
    refused("J11-wrong", "aud-wrong"),
    Case("J11-among-others", request(GOOD, token="aud-list"), {200}),
    refused("J11-part", "aud-part"),
    refused("J11-longer", "aud-longer"),
    refused("J11-case", "aud-case"),
    refused("J12-two-lines", "two-lines"),
    Case("J13-missing", request(ITEM, "DELETE"), {403}, "insufficient-scope"),
    Case("J13-alike", request(ITEM, "DELETE", "scope-other"), {403}, "insufficient-scope"),
    Case("J13-scope-as-list", request(ITEM, "DELETE", "scope-list"), {403}, "insufficient-scope"),
    Case("J13-scp", request(ITEM, "DELETE", "scp"), {200}),
    Case("J14-two-headers", bearer("Bearer @reader@", "Bearer @admin@"), {400, 401}),
    Case("J14-query", request(f"{GOOD}&access_token=@reader@", token=PUBLIC), {401}, check=_not_logged),
    Case("J14-query-too", request(f"{GOOD}&access_token=@reader@"), {400}, check=_not_logged),
    Case("J14-cookie", request(GOOD, token=PUBLIC, headers=["Cookie: token=@reader@"]), {401}),
    *(refused(f"J16-{name}", name) for name in ("jwe", "jwe-bomb", "jwe-p2c")),
    refused("J17-zero", "zero"),
    refused("J17-der", "der"),
    Case("J22-own-host", request("/zed/tenant", token="tenant-a", host="a.test"), {200}),
    Case("J22-other-host", request("/zed/tenant", token="tenant-a", host="b.test"), {403}, "policy-undefined"),
]


@rows(TOKENS)
def test_token(case: Case, run: Callable[[Case], object]) -> None:
    run(case)


def test_j08_nothing_goes_out(world: World, stranger: socket.socket) -> None:
    """Whatever a token names, nobody is asked for keys."""
    for name in ("jku", "jwk", "kid-2"):
        assert world.ask(request(GOOD, token=name)).status == 401
    with pytest.raises(BlockingIOError):
        stranger.accept()


def test_j17_a_malleable_twin_is_nobody_else(world: World) -> None:
    """ECDSA gives every signature a twin that is as valid; it is of the same subject, and what is cached is not another's."""
    mark = world.journal.mark()
    statuses = [world.ask(request("/v1/me", token=name)).status for name in ("twin", "reader", "twin")]
    assert statuses[1] == 200
    assert statuses[0] == statuses[2]
    subjects = {e.header("x-policy-sub") for e in world.journal.since(mark)}
    assert len(subjects) <= 1, subjects
