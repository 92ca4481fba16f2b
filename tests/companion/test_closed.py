"""What a review found open, kept shut: denials that look like a yes, and headers that report mode forgot."""

from __future__ import annotations

import asyncio

import pytest

from tests.companion.conftest import asking
from tests.projects import CONTRACT, compiled, pets

ADA = {"sub": "ada"}
LIST = ("GET", "/pets/v1/pets", "listPets")


def asked(*requests, **changes):
    async def run():
        async with asking(compiled(pets(**changes))) as ask:
            return [await ask(*request, claims=ADA) for request in requests]

    return asyncio.run(run())


def policy(result: str) -> str:
    return f"package pets.authz\n\nallow := {result} if input.sidegate.claims.sub\n"


@pytest.mark.parametrize("status", ["200", "204", "299", "100", "1e400", '"200"', "true", "200.5"])
def test_a_denial_never_looks_like_a_yes(status):
    [answer] = asked(LIST, policy=policy(f'{{"allowed": false, "http_status": {status}}}'))
    assert answer.status == 403
    assert answer.problem["code"] in ("policy-error", "policy-type")


@pytest.mark.parametrize(("status", "answered"), [("302", 302), ("404", 404), ("418", 418), ("499", 499)])
def test_a_denial_has_the_status_that_the_policy_gives(status, answered):
    [answer] = asked(LIST, policy=policy(f'{{"allowed": false, "http_status": {status}}}'))
    assert answer.status == answered
    assert answer.problem["status"] == answered


def test_report_mode_keeps_what_the_policy_says_of_headers():
    result = '{"allowed": true, "headers": {"x-user": "gw"}, "request_headers_to_remove": ["x-admin"]}'
    contract = CONTRACT.replace("paths:", "x-sidegate: {mode: report}\npaths:", 1)
    broken = ("GET", "/pets/v1/pets?limit=zz", "listPets")
    for answer in asked(LIST, broken, policy=policy(result), contract=contract):
        assert answer.status == 200
        assert answer.headers["x-user"] == "gw"
        assert answer.headers["x-envoy-auth-headers-to-remove"] == "x-admin"


def test_records_hold_no_header_values():
    result = '{"allowed": true, "headers": {"authorization": "Basic c2VjcmV0"}, "response_headers_to_add": {"set-cookie": "s"}}'

    async def run():
        async with asking(compiled(pets(policy=policy(result)))) as ask:
            await ask(*LIST, claims=ADA)
            return ask.records.latest(1)[0].document()

    document = asyncio.run(run())
    assert document["decision"]["headers"] == ["authorization"]
    assert document["decision"]["response_headers"] == ["set-cookie"]
    assert "c2VjcmV0" not in str(document)
