"""The contract tests of orders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_sidegate import Client, ContractCase, Staged, Upstream, Verdicts, contract
from pytest_sidegate.provider import Verify

LAMP = "1c9d3a52-4e0b-4a52-8f43-2f4b6f0a7c11"


@contract("orders", "v1", token="reader")
def test_what_the_contract_shows_is_let_through(case: ContractCase, client: Client, upstream: Upstream) -> None:
    case.call(client)
    assert len(upstream.received) == 1


def test_the_service_keeps_its_contract(
    service: str, stock: Callable[[ContractCase], None], verify_provider: Verify
) -> None:
    verify_provider(service, "orders", "v1", token="reader", prepare=stock)


def test_an_order_that_is_gone(client: Client, upstream: Upstream) -> None:
    upstream.answer("getOrder", 404, json={"title": "No such order", "status": 404}, media="application/problem+json")
    assert client.request("GET", "/orders/v1/orders/7", token="reader").status == 404


@pytest.mark.parametrize(
    ("pieces", "roles", "code"), [(100, [], None), (101, [], "policy-denied"), (101, ["buyer"], None)]
)
def test_many_pieces_need_a_buyer(
    verdicts: Verdicts, sidegate_project: Staged, pieces: int, roles: list[str], code: str | None
) -> None:
    claims: dict[str, Any] = {"sub": "bo", "scope": "orders:write", "roles": roles}
    headers = {"authorization": f"Bearer {sidegate_project.token(claims)}", "content-type": "application/json"}
    body = f'{{"lines": [{{"item": "{LAMP}", "quantity": {pieces}}}]}}'
    verdict = verdicts.judge("POST", "/orders/v1/orders", headers, body)
    assert verdict.code == code
    if code:
        assert verdict.decision is not None
        assert verdict.decision.rule is not None
        assert verdict.decision.rule.file == "policies/orders/authz.rego"
