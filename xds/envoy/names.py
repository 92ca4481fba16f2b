"""Every name that Envoy sees: readable, stable, and made nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterable

from xds.model import Alternative, Operation, SchemeKind, Version

LISTENER = "edge"
ROUTES = "edge"
COMPANION = "companion"
COLLECTOR = "collector"
ORIGIN = "origin"
MISSES = "cached"
"""The route configuration of the origin listener. It sorts before that of the edge, and so is there before."""
ADS = "ads"

TRACE_FILTER = "trace"
CONTEXT_FILTER = "context"
COOKIES_FILTER = "cookies"
ANNOUNCED_FILTER = "announced"
CORS_FILTER = "cors"
CORS_ANSWER_FILTER = "cors-answer"
FAULT_FILTER = "fault"
JWT_FILTER = "jwt"
VERIFIED_FILTER = "verified"
LOGIN_FILTER = "login"
SESSION_FILTER = "session"
AUTH_FILTER = "auth"
VERDICT_FILTER = "verdict"
IDENTITY_FILTER = "identity"
USAGE_FILTER = "usage"
BODILESS_FILTER = "bodiless"
COMPANION_FILTER = "companion"
ADDRESSES_FILTER = "addresses"
REWRITTEN_FILTER = "rewritten"
TRANSCODER_FILTER = "transcoder"
SHED_FILTER = "shed"
HASHED_FILTER = "hashed"
BUFFER_FILTER = "buffer"
TRANSFORMS_FILTER = "transforms"
MOCK_FILTER = "mock"
SERVICE_ERRORS_FILTER = "service-errors"
QUERY_FILTER = "query"
LIMITS_FORGET_FILTER = "limits-forget"
ZSTD_FILTER = "zstd"
BROTLI_FILTER = "brotli"
GZIP_FILTER = "gzip"
CACHE_CODE_FILTER = "cache-code"
CACHE_HELD_FILTER = "cache-held"
CACHE_KEY_FILTER = "cache-key"
CACHE_FILTER = "cache"
CACHE_RULE_FILTER = "cache-rule"
ROUTER_FILTER = "router"
HOSTS_FILTER = "hosts"
PEER_FILTER = "peer"
LISTENER_FILTER = "listener"
RATE_LIMIT = "rate-limit"

UNKNOWN_VERSION = "unknown-version"

METADATA = "sidegate"
"""The namespace of the metadata that routes carry."""

ANONYMOUS = "(anonymous)"  # no scheme can be called that (OpenAPI, Components Object: names are [a-zA-Z0-9._-]+)


def redirect(port: int) -> str:
    """The route configuration that sends everything to a port with TLS."""
    return f"redirect/{port}"


def http3(listener: str) -> str:
    """The listener for QUIC beside one for TCP. No listener of the settings can be called that."""
    return f"{listener}/h3"


def cluster(version: Version) -> str:
    """`service/version`: a slash keeps contracts' clusters apart from the proxy's own."""
    return cluster_of(version.service, version.name)


def cluster_of(service: str, version: str) -> str:
    """The same for a version that is known by name."""
    return f"{service}/{version}"


def counted(slot: int) -> str:
    """The filter that writes down what a request counts for, for the local limit behind it."""
    return f"limit-{slot}-counted"


def local_limit(slot: int) -> str:
    """The filter of an operation's local limit."""
    return f"limit-{slot}-local"


def issuer(scheme: str) -> str:
    """The cluster that the keys of a scheme's issuer are fetched from."""
    return f"issuer:{scheme}"


def shared_counted(closed: bool) -> str:
    """The filter that writes down what a request counts for in shared limits, by what they do while nobody counts."""
    return f"limits-{'closed' if closed else 'open'}-counted"


def shared_limit(closed: bool) -> str:
    """The filter of an operation's shared limits."""
    return f"limits-{'closed' if closed else 'open'}-shared"


def login_cluster(scheme: str) -> str:
    """The cluster that tokens of a login are had from."""
    return f"login:{scheme}"


def route(version: Version, operation: Operation) -> str:
    """`service/version/operationId`: an operation, whatever its contract says by now."""
    return f"{version.service}/{version.name}/{operation.id}"


def unknown_version(service: str) -> str:
    """The route of requests that name no version of the service that there is."""
    return f"{service}/{UNKNOWN_VERSION}"


def judged(version: Version, operation: Operation) -> str:
    """`service/version/operationId@digest`: a route by name, as the access log shows it."""
    return f"{route(version, operation)}@{version.digest}"


def parts_of(name: str) -> dict[str, str]:
    """A route's name as the access log shows it -> service, version, operation and digest, as far as it has them."""
    found = _NAMED.fullmatch(name)
    return {part: value for part, value in found.groupdict().items() if value} if found else {}


_OPERATION = r"(?P<version>[^/]+)/(?P<operation>.+)@(?P<digest>[0-9a-f]+)"
_NAMED = re.compile(rf"(?P<service>[^/]+)/(?:{UNKNOWN_VERSION}|{_OPERATION})")


def virtual_host(domain: str) -> str:
    """A virtual host is named by its domain; `*` is every other."""
    return domain


def span(operation: Operation) -> str:
    """A server span is named by method and path template (OpenTelemetry, semantic conventions for HTTP spans)."""
    return f"{operation.method} {operation.path.text}"


def requirement(alternatives: Iterable[Alternative]) -> str | None:
    """The name of what a request must bring: `bearer`, `bearer&partner`, `bearer|(anonymous)`; None if nothing at all.

    Scopes are no part of it, since jwt_authn does not look at them; alternatives that differ only in scopes are one.
    """
    parts = dict.fromkeys(schemes(alternative) for alternative in alternatives)
    named = ["&".join(part) for part in parts if part]
    if not named:
        return None
    return "|".join([*named, ANONYMOUS] if () in parts else named)


def optional(alternatives: Iterable[Alternative]) -> str | None:
    """The name of looking at what tokens there are, without refusing anybody: `bearer?`; None if no scheme has tokens."""
    return "&".join(f"{name}?" for name in tokens(alternatives)) or None


def tokens(alternatives: Iterable[Alternative]) -> tuple[str, ...]:
    """All schemes of tokens, in a stable order."""
    credentials = (c for alternative in alternatives for c in alternative.credentials)
    return tuple(sorted({c.scheme for c in credentials if c.kind is SchemeKind.JWT}))


def schemes(alternative: Alternative) -> tuple[str, ...]:
    """The schemes that one alternative asks for together, in a stable order."""
    return tuple(sorted({credential.scheme for credential in alternative.credentials}))
