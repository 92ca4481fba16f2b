"""A project's folder -> Staged: the same project as its tests run it, with callers that a test can be.

Contracts and policies stay as they are. Of sidegate.yaml, what names other machines is changed: whoever signs tokens is a key
that lives as long as the tests, consumers have keys that tests know, requests go where the test says, and nothing listens
but where the test asks.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from pytest_sidegate.sound import sound
from xds.compile import Compilation, Compiler
from xds.contract.shown import ShownOperation, shown
from xds.dev import parse_dev
from xds.model import Credential, JwtScheme, Operation, Place, SchemeKind, Version
from xds.project.offline import read_offline
from xds.settings import FILE, settings_document
from xds.source import load
from xds.up.keys import Keys, issued_by

JWKS = "test-keys/jwks.json"
NOWHERE = "http://127.0.0.1:9"
"""The discard port, where nobody answers: for projects whose requests are only judged."""


@dataclass(slots=True)
class Staged:
    """A project ready for tests. `files` are what a gateway is started on, `compilation` is what they compile to."""

    root: Path
    files: Mapping[str, bytes]
    compilation: Compilation
    keys: Keys
    tokens: Mapping[str, Mapping[str, Any]]
    _shown: dict[str, dict[Place, ShownOperation]] = field(default_factory=dict)

    @classmethod
    def of(cls, root: Path, env: str | None = None, upstream: str = NOWHERE, opa: str | None = None) -> Staged:
        """Read a project. Raises `CannotRun` if it is none, or if a service of it does not compile."""
        tree, keys = read_offline(root, env), Keys()
        document, _ = settings_document(tree.files, env)
        value = dict(document.value) if document is not None and isinstance(document.value, dict) else {}
        tokens = parse_dev(tree.files, env)[0].tokens
        changed, files = _changed(value, tree.files, upstream, opa)
        layers = {name for name in tree.files if name.startswith("sidegate.") and name.endswith(".yaml")}
        kept = {name: data for name, data in tree.files.items() if name not in layers}
        kept |= {FILE: json.dumps(changed).encode(), JWKS: keys.jwks, **files}
        compilation = Compiler().compile(type(tree)(dict(sorted(kept.items()))))
        sound(root, (*tree.problems, *compilation.diagnostics))
        return cls(root, kept, compilation, keys, tokens)

    def version(self, service: str, name: str) -> Version:
        """A version of a service. Raises `LookupError`, with the names that there are."""
        versions = {f"{v.service}/{v.name}": v for s in self.compilation.gateway.services for v in s.versions}
        if found := versions.get(f"{service}/{name}"):
            return found
        raise LookupError(f"there is no contract {service}/{name}; there are {', '.join(versions)}")

    def shown(self, version: Version) -> Mapping[Place, ShownOperation]:
        """What the version's contract shows: examples and responses, by the place of the operation."""
        root = version.place.file
        if root not in self._shown:
            self._shown[root] = shown(self.files, root)
        return self._shown[root]

    def base(self, version: Version) -> str:
        """The path of the first of a contract's `servers`, without a slash at its end."""
        document, _ = load(version.place.file, self.files[version.place.file])
        servers = document.value.get("servers") if document is not None else None
        return path_of(servers[0]).rstrip("/") if isinstance(servers, list) and servers else ""

    def write(self, folder: Path) -> None:
        """Write the files for a gateway."""
        for name, data in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    def token(self, claims: Mapping[str, Any] | None = None, operation: Operation | None = None) -> str:
        """A token with these claims, of the issuer that an operation trusts (None: the first of all); valid for an hour.

        Claims are as they are given; without any, the subject is `test` and the scopes are those that the operation asks for.
        """
        asked = [c for a in operation.security for c in a.credentials] if operation else []
        mine = {c.scheme for c in asked if c.kind is SchemeKind.JWT}
        schemes = [
            s for s in self.compilation.gateway.schemes if isinstance(s, JwtScheme) and (not mine or s.name in mine)
        ]
        scopes = [s for a in operation.security[:1] for c in a.credentials for s in c.scopes] if operation else []
        given = claims if claims is not None else {"sub": "test", "scope": " ".join(dict.fromkeys(scopes))}
        return self.keys.token({**issued_by(schemes), **given})

    def credentials(
        self, operation: Operation | None, claims: Mapping[str, Any] | None, consumer: str | None
    ) -> tuple[tuple[tuple[str, str], ...], str]:
        """Headers and query of a request for an operation: a token with these claims, and the consumer's key."""
        headers: list[tuple[str, str]] = []
        query = ""
        if claims is not None:
            headers.append(("authorization", f"Bearer {self.token(claims, operation)}"))
        keyed = [c for a in operation.security for c in a.credentials if c.kind in _KEYS] if operation else []
        if consumer is not None and keyed:
            more, query = _presented(keyed[0], consumer)
            headers += more
        return tuple(headers), query


def path_of(server: Mapping[str, Any]) -> str:
    """The path of a Server Object's URL, its variables at their defaults."""
    variables = server.get("variables") or {}
    url = re.sub(r"\{([^}]*)\}", lambda m: str(variables.get(m[1], {}).get("default", "")), str(server.get("url", "/")))
    return urlsplit(url).path


_KEYS = (SchemeKind.KEY, SchemeKind.BASIC)


def key_of(consumer: str) -> str:
    """The API key that a consumer has in tests."""
    return f"test-key-of-{consumer}"


def _user(consumer: str) -> str:
    return f"{consumer}:test-password"


def _presented(credential: Credential, consumer: str) -> tuple[list[tuple[str, str]], str]:
    key = key_of(consumer)
    if credential.kind is SchemeKind.BASIC:
        return [("authorization", f"Basic {base64.b64encode(_user(consumer).encode()).decode()}")], ""
    if credential.place == "query":
        return [], f"{quote(credential.name, safe='')}={quote(key, safe='')}"
    return [("cookie", f"{credential.name}={key}") if credential.place == "cookie" else (credential.name, key)], ""


def _changed(
    value: Mapping[str, Any], files: Mapping[str, bytes], upstream: str, opa: str | None
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The settings as tests want them, and the files of keys that go with them."""
    changed = {name: each for name, each in value.items() if name not in ("dev", "listeners", "opa", "decisionLog")}
    services = value.get("services")
    changed["services"] = {n: _served(s, upstream) for n, s in services.items()} if isinstance(services, dict) else {}
    security, more = value.get("security"), {}
    listed = security.items() if isinstance(security, dict) else ()
    changed["security"] = {name: _signed(scheme) for name, scheme in listed}
    for _, scheme in listed:
        file = scheme.get("keys", {}).get("file") if isinstance(scheme, dict) and "keys" in scheme else None
        if isinstance(file, str) and file in files:
            more[file] = _with_keys(file, files[file])
    if isinstance(cache := value.get("cache"), dict):
        changed["cache"] = {name: each for name, each in cache.items() if name != "path"}
    if opa is not None:
        changed["opa"] = {"url": opa}
    return changed, more


def _served(service: Any, upstream: str) -> Any:
    """A service whose requests go to one place; what it says of how they go there stays."""
    if not isinstance(service, dict):
        return service
    kept = {name: each for name, each in service.items() if name not in ("upstream", "versions")}
    return {**kept, "upstream": upstream}


def _signed(scheme: Any) -> Any:
    if not isinstance(scheme, dict) or "issuer" not in scheme:
        return scheme
    return {**{name: each for name, each in scheme.items() if name != "login"}, "jwks": {"file": JWKS}}


def _with_keys(file: str, data: bytes) -> bytes:
    """A file of consumers, to each of whom keys are given that tests know."""
    document, _ = load(file, data)
    listed = document.value.get("keys", []) if document is not None and isinstance(document.value, dict) else []
    entries = [entry for entry in listed if isinstance(entry, dict) and isinstance(entry.get("consumer"), str)]
    return json.dumps({"keys": [*listed, *_made(entries)]}).encode()


def _made(entries: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    consumers = {entry["consumer"]: entry for entry in entries}
    return [
        {**{n: v for n, v in entry.items() if n == "plan"}, "consumer": name, "sha256": _hash(text)}
        for name, entry in consumers.items()
        for text in (key_of(name), _user(name))
    ]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
