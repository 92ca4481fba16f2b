"""The catalog: one store behind two versions of its contract, in memory."""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_DNS, uuid4, uuid5

import connexion

Answer = tuple[Any, int]

LAMP = str(uuid5(NAMESPACE_DNS, "lamp.shop.test"))
STOCK: dict[str, dict[str, Any]] = {
    LAMP: {"name": "Lamp", "price": 2900, "currency": "EUR", "category": "tools", "qty": 12, "tags": ["light"]},
    str(uuid5(NAMESPACE_DNS, "atlas.shop.test")): {
        "name": "Atlas", "price": 4500, "currency": "EUR", "category": "books", "qty": 3, "tags": [],
    },
    str(uuid5(NAMESPACE_DNS, "kite.shop.test")): {
        "name": "Kite", "price": 1250, "currency": "EUR", "category": "toys", "qty": 40, "tags": ["wind", "sale"],
    },
}  # fmt: skip
CREATED: dict[str, str] = {}  # Idempotency-Key -> the item's id

NOT_FOUND: Answer = ({"title": "No such item", "status": 404, "code": "no-such-item"}, 404)


def _by_name() -> list[tuple[str, dict[str, Any]]]:
    return sorted(STOCK.items(), key=lambda entry: (entry[1].get("name", ""), entry[0]))


# --- version 1 ------------------------------------------------------------------------------------------------


def _as_v1(key: str, stored: dict[str, Any]) -> dict[str, Any]:
    item = {name: stored[name] for name in ("name", "qty", "tags") if name in stored}
    return {"id": key, "item": item | ({"price": stored["price"] / 100} if "price" in stored else {})}


async def list_v1(limit: int = 20) -> Answer:
    return {"items": [_as_v1(*entry) for entry in _by_name()[:limit]]}, 200


async def create_v1(body: dict[str, Any]) -> Answer:
    key = str(uuid4())
    STOCK[key] = body | ({"price": round(body["price"] * 100)} if "price" in body else {})
    return _as_v1(key, STOCK[key]), 201


async def get_v1(id: str) -> Answer:
    return (_as_v1(id, STOCK[id]), 200) if id in STOCK else NOT_FOUND


async def delete(id: str) -> Answer:
    return ("", 204) if STOCK.pop(id, None) else NOT_FOUND


async def public(slug: str) -> Answer:
    return {"slug": slug, "title": slug.replace("-", " ").capitalize()}, 200


async def me(token_info: dict[str, Any]) -> Answer:
    return {"subject": token_info.get("sub", ""), "scopes": str(token_info.get("scope", "")).split()}, 200


async def upload() -> Answer:
    """Counts the bytes as they arrive and keeps none, so that an upload of any size costs no memory."""
    received = 0
    async for chunk in connexion.request.stream():
        received += len(chunk)
    return {"bytes": received}, 201


# --- version 2 ------------------------------------------------------------------------------------------------


def _as_v2(key: str, stored: dict[str, Any]) -> dict[str, Any]:
    price = {"amount": stored.get("price", 0), "currency": stored.get("currency", "EUR")}
    shown = {"id": key, "name": stored.get("name", "?"), "price": price, "category": stored.get("category", "tools")}
    return shown | ({"note": stored["note"]} if "note" in stored else {})


def _stored(body: dict[str, Any]) -> dict[str, Any]:
    price = body.get("price")
    flat = {"price": price["amount"], "currency": price["currency"]} if price else {}
    return {name: value for name, value in body.items() if name not in ("id", "price")} | flat


async def list_v2(limit: int = 50, cursor: str = "0", category: list[str] | None = None) -> Answer:
    found = [_as_v2(*entry) for entry in _by_name()]
    found = [item for item in found if not category or item["category"] in category]
    start = int(cursor) if cursor.isdigit() else 0
    more = {"next": str(start + limit)} if start + limit < len(found) else {}
    return {"items": found[start : start + limit], **more}, 200


async def create_v2(body: dict[str, Any]) -> Answer:
    once = connexion.request.headers["idempotency-key"]
    key = CREATED.setdefault(once, str(uuid4()))
    stored = STOCK.setdefault(key, _stored(body))
    return _as_v2(key, stored), 201


async def get_v2(id: str) -> Answer:
    return (_as_v2(id, STOCK[id]), 200) if id in STOCK else NOT_FOUND


async def change_v2(id: str, body: dict[str, Any]) -> Answer:
    if id not in STOCK:
        return NOT_FOUND
    STOCK[id] |= _stored(body)
    return _as_v2(id, STOCK[id]), 200


V1 = {
    "listItems": list_v1, "createItem": create_v1, "getItem": get_v1, "deleteItem": delete, "getPublicPage": public,
    "getMe": me, "upload": upload,
}  # fmt: skip
V2 = {
    "listItems": list_v2, "createItem": create_v2, "getItem": get_v2, "changeItem": change_v2, "deleteItem": delete,
    "getPublicPage": public,
}  # fmt: skip
