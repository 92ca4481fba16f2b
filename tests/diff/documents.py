"""Contracts made up at random: schemas that refer to each other and to themselves, in every part of operations."""

from __future__ import annotations

import random
from typing import Any

Document = dict[str, Any]
_NAMES = ("name", "kind", "size", "owner", "parts", "next")


def document(chance: random.Random) -> Document:
    """A contract in OpenAPI 3.0 of a few operations."""
    schemas = {f"S{number}": _schema(chance, 6) for number in range(6)}
    schemas["Node"] = {
        "type": "object",
        "required": ["name"],
        "properties": {"name": {"type": "string"}, "next": _ref("Node")},
    }
    schemas["Choice"] = {
        "oneOf": [_ref("Cat"), _ref("Dog")],
        "discriminator": {"propertyName": "kind"},
    }
    for name in ("Cat", "Dog"):
        schemas[name] = {
            "type": "object",
            "required": ["kind"],
            "properties": {"kind": {"type": "string"}, name.lower(): {"type": "integer", "minimum": 1}},
        }
    return {
        "openapi": "3.0.3",
        "info": {"title": "Shop", "version": "1"},
        "servers": [{"url": "/shop"}],
        "security": [{"token": ["read"]}],
        "paths": {
            "/things": {
                "get": {**_operation(chance, "list"), "parameters": _parameters(chance)},
                "post": {
                    **_operation(chance, "make"),
                    "requestBody": _body(chance),
                    "security": [{"token": []}, {"key": []}],
                },
            },
            "/things/{id}/parts/{part}": {
                "parameters": [_in_path("id"), _in_path("part")],
                "put": {**_operation(chance, "put"), "requestBody": _body(chance)},
            },
            "/nodes/{id}": {
                "get": {**_operation(chance, "node"), "parameters": [_in_path("id")]},
                "delete": {**_operation(chance, "drop"), "parameters": [_in_path("id")], "security": []},
            },
        },
        "components": {
            "schemas": schemas,
            "parameters": {"Page": {"name": "page", "in": "query", "schema": _scalar(chance)}},
            "responses": {"Gone": {"description": "gone", "content": _content(chance)}},
            "securitySchemes": {
                "token": {
                    "type": "oauth2",
                    "flows": {"implicit": {"authorizationUrl": "https://a.example", "scopes": {"read": "r"}}},
                },
                "key": {"type": "apiKey", "in": "header", "name": "X-Key"},
            },
        },
    }


def _ref(name: str) -> Document:
    return {"$ref": f"#/components/schemas/{name}"}


def _any(chance: random.Random) -> Document:
    return _ref(chance.choice(("S0", "S1", "S2", "S3", "S4", "S5", "Node", "Choice")))


def _operation(chance: random.Random, name: str) -> Document:
    headers = {"X-Rate": {"required": chance.random() < 0.5, "schema": _scalar(chance)}}
    return {
        "operationId": name,
        "responses": {
            "200": {"description": "ok", "headers": headers, "content": _content(chance)},
            "410": {"$ref": "#/components/responses/Gone"},
        },
    }


def _in_path(name: str) -> Document:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "maxLength": 20}}


def _parameters(chance: random.Random) -> list[Document]:
    listed = {"name": "tags", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}}
    return [
        {"$ref": "#/components/parameters/Page"},
        listed,
        {"name": "X-A", "in": "header", "schema": _scalar(chance)},
    ]


def _body(chance: random.Random) -> Document:
    return {"required": chance.random() < 0.5, "content": _content(chance)}


def _content(chance: random.Random) -> Document:
    return {"application/json": {"schema": _any(chance) if chance.random() < 0.7 else _schema(chance, 2)}}


def _scalar(chance: random.Random) -> Document:
    made: Document = chance.choice(
        (
            {"type": "string", "minLength": 1, "maxLength": 9},
            {"type": "string", "format": "date"},
            {"type": "string", "pattern": "^a"},
            {"type": "string", "enum": ["a", "b", "c"]},
            {"type": "integer", "minimum": 0, "exclusiveMinimum": True, "maximum": 9},
            {"type": "number", "minimum": 0, "maximum": 1, "exclusiveMaximum": True},
            {"type": "boolean"},
        )
    )
    return {**made, "nullable": True} if chance.random() < 0.2 and "enum" not in made else dict(made)


def _schema(chance: random.Random, depth: int) -> Document:
    kind = chance.choice(("scalar", "object", "object", "array", "all", "any")) if depth else "scalar"
    if kind == "scalar":
        return _scalar(chance)
    if kind == "array":
        return {"type": "array", "items": _inner(chance, depth), "maxItems": chance.randint(1, 9)}
    if kind == "all":
        return {"allOf": [_ref("Node"), {"type": "object", "properties": {"size": _inner(chance, depth)}}]}
    if kind == "any":
        return {"anyOf": [_ref("Cat"), _ref("Node"), {"type": "string"}]}
    names = chance.sample(_NAMES, chance.randint(1, 4))
    made: Document = {"type": "object", "properties": {name: _inner(chance, depth) for name in names}}
    made["required"] = chance.sample(names, chance.randint(1, len(names)))
    if chance.random() < 0.3:
        made["additionalProperties"] = chance.choice((False, True, {"type": "string"}))
    return made


def _inner(chance: random.Random, depth: int) -> Document:
    return _any(chance) if chance.random() < 0.4 else _schema(chance, depth // 2)
