"""A JWT's text, a key set -> whether one of its keys signed it (RFC 7515, RFC 7518), as the proxy's own library says it.

Of a token that names a `kid`, only keys of that id are tried, and keys without one; only keys of its `alg`, and keys without.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

Key = Mapping[str, Any]
Verify = Callable[[bytes, bytes], None]
"""Signature and what was signed; raises `InvalidSignature`."""

_CURVES = {"P-256": "SECP256R1", "P-384": "SECP384R1", "P-521": "SECP521R1"}
_ES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
ALGORITHMS = frozenset((*_ES, *_RSA, "EdDSA"))
"""What is taken: signatures with public keys (RFC 7518, section 3.1; RFC 8037)."""


def decoded(text: str) -> bytes:
    """Base64url without padding (RFC 7515, section 2). Raises ValueError."""
    if "=" in text or not text.isascii():
        raise ValueError("not base64url")
    try:
        return base64.b64decode(text.translate(_STANDARD) + "=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError("not base64url") from error


_STANDARD = str.maketrans("-_+/", "+/??")


def signed_by(keys: str, algorithm: str, kid: str | None, signed: bytes, signature: bytes) -> bool:
    """Whether a key of the set (its JSON text) made the signature."""
    from cryptography.exceptions import InvalidSignature

    for key in _keys(keys):
        if kid and key.get("kid") and key["kid"] != kid:
            continue
        if key.get("alg") and key["alg"] != algorithm:
            continue
        for verify in _ways(json.dumps(key, sort_keys=True), algorithm):
            try:
                verify(signature, signed)
            except InvalidSignature:
                continue
            return True
    return False


@lru_cache(maxsize=32)
def _keys(text: str) -> tuple[Key, ...]:
    return tuple(key for key in json.loads(text)["keys"] if isinstance(key, dict) and key.get("use", "sig") == "sig")


@lru_cache(maxsize=256)
def _ways(key: str, algorithm: str) -> tuple[Verify, ...]:
    """How a key verifies an algorithm's signatures; nothing if it is for others."""
    try:
        return tuple(_verifiers(json.loads(key), algorithm))
    except (ValueError, KeyError, TypeError):
        return ()  # a key that is none verifies nothing


def _verifiers(key: Key, algorithm: str) -> Iterator[Verify]:
    kind = key["kty"]
    if kind == "RSA" and algorithm in _RSA:
        yield _rsa(key, algorithm)
    elif kind == "EC" and _ES.get(algorithm) == key["crv"]:
        yield _ec(key, algorithm)
    elif kind == "OKP" and algorithm == "EdDSA" and key["crv"] == "Ed25519":
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        yield Ed25519PublicKey.from_public_bytes(decoded(key["x"])).verify


def _rsa(key: Key, algorithm: str) -> Verify:
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    public = rsa.RSAPublicNumbers(_number(key["e"]), _number(key["n"])).public_key()
    digest = _digest(algorithm)
    if algorithm.startswith("RS"):
        return lambda signature, signed: public.verify(signature, signed, padding.PKCS1v15(), digest)
    salted = padding.PSS(padding.MGF1(digest), padding.PSS.DIGEST_LENGTH)
    return lambda signature, signed: public.verify(signature, signed, salted, digest)


def _ec(key: Key, algorithm: str) -> Verify:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    curve = getattr(ec, _CURVES[key["crv"]])()
    public = ec.EllipticCurvePublicNumbers(_number(key["x"]), _number(key["y"]), curve).public_key()
    size = (curve.key_size + 7) // 8

    def verify(signature: bytes, signed: bytes) -> None:
        if len(signature) != 2 * size:
            raise InvalidSignature
        pair = encode_dss_signature(*(int.from_bytes(part, "big") for part in (signature[:size], signature[size:])))
        public.verify(pair, signed, ec.ECDSA(_digest(algorithm)))

    return verify


def _digest(algorithm: str) -> Any:
    from cryptography.hazmat.primitives import hashes

    return getattr(hashes, f"SHA{algorithm[2:]}")()


def _number(text: str) -> int:
    return int.from_bytes(decoded(text), "big")
