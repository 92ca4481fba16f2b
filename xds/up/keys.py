"""Keys: a signature key that lives as long as `sidegate up`, its public half as a file, and tokens signed with it."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from xds.failure import CannotRun
from xds.model import JwtScheme, Scheme

LIFETIME_S = 3600
"""How long a development token is valid."""


class Keys:
    """A fresh P-256 key. The private half is never written anywhere."""

    def __init__(self) -> None:
        from cryptography.hazmat.primitives.asymmetric import ec

        self._key = ec.generate_private_key(ec.SECP256R1())
        self._id = f"dev-{os.urandom(6).hex()}"

    @property
    def jwks(self) -> bytes:
        """The public half as a JSON Web Key Set (RFC 7517)."""
        public = self._key.public_key().public_numbers()
        point = {"x": _base64url(public.x.to_bytes(32, "big")), "y": _base64url(public.y.to_bytes(32, "big"))}
        key = {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": self._id, **point}
        return json.dumps({"keys": [key]}).encode()

    def write(self, path: Path) -> None:
        """Put the public keys where the settings say. Raises CannotRun if that cannot be written."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            scratch = path.with_name(f".{path.name}.{os.getpid()}")
            scratch.write_bytes(self.jwks)
            scratch.replace(path)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise CannotRun(f"the development keys cannot be written to {path}: {reason}") from error

    def token(self, claims: Mapping[str, Any]) -> str:
        """A signed JWT (RFC 7519, ES256) with the claims, valid from now for an hour unless they say otherwise."""
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
        from cryptography.hazmat.primitives.hashes import SHA256

        now = int(time.time())
        header = {"alg": "ES256", "typ": "JWT", "kid": self._id}
        payload = {"iat": now, "exp": now + LIFETIME_S, **claims}
        signed = ".".join(_base64url(json.dumps(part, separators=(",", ":")).encode()) for part in (header, payload))
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(SHA256())))
        return f"{signed}.{_base64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"  # RFC 7518, section 3.4


def issued_by(schemes: Iterable[Scheme]) -> dict[str, Any]:
    """`iss` and `aud` of a token that every one of the schemes takes that share the first one's issuer."""
    listed = [scheme for scheme in schemes if isinstance(scheme, JwtScheme)]
    if not listed:
        return {}
    audiences = sorted({a for scheme in listed if scheme.issuer == listed[0].issuer for a in scheme.audiences})
    return {"iss": listed[0].issuer, "aud": audiences[0] if len(audiences) == 1 else audiences}


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
