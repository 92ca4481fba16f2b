"""Projects of any size, made up: contracts, policies and settings as a team would write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.e2e.tokens import Issuer

POLICY = """package svc.authz

default allow := false

allow if {
	input.attributes.request.http.method == "GET"
	"items:read" in split(input.sidegate.claims.scope, " ")
}

allow if {
	input.attributes.request.http.method == "POST"
	"items:write" in split(input.sidegate.claims.scope, " ")
}

default owner := false

owner if {
	input.attributes.request.http.method == "GET"
	"items:read" in split(input.sidegate.claims.scope, " ")
	input.sidegate.params.path.id > 0
}
"""

OPEN = """package svc.authz

default allow := false

allow if input.sidegate.operation_id
"""


def generated(operations: int, *, base: str = "", native: bool = False) -> dict[str, Any]:
    """A contract of so many operations, five a resource; `native` leaves nothing for the companion to do."""
    paths: dict[str, Any] = {}
    for number in range(-(-operations // 5)):
        paths |= _resource(f"{base}/things{number:04}", number)
    contract: dict[str, Any] = {
        "openapi": "3.0.3",
        "info": {"title": f"{operations} operations", "version": "1"},
        "servers": [{"url": "/v1"}],
        "security": [],
        "paths": paths,
        "components": {"schemas": {"Thing": THING, "Problem": {"type": "object"}}},
    }
    if native:
        contract["x-sidegate"] = {"mode": "off"}
    return contract


THING = {
    "type": "object",
    "required": ["name", "price"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string", "format": "uuid", "readOnly": True},
        "name": {"type": "string", "minLength": 1, "maxLength": 64},
        "price": {"type": "number", "minimum": 0},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 10},
        "state": {"type": "string", "enum": ["new", "sold", "gone"]},
    },
}


def _resource(path: str, number: int) -> dict[str, Any]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    outer = [{"name": n, "in": "path", "required": True, "schema": {"type": "string"}} for n in names]
    key = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "maxLength": 64}}
    limit = {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 100}}
    answers = {"200": {"description": "fine"}}
    body = {"required": True, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}}
    item = {
        "get": {"operationId": f"get{number}", "responses": answers},
        "put": {"operationId": f"put{number}", "requestBody": body, "responses": answers},
        "delete": {"operationId": f"delete{number}", "responses": answers},
    }
    return {
        path: {
            **({"parameters": outer} if outer else {}),
            "get": {"operationId": f"list{number}", "parameters": [limit], "responses": answers},
            "post": {"operationId": f"add{number}", "requestBody": body, "responses": answers},
        },
        f"{path}/{{id}}": {"parameters": [*outer, key], **item},
    }


def sampled(contract: dict[str, Any], count: int) -> list[tuple[str, str]]:
    """Method and path of `count` operations of a generated contract that need no body, spread over all of it."""
    found = [
        (method.upper(), "/v1" + path.replace("{id}", "a1b2").replace("{owner}", "octo").replace("{repo}", "cat"))
        for path, item in contract["paths"].items()
        for method in ("get", "delete")
        if method in item
    ]
    step = max(1, len(found) // count)
    return found[::step][:count]


FIELDS = 20


def typed() -> dict[str, Any]:
    """A contract with a token: a GET with typed parameters, one whose policy reads them too, a POST of twenty fields."""
    text = {"type": "string", "minLength": 1, "maxLength": 64}
    properties: dict[str, Any] = {f"field{n:02}": text for n in range(FIELDS)}
    schema = {"type": "object", "required": list(properties), "properties": properties, "additionalProperties": False}
    parameters = [
        {"name": "id", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 1}},
        {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 100}},
        {"name": "sort", "in": "query", "schema": {"type": "string", "enum": ["name", "price"]}},
        {"name": "tags", "in": "query", "schema": {"type": "array", "items": {"type": "string"}, "maxItems": 5}},
        {"name": "X-Tenant", "in": "header", "schema": {"type": "string", "pattern": "^[a-z0-9-]{1,32}$"}},
    ]
    answers = {"200": {"description": "fine"}}
    content = {"application/json": {"schema": schema}}
    return {
        "openapi": "3.0.3",
        "info": {"title": "typed", "version": "1"},
        "servers": [{"url": "/v1"}],
        "security": [{"bearer": []}],
        "paths": {
            "/items/{id}": {"get": {"operationId": "getItem", "parameters": parameters, "responses": answers}},
            "/owned/{id}": {
                "get": {
                    "operationId": "getOwned",
                    "parameters": parameters,
                    "responses": answers,
                    "x-sidegate": {"policy": "svc/authz/owner"},
                }
            },
            "/items": {
                "post": {
                    "operationId": "addItem",
                    "requestBody": {"required": True, "content": content},
                    "responses": answers,
                }
            },
        },
        "components": {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
    }


def write(folder: Path, contract: dict[str, Any], *, upstream: int, issuer: Issuer | None = None) -> Path:
    """A project of one service `svc` in a new folder. With an issuer its policy asks for scopes, else it allows all."""
    (folder / "contracts" / "svc").mkdir(parents=True)
    (folder / "policies" / "svc").mkdir(parents=True)
    (folder / "contracts" / "svc" / "v1.yaml").write_text(text_of(contract))
    settings: dict[str, Any] = {"services": {"svc": {"upstream": f"http://127.0.0.1:{upstream}"}}}
    settings["publish"] = {"breaking": "allow"}  # what is measured is compiling
    policy = OPEN
    if issuer:
        (folder / "keys").mkdir()
        (folder / "keys" / "jwks.json").write_text(issuer.jwks())
        scheme = {"issuer": issuer.name, "audiences": ["ref"], "jwks": {"file": "keys/jwks.json"}}
        settings["security"] = {"bearer": scheme}
        policy = POLICY
    (folder / "policies" / "svc" / "authz.rego").write_text(policy)
    (folder / "sidegate.yaml").write_text(yaml.safe_dump(settings))
    return folder


class _Plain(yaml.CSafeDumper if hasattr(yaml, "CSafeDumper") else yaml.SafeDumper):  # type: ignore[misc]
    """YAML without anchors, as people write it."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def text_of(contract: dict[str, Any]) -> str:
    return yaml.dump(contract, Dumper=_Plain, sort_keys=False)
