"""The catalog's own contract tests."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pytest_sidegate import Client, ContractBroken, ContractCase, Staged, Upstream, Verdicts, contract, generated
from pytest_sidegate.drawing import Drawn
from pytest_sidegate.provider import Verify

Stock = Callable[[ContractCase], None]

LAMP = "1c9d3a52-4e0b-4a52-8f43-2f4b6f0a7c11"
ITEM = f"/catalog/v1/items/{LAMP}"


@contract("catalog", "v1", token="admin")
def test_what_v1_shows_is_let_through(case: ContractCase, client: Client, upstream: Upstream) -> None:
    case.call(client)
    assert [received.operation for received in upstream.received] == [case.operation]


@contract("catalog", "v2", token="admin")
def test_what_v2_shows_is_let_through(case: ContractCase, client: Client) -> None:
    case.call(client)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_the_service_keeps_its_contract(version: str, service: str, stock: Stock, verify_provider: Verify) -> None:
    verify_provider(service, "catalog", version, token="admin", prepare=stock)


@contract("catalog", "v1", "getPublicPage", against="v2")
def test_pages_of_v2_are_for_clients_of_v1(case: ContractCase, client: Client) -> None:
    case.call(client)


@contract("catalog", "v1", "getItem", against="v2", token="admin")
def test_items_of_v2_are_not(case: ContractCase, client: Client) -> None:
    """A client of v1 finds no `item` in what v2 answers: it has to be changed before v1 can go."""
    with pytest.raises(ContractBroken, match="item"):
        case.call(client)


READER, WRITER, ADMIN = "items:read", "items:read items:write", "items:read items:write items:admin"


@pytest.mark.parametrize(
    ("request_line", "scope", "code"),
    [
        ("GET /catalog/v1/items", READER, None),
        ("GET /catalog/v1/items", None, "token-missing"),
        ("GET /catalog/v1/items", "orders:read", "policy-denied"),
        ("POST /catalog/v1/items", READER, "policy-denied"),
        ("POST /catalog/v1/items", WRITER, None),
        (f"DELETE {ITEM}", WRITER, "policy-denied"),
        (f"DELETE {ITEM}", ADMIN, None),
        ("GET /catalog/v1/public/about-us", None, None),
        ("GET /catalog/v1/internal/treasure", ADMIN, "not-found"),
    ],
)
def test_who_may_what(
    verdicts: Verdicts, sidegate_project: Staged, request_line: str, scope: str | None, code: str | None
) -> None:
    method, _, path = request_line.partition(" ")
    token = {"authorization": f"Bearer {sidegate_project.token({'sub': 'rita', 'scope': scope})}"} if scope else {}
    body = b'{"name": "Lamp", "price": 29}' if method == "POST" else b""
    headers = {**token, **({"content-type": "application/json"} if body else {})}
    assert verdicts.judge(method, path, headers, body).code == code


def test_a_denial_says_which_scope_is_missing(client: Client) -> None:
    answer = client.request("DELETE", ITEM, token="reader")
    assert (answer.status, answer.json()["detail"]) == (403, "scope items:admin missing")


@generated("catalog", "v1", "negative", "createItem", token="admin")
def test_no_broken_item_gets_through(drawn: Drawn) -> None:
    drawn.check()
