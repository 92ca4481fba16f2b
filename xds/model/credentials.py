"""What an operation asks of its caller: alternatives of credentials."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SchemeKind(StrEnum):
    """What a security scheme asks for: `http` bearer, `oauth2` and `openIdConnect` all ask for a JWT."""

    JWT = "jwt"
    KEY = "apiKey"
    BASIC = "basic"
    TLS = "mutualTLS"


@dataclass(frozen=True, slots=True)
class Credential:
    """One scheme of a security requirement with the `scopes` it asks for (role names for `http` schemes of 3.1).

    Of an API key, `place` (header, query or cookie) and `name` say where it is carried; a header's name is lower case.
    """

    scheme: str
    scopes: tuple[str, ...] = ()
    kind: SchemeKind = SchemeKind.JWT
    place: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Alternative:
    """One Security Requirement Object: all its credentials together; none at all means anonymous is enough."""

    credentials: tuple[Credential, ...]
