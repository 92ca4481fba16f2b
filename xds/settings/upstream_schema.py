"""The JSON Schema of an upstream that is written as an object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xds.native.quantities import DURATION

Schema = Mapping[str, Any]


def _object(description: str, properties: Mapping[str, Schema], required: tuple[str, ...] = ()) -> Schema:
    return {
        "type": "object",
        "description": description,
        "additionalProperties": False,
        "required": list(required),
        "properties": dict(properties),
    }


def _count(description: str, least: int = 1, most: int = 1_000_000) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most, "description": description}


def _duration(description: str) -> Schema:
    return {**DURATION, "description": description}


_BY: Schema = {
    "type": "string",
    "pattern": r"^(header:[A-Za-z0-9!#$%&'*+.^_`|~-]+|cookie:[^\s;=,]+|claim:[A-Za-z0-9_-]+|param:[A-Za-z0-9_.~-]+|address)$",
    "description": "what requests are told apart by: header:NAME, cookie:NAME, claim:NAME, param:NAME or address",
}

_HASH = _object("the endpoint follows from a value of the request: {by: 'header:x-user'}", {"by": _BY}, ("by",))

_BALANCE: Schema = {
    "description": "round-robin, least-request, {ring-hash: {by: ...}} or {maglev: {by: ...}}",
    "if": {"type": "object"},
    "then": {
        **_object("{ring-hash: {by: ...}} or {maglev: {by: ...}}", {"ring-hash": _HASH, "maglev": _HASH}),
        "minProperties": 1,
        "maxProperties": 1,
    },
    "else": {"enum": ["round-robin", "least-request"], "description": "round-robin, least-request, or a hash"},
}

_ENDPOINT = _object(
    "one address: {address: '10.0.0.1:9000', weight: 2, zone: a}",
    {
        "address": {"type": "string", "minLength": 1, "description": "host and port, with https:// in front for TLS"},
        "weight": _count("the endpoint's share, 1 to 128", 1, 128),
        "zone": {"type": "string", "minLength": 1, "description": "where the endpoint runs"},
    },
    ("address",),
)

_HEALTH = _object(
    "GET requests that say which endpoints are alive: {path: /health, interval: 5s}",
    {
        "path": {"type": "string", "pattern": "^/[!-~]*$", "description": "what is asked for: /health"},
        "interval": _duration("time between two checks: 5s"),
        "timeout": _duration("how long an answer may take: 1s"),
        "healthy": _count("answers of 200 in a row that make an endpoint healthy", 1, 100),
        "unhealthy": _count("failures in a row that make it unhealthy", 1, 100),
    },
    ("path",),
)

_OUTLIERS = _object(
    "endpoints that fail in a row are left out for a while: {serverErrors: 5, ejection: 30s}",
    {
        "failures": _count("connections in a row that fail or break; 0: not counted", 0),
        "serverErrors": _count("answers of 5xx in a row; 0: not counted", 0),
        "gatewayErrors": _count("answers of 502, 503 or 504 in a row; 0: not counted", 0),
        "interval": _duration("how often the endpoints are looked at: 5s"),
        "ejection": _duration("how long an endpoint is left out the first time: 30s"),
        "share": _count("how many percent of the endpoints may be left out, 1 to 100", 1, 100),
    },
)

_LIMITS = _object(
    "how much may be under way at once, by proxy: {connections: 100, requests: 200}",
    {
        "connections": _count("connections to the service"),
        "pending": _count("requests that wait for a connection"),
        "requests": _count("requests under way"),
        "retries": _count("retries under way; instead of `retryBudget`"),
    },
)

UPSTREAM = _object(
    "a URL, or one of `url`, `urls` and `endpoints` with more about them",
    {
        "url": {"type": "string", "description": "http://127.0.0.1:9000"},
        "urls": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "string"},
            "description": "several of equal weight: [http://10.0.0.1:9000, http://10.0.0.2:9000]",
        },
        "endpoints": {
            "type": "array",
            "minItems": 1,
            "items": _ENDPOINT,
            "description": "addresses with weights and zones: [{address: '10.0.0.1:9000', weight: 2}]",
        },
        "balance": _BALANCE,
        "health": _HEALTH,
        "outliers": _OUTLIERS,
        "limits": _LIMITS,
        "retryBudget": _object(
            "retries under way as a share of the requests under way: {percent: 20, minimum: 3}",
            {
                "percent": {"type": "number", "minimum": 0, "maximum": 100, "description": "0 to 100"},
                "minimum": _count("retries that are let through in any case", 0, 1000),
            },
        ),
        "dns": _object(
            "how names are looked up: {type: strict, refresh: 5s}",
            {
                "type": {"enum": ["strict", "logical"], "description": "strict: every address; logical: the first"},
                "refresh": _duration("time between two look-ups: 5s"),
                "ttl": {"type": "boolean", "description": "true: as often as the answer's TTL says"},
                "family": {"enum": ["auto", "v4", "v6", "v4-preferred", "all"], "description": "which addresses"},
            },
        ),
        "tls": _object(
            "how an https upstream is spoken to: {ca: tls/ca.pem, cert: tls/gateway.pem, key: tls/gateway.key}",
            {
                "ca": {
                    "type": "string",
                    "description": "PEM file of the authorities; else those that the system trusts",
                },
                "cert": {"type": "string", "description": "PEM file of the gateway's own certificate, with its chain"},
                "key": {"type": "string", "description": "PEM file of its private key"},
                "serverName": {
                    "type": "string",
                    "minLength": 1,
                    "description": "asked for and checked, not the URL's host",
                },
            },
        ),
        "discovery": {"const": "eds", "description": "eds: endpoints change without their cluster"},
        "transcode": _object(
            "JSON for clients, gRPC for the service: {descriptor: shop.pb, services: [shop.Shop]}",
            {
                "descriptor": {
                    "type": "string",
                    "minLength": 1,
                    "description": "a file of the project, made by protoc",
                },
                "services": {
                    "type": "array",
                    "minItems": 1,
                    "uniqueItems": True,
                    "items": {"type": "string", "minLength": 1},
                    "description": "full names of services in the descriptor: [shop.Shop]",
                },
            },
            ("descriptor", "services"),
        ),
        "protocol": {"enum": ["http1", "http2"], "description": "what the service speaks; gRPC needs http2"},
    },
)
