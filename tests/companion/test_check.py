"""What Envoy is answered: the order of refusals, the modes, and that nothing but a yes is a 200."""

from __future__ import annotations

import asyncio

import pytest

from tests.companion.conftest import asking
from tests.projects import CONTRACT, compiled, pets

ADA = {"sub": "ada", "scope": "pets:write"}
BOB = {"sub": "bob", "scope": "pets:write"}
JSON = (("content-type", "application/json"), ("content-length", "14"))

TABLE = [
    # what, method, path, operation, claims, body, status, code
    ("allowed", "GET", "/pets/v1/pets?limit=5", "listPets", ADA, b"", 200, None),
    ("parameter", "GET", "/pets/v1/pets?limit=500", "listPets", ADA, b"", 400, "maximum"),
    ("contract before policy", "GET", "/pets/v1/pets?limit=500", "listPets", BOB, b"", 400, "maximum"),
    ("contract before scope", "POST", "/pets/v1/pets", "addPet", {"sub": "bob"}, b'{"nme":"a"}', 400, None),
    (
        "scope before policy",
        "POST",
        "/pets/v1/pets",
        "addPet",
        {"sub": "bob"},
        b'{"name":"a"}',
        403,
        "insufficient-scope",
    ),
    ("policy", "POST", "/pets/v1/pets", "addPet", BOB, b'{"name":"a"}', 403, "policy-denied"),
    ("body", "POST", "/pets/v1/pets", "addPet", ADA, b'{"name":"a"}', 200, None),
    ("undeclared body", "GET", "/pets/v1/pets", "listPets", ADA, b"{}", 400, "unexpected-body"),
    ("no policy needed", "GET", "/pets/v1/open", "open", None, b"", 200, None),
    ("contract without policy", "GET", "/pets/v1/open?x=1", "open", None, b"", 400, "unknown-parameter"),
]


@pytest.mark.parametrize(("what", "method", "path", "operation", "claims", "body", "status", "code"), TABLE)
def test_order_of_answers(what, method, path, operation, claims, body, status, code):
    async def run():
        async with asking(compiled(pets())) as ask:
            headers = (("content-type", "application/json"), ("content-length", str(len(body)))) if body else ()
            return await ask(method, path, operation, claims=claims, body=body, headers=headers)

    answer = asyncio.run(run())
    assert answer.status == status, (what, answer.body)
    if code:
        assert answer.problem["code"] == code
        assert answer.problem["operationId"] == operation
    if status == 200:
        assert answer.body == b""


def test_a_denial_gives_the_policys_reason_and_place():
    async def run():
        async with asking(compiled(pets())) as ask:
            answer = await ask("GET", "/pets/v1/pets", "listPets", claims=BOB)
            return answer, ask.records.latest(1)[0]

    answer, record = asyncio.run(run())
    assert answer.problem["detail"] == "only ada may"
    assert record.decision.rule.file == "policies/pets/authz.rego"
    assert record.decision.rule.line > 0


@pytest.mark.parametrize("mode", ["report", "off"])
def test_modes_let_pass_what_they_would_refuse_and_report_records_it(mode):
    contract = CONTRACT.replace("paths:", f"x-sidegate: {{mode: {mode}}}\npaths:", 1)

    async def run():
        async with asking(compiled(pets(contract=contract))) as ask:
            broken = await ask("GET", "/pets/v1/pets?limit=500", "listPets", claims=BOB)
            denied = await ask("GET", "/pets/v1/pets", "listPets", claims=BOB)
            scope = await ask("POST", "/pets/v1/pets", "addPet", claims={"sub": "ada"}, body=b"{}")
            return broken, denied, scope, [r.code for r in reversed(ask.records.latest(9))]

    broken, denied, scope, codes = asyncio.run(run())
    assert (broken.status, denied.status) == (200, 200)
    # Scopes are authentication's business and have no such mode. Where nothing else is left to the companion, they are
    # judged in the proxy; without the proxy's word nobody passes.
    assert scope.status == (403 if mode == "report" else 401)
    told = ["maximum", "policy-denied"] if mode == "report" else [None, None]
    assert codes == [*told, "insufficient-scope" if mode == "report" else "token-missing"]
    assert broken.headers.get("x-sidegate-code") == told[0]


def test_a_digest_that_is_not_held_is_never_judged_by_another():
    async def run():
        async with asking(compiled(pets())) as ask:
            other = await ask("GET", "/pets/v1/pets", "listPets", claims=ADA, digest="0" * 16)
            unknown = await ask("GET", "/pets/v1/pets", "nothing", claims=ADA)
            elsewhere = await ask("GET", "/pets/v1/open", "listPets", claims=ADA)
            return other, unknown, elsewhere

    for answer in asyncio.run(run()):
        assert answer.status >= 500


def test_trouble_is_never_an_allow():
    async def run():
        async with asking(compiled(pets())) as ask:
            gone = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
            cut = await ask("POST", "/pets/v1/pets", "addPet", claims=ADA, chunks=gone)
            part = {"type": "http.request", "body": b"x" * (1 << 20), "more_body": True}
            large = await ask("POST", "/pets/v1/pets", "addPet", claims=ADA, chunks=[part] * 12)
            forged = await ask("GET", "/pets/v1/pets", "listPets", headers=[("x-sidegate-claims-bearer", "!!")])
            await ask.current.engine.close()
            without = await ask("GET", "/pets/v1/pets", "listPets", claims=ADA)
            return cut, large, forged, without

    cut, large, forged, without = asyncio.run(run())
    assert cut.status == 500
    assert large.status == 413
    assert forged.status == 500
    assert without.status == 403
    assert without.problem["code"] == "policy-unbound"


def test_internal_headers_reach_no_policy():
    policy = """package pets.authz

allow if not internal

internal if {
	some name, _ in input.attributes.request.http.headers
	startswith(name, "x-sidegate-")
}
"""

    async def run():
        async with asking(compiled(pets(policy=policy))) as ask:
            return await ask("GET", "/pets/v1/pets", "listPets", claims=ADA)

    assert asyncio.run(run()).status == 200
