"""Signing keys and tokens, made anew for every run; nothing of them is ever written outside a temporary folder."""

from __future__ import annotations

import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

ISSUER = "https://issuer.test"


class Issuer:
    """An issuer with one key each for RS256, ES256 and EdDSA."""

    def __init__(self, name: str = ISSUER) -> None:
        self.name = name
        self.keys: dict[str, Any] = {
            "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
            "ES256": ec.generate_private_key(ec.SECP256R1()),
            "EdDSA": ed25519.Ed25519PrivateKey.generate(),
        }

    def jwks(self) -> str:
        """The public keys as a JWK Set document."""
        return json.dumps({"keys": [self._jwk(alg) for alg in self.keys]})

    def _jwk(self, alg: str) -> dict[str, Any]:
        text = jwt.get_algorithm_by_name(alg).to_jwk(self.keys[alg].public_key())
        return {**json.loads(text), "kid": alg.lower(), "alg": alg, "use": "sig"}

    def token(self, alg: str = "RS256", headers: dict[str, Any] | None = None, **claims: Any) -> str:
        """A token of this issuer for audience `ref`, good for an hour; a claim or header given as None is left out."""
        now = int(time.time())
        payload = {"iss": self.name, "aud": "ref", "sub": "alice", "iat": now, "exp": now + 3600, **claims}
        payload = {name: value for name, value in payload.items() if value is not None}
        head = {"kid": alg.lower(), **(headers or {})}
        return jwt.encode(payload, self.keys[alg], alg, headers={k: v for k, v in head.items() if v is not None})
