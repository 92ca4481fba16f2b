"""A small project with a header, several statuses and a second version, and its service: one that can break its contract."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

ID = "1c9d3a52-4e0b-4a52-8f43-2f4b6f0a7c11"
ITEM = {"id": ID, "name": "Lamp"}


def contract(version: str = "v1", **item: Any) -> dict[str, Any]:
    """The contract; `item` are more properties of an item, all required."""
    schema = {
        "type": "object",
        "required": ["id", "name", *item],
        "properties": {"id": {"type": "string", "format": "uuid"}, "name": {"type": "string", "maxLength": 20}, **item},
    }
    problem = {"description": "no", "content": {"application/problem+json": {"schema": {"type": "object"}}}}
    shown = {**ITEM, **dict.fromkeys(item, 7)}
    answer = {"content": {"application/json": {"schema": schema, "example": shown}}}
    page = {"X-Page": {"required": True, "schema": {"type": "integer"}, "example": 1}}
    identifier = {
        "name": "id",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "format": "uuid"},
        "example": ID,
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "shop", "version": version},
        "servers": [{"url": f"/shop/{version}"}],
        "security": [{"bearer": []}],
        "paths": {
            "/items": {
                "get": {
                    "operationId": "list",
                    "parameters": [
                        {
                            "name": "limit",
                            "in": "query",
                            "schema": {"type": "integer", "maximum": 100},
                            "examples": {"few": {"value": 2}, "many": {"value": 100}},
                        }
                    ],
                    "responses": {
                        "200": {
                            "description": "ok",
                            "headers": page,
                            "content": {
                                "application/json": {"schema": {"type": "array", "items": schema}, "example": [shown]}
                            },
                        }
                    },
                },
                "post": {
                    "operationId": "add",
                    "requestBody": {
                        "required": True,
                        "content": {
                            "application/json": {
                                "schema": {
                                    "type": "object",
                                    "required": ["name"],
                                    "properties": {"name": {"type": "string"}},
                                },
                                "example": {"name": "Lamp"},
                            }
                        },
                    },
                    "responses": {"201": {"description": "ok", **answer}, "4XX": problem},
                },
            },
            "/items/{id}": {
                "parameters": [identifier],
                "get": {"operationId": "get", "responses": {"200": {"description": "ok", **answer}, "404": problem}},
                "delete": {"operationId": "remove", "responses": {"204": {"description": "gone"}}},
            },
        },
        "components": {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
    }


POLICY = """\
package shop.authz

default allow := false

allow if input.sidegate.claims.sub != "mallory"

reasons contains "not you" if input.sidegate.claims.sub == "mallory"
"""
POLICY_TEST = """\
package shop.authz_test

import data.shop.authz

test_others_may if authz.allow with input as {"sidegate": {"claims": {"sub": "ada"}}}

test_mallory_may_not if not authz.allow with input as {"sidegate": {"claims": {"sub": "mallory"}}}

test_wrong if authz.allow with input as {"sidegate": {"claims": {"sub": "mallory"}}}
"""
SETTINGS = {
    "services": {"shop": {"upstream": "http://127.0.0.1:9"}},
    "security": {
        "bearer": {"issuer": "https://issuer.test", "audiences": ["shop"], "jwks": {"file": ".sidegate/jwks.json"}}
    },
    "dev": {"keys": ".sidegate/jwks.json", "tokens": {"ada": {"sub": "ada"}, "mallory": {"sub": "mallory"}}},
}


def write(folder: Path, **versions: dict[str, Any]) -> Path:
    """The project, with these versions of the contract (without any: v1)."""
    texts = {f"contracts/shop/{name}.yaml": yaml.safe_dump(c) for name, c in (versions or {"v1": contract()}).items()}
    texts |= {"policies/shop/authz.rego": POLICY, "policies/shop/authz_test.rego": POLICY_TEST}
    texts |= {"sidegate.yaml": yaml.safe_dump(SETTINGS)}
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def answers(version: str = "v1", **more: Any) -> dict[tuple[str, str], Response]:
    """What a service that keeps the contract answers, by method and path; `more` are more members of an item."""
    item, base = {**ITEM, **more}, f"/shop/{version}"
    return {
        ("GET", f"{base}/items"): _json([item], headers={"X-Page": "1"}),
        ("POST", f"{base}/items"): _json(item, 201),
        ("GET", f"{base}/items/{ID}"): _json(item),
        ("DELETE", f"{base}/items/{ID}"): Response(b"", 204),
    }


def _json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps(value), status, headers=headers, content_type="application/json")


BROKEN: dict[str, tuple[tuple[str, str], Response, str]] = {
    "status": (("GET", f"/shop/v1/items/{ID}"), _json(ITEM, 206), "status: 206"),
    "another status": (
        ("GET", f"/shop/v1/items/{ID}"),
        Response("{}", 404, content_type="application/problem+json"),
        "404",
    ),
    "missing header": (("GET", "/shop/v1/items"), _json([ITEM]), "header"),
    "wrong header": (("GET", "/shop/v1/items"), _json([ITEM], headers={"X-Page": "one"}), "header"),
    "body": (("GET", f"/shop/v1/items/{ID}"), _json({"id": "no uuid", "name": "Lamp"}), "body: /id"),
    "body inside": (("GET", "/shop/v1/items"), _json([ITEM, {"id": ID}], headers={"X-Page": "1"}), "body: /1"),
    "no JSON": (("GET", f"/shop/v1/items/{ID}"), Response("{", 200, content_type="application/json"), "body"),
    "no body": (("GET", f"/shop/v1/items/{ID}"), Response("", 200, content_type="application/json"), "body"),
    "body where none is": (
        ("DELETE", f"/shop/v1/items/{ID}"),
        Response("x", 200, content_type="text/plain"),
        "status: 200",
    ),
    "media type": (
        ("GET", f"/shop/v1/items/{ID}"),
        Response(json.dumps(ITEM), 200, content_type="text/html"),
        "media type",
    ),
    "no media type": (("POST", "/shop/v1/items"), Response(json.dumps(ITEM), 201, content_type=""), "media type"),
}
"""A breach each: at which request, what is answered, and what has to be said of it."""


@contextmanager
def service(known: dict[tuple[str, str], Response]) -> Iterator[HTTPServer]:
    """A service that has these answers, and 404 in a framework's words for everything else."""

    def answer(request: Request) -> Response:
        return known.get((request.method, request.path), Response("<h1>Not Found</h1>", 404, content_type="text/html"))

    server = HTTPServer("127.0.0.1", threaded=True)
    server.expect_request(re.compile(".*")).respond_with_handler(answer)
    server.start()
    try:
        yield server
    finally:
        server.stop()
