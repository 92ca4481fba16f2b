"""Why a request was refused or allowed: places, source lines, and what would pass."""

from __future__ import annotations

import asyncio

import pytest

from tests.companion.conftest import asking
from tests.projects import CONTRACT, compiled, pets, tree
from xds.control.why import why

ADA, BOB = {"sub": "ada", "scope": "pets:write"}, {"sub": "bob"}
LIST = ("GET", "/pets/v1/pets", "listPets")
LIMIT = "parameters: [{name: limit, in: query, schema: {type: integer, minimum: 1, maximum: 100}}]"


def explained(request, claims, **changes):
    """The explanation of one request that the companion judged, from its record as the admin API gives it."""
    files = pets(**changes)
    compilation = compiled(files)

    async def run():
        async with asking(compilation) as ask:
            await ask(*request, claims=claims)
            return ask.records.latest(1)[0].document()

    return why(asyncio.run(run()), compilation, tree(files).files)


def test_a_parameter():
    found = explained(("GET", "/pets/v1/pets?limit=500&page=2", "listPets"), ADA)
    assert found["verdict"] == "refused with 400 maximum"
    assert found["operation"] == "pets v1 listPets"
    first, second = found["causes"]
    assert first["place"] == "contracts/pets/v1.yaml:9:81"
    assert first["source"] == LIMIT
    assert second["place"] == "contracts/pets/v1.yaml:7:5"
    assert found["pass"] == ["query limit: must be at most 100", "query without page"]


@pytest.mark.parametrize(
    ("name", "place", "what"),
    [
        ("own", "contracts/pets/v1.yaml:28:70", "own: 2 a minute by address, in this proxy"),
        ("all", "sidegate.yaml:4:14", "all: 9 a minute by everybody together, in this proxy"),
        ("day", "sidegate.yaml:5:", "day: 100 a day by client, in this proxy"),
        ("far", "sidegate.yaml:4:", "far: 50 a day by everybody together, in the shared store"),
    ],
)
def test_a_limit_is_named_with_its_line(name, place, what):
    """What Envoy refused is a line of its access log."""
    settings = pets()["sidegate.yaml"]
    far = "{name: far, by: [], limit: 50, per: day, store: shared}"
    settings += f"rateLimits: [{{name: all, by: [], limit: 9, per: minute}}, {far}]\n"
    settings += (
        "plans: {gold: {rateLimits: [{name: day, limit: 100, per: day}]}}\nrateLimit: {service: '127.0.0.1:1'}\n"
    )
    own = "rateLimits: [{name: own, by: [address], limit: 2, per: minute}]"
    contract = CONTRACT.replace("reason: a public page", f"reason: a public page, {own}")
    files = pets(contract=contract, settings=settings)
    line = {"method": "GET", "path": "/pets/v1/open", "status": 429, "code": "rate-limited"}
    line |= {"limit": name} if name != "far" else {"limit": None, "limits": '"far";r=0;t=9'}
    found = why({**line, "service": "pets", "version": "v1", "operation": "open"}, compiled(files), tree(files).files)
    assert found["verdict"] == "refused with 429 rate-limited"
    (cause,) = found["causes"]
    assert cause["place"].startswith(place)
    assert cause["what"] == f"there is no room in {what}"
    assert found["pass"] == ["the same request later: Retry-After says when"]


def test_a_denial():
    found = explained(LIST, BOB)
    assert found["verdict"] == "refused with 403 policy-denied"
    [cause] = found["causes"]
    assert cause["place"].startswith("policies/pets/authz.rego:")
    assert cause["what"] == "only ada may"
    assert found["pass"] == ["a request for which the rule holds: only ada may"]


def test_a_missing_scope():
    found = explained(
        ("POST", "/pets/v1/pets", "addPet"), BOB, contract=CONTRACT.replace("required: true\n", "required: false\n")
    )
    assert found["verdict"] == "refused with 403 insufficient-scope"
    assert found["pass"] == ["a token with what lacks: scope pets:write missing"]


@pytest.mark.parametrize(("request_", "claims"), [(LIST, ADA), (("GET", "/pets/v1/open", "open"), None)])
def test_an_allowed_request(request_, claims):
    found = explained(request_, claims)
    assert found["verdict"] == "allowed"
    assert found["pass"] == []
    assert found["causes"][0]["place"]


def test_a_report():
    found = explained(LIST, BOB, contract=CONTRACT.replace("paths:", "x-sidegate: {mode: report}\npaths:", 1))
    assert found["verdict"] == "allowed in report mode; enforced it would be refused: policy-denied"


@pytest.mark.parametrize(
    ("line", "verdict", "passes"),
    [
        (
            {"service": "pets", "version": "v1", "operation": "listPets", "status": 401, "code": "token-missing"},
            "refused with 401 token-missing",
            "https://issuer.test for pets",
        ),
        ({"status": 404, "code": "not-found"}, "refused with 404 not-found", "a path of a contract"),
        ({"status": 405, "code": "method-not-allowed"}, "refused with 405 method-not-allowed", "GET, POST"),
    ],
)
def test_envoys_own_refusals(line, verdict, passes):
    files = pets()
    found = why({"method": "PUT", "path": "/pets/v1/pets", **line}, compiled(files), tree(files).files)
    assert found["verdict"] == verdict
    assert passes in found["pass"][0]
