"""sidegate.yaml -> Settings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from xds.diagnostics import Diagnostic, did_you_mean
from xds.model import JwtScheme, Place, Upstream
from xds.source import Document, load

FILE = "sidegate.yaml"


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """What sidegate.yaml says of one service: its upstream, those of single versions, and its hosts (none: every host)."""

    upstream: Upstream | None = None
    versions: Mapping[str, Upstream] = field(default_factory=dict)
    hosts: tuple[str, ...] = ()
    place: Place = Place(FILE)

    def upstream_of(self, version: str) -> Upstream | None:
        """The upstream of a version: its own, else the service's."""
        return self.versions.get(version, self.upstream)


@dataclass(frozen=True, slots=True)
class Settings:
    """A project's settings. `opa` is the URL of an OPA server that decides, or None for the embedded engine.

    `dev` is the section that only `sidegate up` reads (processes, tokens and requests to try), unchecked here.
    """

    services: Mapping[str, ServiceSettings] = field(default_factory=dict)
    schemes: Mapping[str, JwtScheme] = field(default_factory=dict)
    opa: str | None = None
    dev: Mapping[str, Any] = field(default_factory=dict)


def key_files(data: bytes | None) -> tuple[str, ...]:
    """The files that sidegate.yaml names beside the folders every project has, to be read with the tree."""
    document = load(FILE, data)[0] if data is not None else None
    security = document.value.get("security") if document and isinstance(document.value, dict) else None
    schemes = security.values() if isinstance(security, dict) else ()
    jwks = (s.get("jwks") for s in schemes if isinstance(s, dict))
    files = (j.get("file") for j in jwks if isinstance(j, dict))
    return tuple(sorted({f for f in files if isinstance(f, str)}))


def parse_settings(files: Mapping[str, bytes]) -> tuple[Settings, tuple[Diagnostic, ...]]:
    """Read sidegate.yaml out of a project's files.

    Returns the settings and the diagnostics. A project without the file has empty settings; values that are refused are
    left out of the settings, so that whatever needs them is refused too.
    """
    if FILE not in files:
        return Settings(), ()
    document, diagnostics = load(FILE, files[FILE])
    if document is None:
        return Settings(), diagnostics
    reader = _Reader(document, files, list(diagnostics))
    settings = reader.settings()
    return settings, tuple(reader.found)


@dataclass(slots=True)
class _Reader:
    """Walks the document once; `found` collects what is wrong with it."""

    document: Document
    files: Mapping[str, bytes]
    found: list[Diagnostic]

    def settings(self) -> Settings:
        top = self.mapping(self.document.value, "", ("services", "security", "opa", "dev"))
        services = self.mapping(top.get("services"), "/services")
        schemes = self.mapping(top.get("security"), "/security")
        read = {name: self.scheme(name, value) for name, value in schemes.items()}
        return Settings(
            services={name: self.service(name, value) for name, value in services.items()},
            schemes={name: scheme for name, scheme in read.items() if scheme},
            opa=self.opa(top.get("opa")),
            dev=self.mapping(top.get("dev"), "/dev"),
        )

    def service(self, name: str, value: Any) -> ServiceSettings:
        at = f"/services/{_escape(name)}"
        section = self.mapping(value, at, ("upstream", "hosts", "versions"))
        versions = self.mapping(section.get("versions"), f"{at}/versions")
        upstreams = {}
        for version, inner in versions.items():
            inside = f"{at}/versions/{_escape(version)}"
            own = self.mapping(inner, inside, ("upstream",))
            if upstream := self.upstream(own.get("upstream"), f"{inside}/upstream"):
                upstreams[version] = upstream
        upstream = self.upstream(section["upstream"], f"{at}/upstream") if "upstream" in section else None
        return ServiceSettings(upstream, upstreams, self.hosts(section.get("hosts"), f"{at}/hosts"), Place(FILE, at))

    def hosts(self, value: Any, at: str) -> tuple[str, ...]:
        hosts = self.texts(value, at)
        for index, host in enumerate(hosts):
            if not host or any(c in host for c in "/:@ ") or "*" in host.removeprefix("*."):
                self.say(
                    "settings-invalid", f"'{host}' is not a host name", f"{at}/{index}", "write a name without port"
                )
        return tuple(sorted({host.lower() for host in hosts}))

    def upstream(self, value: Any, at: str) -> Upstream | None:
        try:
            url = urlsplit(value) if isinstance(value, str) else None
            port = url.port if url else None
        except ValueError:
            url, port = None, None
        if url is None or url.scheme not in ("http", "https") or not url.hostname or url.username or url.query:
            self.say("upstream-invalid", "an upstream is a URL like http://127.0.0.1:9000", at)
            return None
        if url.path not in ("", "/"):
            help_ = "the upstream gets the public path as it is: leave the path out here"
            self.say("upstream-invalid", f"an upstream has no path, this one has '{url.path}'", at, help_)
            return None
        return Upstream(url.scheme, url.hostname, port or (443 if url.scheme == "https" else 80), Place(FILE, at))

    def scheme(self, name: str, value: Any) -> JwtScheme | None:
        at = f"/security/{_escape(name)}"
        section = self.mapping(value, at, ("issuer", "audiences", "jwks"))
        issuer = section.get("issuer")
        if not isinstance(issuer, str) or not issuer:
            self.say("settings-invalid", "a scheme needs its `issuer`, the `iss` of its tokens", at)
            return None
        audiences = self.texts(section.get("audiences"), f"{at}/audiences")
        if not audiences:
            help_ = "without it a token made for any other service of this issuer would do"
            self.say("settings-invalid", "a scheme needs `audiences`", at, help_)
            return None
        jwks = self.jwks(section.get("jwks"), f"{at}/jwks")
        return JwtScheme(name, issuer, audiences, jwks, Place(FILE, at)) if jwks else None

    def jwks(self, value: Any, at: str) -> str | None:
        section = self.mapping(value, at, ("file",))
        file = section.get("file")
        if not isinstance(file, str):
            self.say("settings-invalid", "`jwks` names the `file` that holds the keys", at)
            return None
        data = self.files.get(file)
        if data is None:
            self.say("jwks-unreadable", f"there is no readable file '{file}' in the project", f"{at}/file")
            return None
        if problem := _jwks_problem(data):
            self.say("jwks-invalid", f"{file}: {problem}", f"{at}/file")
            return None
        return data.decode()

    def opa(self, value: Any) -> str | None:
        if value is None:
            return None
        url = self.mapping(value, "/opa", ("url",)).get("url")
        if not isinstance(url, str) or urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            self.say("settings-invalid", "`opa.url` is a URL like http://127.0.0.1:8181", "/opa")
            return None
        if urlsplit(url).path not in ("", "/"):
            self.say("settings-invalid", "`opa.url` has no path: OPA's API stands at the root", "/opa/url")
            return None
        return url

    def mapping(self, value: Any, at: str, keys: Iterable[str] | None = None) -> dict[str, Any]:
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.say("settings-invalid", f"{at or 'the file'} must be a mapping", at)
            return {}
        for key in value if keys is not None else ():
            if key not in (known := tuple(keys or ())) and not key.startswith("x-"):
                self.say(
                    "settings-unknown-key", f"unknown key '{key}'", f"{at}/{_escape(key)}", did_you_mean(key, known)
                )
        return value

    def texts(self, value: Any, at: str) -> tuple[str, ...]:
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.say("settings-invalid", f"{at} must be a list of texts", at)
            return ()
        return tuple(value)

    def say(self, code: str, message: str, at: str, help: str | None = None) -> None:
        self.found.append(Diagnostic(code, message, self.document.span(at), help))


def _jwks_problem(data: bytes) -> str | None:
    """Why bytes are not a set of public signature keys (RFC 7517), or None."""
    try:
        keys = json.loads(data)["keys"]
    except (ValueError, KeyError, TypeError):
        return "not a JSON object with `keys` (RFC 7517)"
    if not isinstance(keys, list) or not keys or not all(isinstance(key, dict) for key in keys):
        return "`keys` must list at least one key"
    if any("d" in key for key in keys):
        return "holds a private key; keep only the public part here"
    kinds = {str(key.get("kty")) for key in keys}
    if unknown := kinds - {"RSA", "EC", "OKP"}:
        return f"key type {', '.join(sorted(unknown))} is not taken: only RSA, EC and OKP sign with a public key"
    return None


def _escape(token: str) -> str:
    """A reference token of a JSON pointer (RFC 6901, section 3)."""
    return token.replace("~", "~0").replace("/", "~1")
