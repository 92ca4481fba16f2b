"""Scopes by OpenAPI's rule: all schemes of one alternative, any alternative."""

from __future__ import annotations

import asyncio

import pytest

from sidecar.scopes import Lack, lacking, twins, with_twins
from tests.companion.conftest import asking
from tests.projects import CONTRACT, SETTINGS, compiled, pets
from xds.model import Alternative, Credential, JwtScheme

READ = Alternative((Credential("bearer", ("a:read",)),))
BOTH = Alternative((Credential("bearer", ("a:read", "a:write")),))
TWO = Alternative((Credential("bearer", ("a:read",)), Credential("other", ("b:read",))))
ANYBODY = Alternative(())


@pytest.mark.parametrize(
    ("security", "claims", "missing"),
    [
        ((), {}, ()),
        ((ANYBODY,), {}, ()),
        ((READ,), {"bearer": {"scope": "a:read x"}}, ()),
        ((READ,), {"bearer": {"scp": ["a:read"]}}, ()),
        ((READ,), {"bearer": {"scope": "a:rea a:reads A:READ"}}, ("a:read",)),
        ((READ,), {"bearer": {"scope": ["a:read"]}}, ("a:read",)),
        ((READ,), {"bearer": {"scp": "a:read"}}, ("a:read",)),
        ((READ,), {"bearer": {}}, ("a:read",)),
        ((READ,), {"other": {"scope": "a:read"}}, "token"),
        ((BOTH,), {"bearer": {"scope": "a:write"}}, ("a:read",)),
        ((BOTH, READ), {"bearer": {"scope": "a:read"}}, ()),
        ((BOTH, ANYBODY), {"bearer": {}}, ()),
        ((TWO,), {"bearer": {"scope": "a:read"}}, "token"),
        ((TWO,), {"bearer": {"scope": "a:read"}, "other": {"scope": "a:read"}}, ("b:read",)),
        ((TWO,), {"bearer": {"scope": "a:read"}, "other": {"scope": "b:read"}}, ()),
    ],
)
def test_lacking(security, claims, missing):
    assert lacking(security, claims) == {(): None, "token": Lack()}.get(missing, Lack(missing))


def scheme(name, issuer="i", audiences=("a", "b"), jwks="{}"):
    return JwtScheme(name, issuer, audiences, jwks)


def test_schemes_are_twins_if_they_take_the_same_tokens():
    others = [scheme("x", issuer="j"), scheme("y", audiences=("a",)), scheme("z", jwks="{} ")]
    alike = twins([scheme("bearer"), *others, scheme("oauth", audiences=("b", "a"))])
    assert alike == {"bearer": ("bearer", "oauth"), "oauth": ("bearer", "oauth")}
    assert with_twins({"bearer": {"scope": "y"}}, alike) == {"bearer": {"scope": "y"}, "oauth": {"scope": "y"}}
    assert with_twins({"x": {"scope": "y"}}, alike) == {"x": {"scope": "y"}}
    assert with_twins({}, alike) == {}


EITHER = CONTRACT.replace('security: [{bearer: ["pets:write"]}]', "security: [{bearer: [x]}, {oauth: [y]}]").replace(
    "securitySchemes: {", "securitySchemes: {oauth: {type: http, scheme: bearer}, "
)
SAME = '{issuer: "https://issuer.test", audiences: [pets], jwks: {file: keys.json}}'


@pytest.mark.parametrize(
    ("other", "claims", "status", "code"),
    [
        (SAME, {"sub": "ada", "scope": "x"}, 200, None),
        (SAME, {"sub": "ada", "scope": "y"}, 200, None),
        (SAME, {"sub": "ada", "scope": "z"}, 403, "insufficient-scope"),
        (SAME, None, 401, "token-missing"),
        (SAME.replace("[pets]", "[dogs]"), {"sub": "ada", "scope": "x"}, 200, None),
        (SAME.replace("[pets]", "[dogs]"), {"sub": "ada", "scope": "y"}, 403, "insufficient-scope"),
    ],
)
@pytest.mark.parametrize("mode", ["enforce", "report"])
def test_one_of_two_schemes_of_one_issuer_is_enough(other, claims, status, code, mode):
    """The claims come under the first scheme, `bearer`, as Envoy sends them."""
    contract = EITHER.replace("paths:", f"x-sidegate: {{mode: {mode}}}\npaths:", 1)
    settings = SETTINGS.replace("security: {", f"security: {{oauth: {other}, ")

    async def run():
        async with asking(compiled(pets(contract=contract, settings=settings))) as ask:
            headers = (("content-type", "application/json"),)
            body = b'{"name":"a"}'
            answer = await ask("POST", "/pets/v1/pets", "addPet", claims=claims, body=body, headers=headers)
            return answer, ask.records.latest(1)[0]

    answer, record = asyncio.run(run())
    assert (answer.status, record.status, record.code) == (status, status, code)
    if code:
        assert answer.problem["code"] == code
        assert "(" not in answer.headers["www-authenticate"]
        assert (answer.headers["www-authenticate"] == "Bearer") == (status == 401)
