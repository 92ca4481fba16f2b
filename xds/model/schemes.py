"""Configured security schemes: who may sign, which keys there are, which certificates."""

from __future__ import annotations

import json
from dataclasses import dataclass

from xds.place import Place


@dataclass(frozen=True, slots=True)
class RemoteKeys:
    """A key set that is fetched: from `host`, `port` and `path` over `scheme`, every `refresh` seconds."""

    scheme: str
    host: str
    port: int
    path: str
    refresh: float

    @property
    def url(self) -> str:
        """As it is asked for."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"


@dataclass(frozen=True, slots=True)
class Login:
    """How a browser gets a token: from `authorize` (a URL) by way of `token`, back at `redirect`, away by `signout` (paths).
    `secret` names the client's secret."""

    client_id: str
    secret: str
    authorize: str
    token: RemoteKeys
    redirect: str
    signout: str
    scopes: tuple[str, ...]

    @property
    def cookie_secret(self) -> str:
        """The name of the secret that cookies are signed and encrypted with."""
        return f"{self.secret}:cookies"


@dataclass(frozen=True, slots=True)
class JwtScheme:
    """A configured bearer scheme: who may sign, for whom, with which keys (`jwks` is the document's text, or they are
    `remote`). `forward` says that the upstream gets the token; `headers` are names and the claims that they carry there."""

    name: str
    issuer: str
    audiences: tuple[str, ...]
    jwks: str
    place: Place = Place("")
    remote: RemoteKeys | None = None
    forward: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    login: Login | None = None

    @property
    def has_several_keys(self) -> bool:
        """Whether a token has to name its key (`kid`): keys that are fetched may be several at any time, as they rotate."""
        return self.remote is not None or sum("kid" in key for key in json.loads(self.jwks)["keys"]) > 1


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a consumer, as the SHA-256 (64 hexadecimal digits) of what is presented. `plan` is the consumer's."""

    consumer: str
    sha256: str
    plan: str | None = None


@dataclass(frozen=True, slots=True)
class KeyScheme:
    """A configured scheme of API keys, or of users with generated passwords (HTTP basic: `user:password` is presented).

    `forward` says that the upstream gets the credential."""

    name: str
    keys: tuple[Key, ...]
    place: Place = Place("")
    forward: bool = False


@dataclass(frozen=True, slots=True)
class TlsScheme:
    """A configured scheme of client certificates: names (URI, DNS) or subjects that stand in them, and their consumers."""

    name: str
    consumers: tuple[tuple[str, str], ...]
    place: Place = Place("")


Scheme = JwtScheme | KeyScheme | TlsScheme
