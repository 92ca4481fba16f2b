"""Orders, in memory: everybody sees their own."""

from __future__ import annotations

from typing import Any

Answer = tuple[Any, int]

ORDERS: dict[int, dict[str, Any]] = {}

NOT_FOUND: Answer = ({"title": "No such order", "status": 404, "code": "no-such-order"}, 404)


def _own(number: int, token_info: dict[str, Any]) -> dict[str, Any] | None:
    order = ORDERS.get(number)
    return order if order and order["owner"] == token_info.get("sub") else None


async def list_orders(token_info: dict[str, Any], status: str | None = None) -> Answer:
    own = [order for number in ORDERS if (order := _own(number, token_info))]
    return {"orders": [order for order in own if status in (None, order["status"])]}, 200


async def place(body: dict[str, Any], token_info: dict[str, Any]) -> Answer:
    number = len(ORDERS) + 1
    ORDERS[number] = {"number": number, "owner": token_info.get("sub", ""), "status": "open", "lines": body["lines"]}
    return ORDERS[number], 201


async def get(number: int, token_info: dict[str, Any]) -> Answer:
    order = _own(number, token_info)
    return (order, 200) if order else NOT_FOUND


async def cancel(number: int, token_info: dict[str, Any]) -> Answer:
    order = _own(number, token_info)
    if order is None:
        return NOT_FOUND
    order["status"] = "cancelled"
    return order, 200


V1 = {"listOrders": list_orders, "placeOrder": place, "getOrder": get, "cancelOrder": cancel}
