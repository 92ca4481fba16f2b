"""A contract that breaks clients of what is served: in the whole gateway, all parts hold on to the old form."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.shop import Shop, serve
from tests.waiting import until

pytestmark = pytest.mark.slow

CONTRACT, POLICY = "contracts/shop/v1.yaml", "policies/shop/authz.rego"
WIDE, NARROW = "minimum: 1, maximum: 100", "minimum: 1, maximum: 50"
BETWEEN, BEYOND = "/shop/v1/items?limit=75", "/shop/v1/items?limit=101"
WHY = "x-sidegate: {breaking: [{id: request-parameter-max-decreased, reason: nobody asks for so many}]}\n"


@pytest.fixture
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A gateway as it is without `publish: {breaking: allow}`."""
    with serve(tmp_path_factory.mktemp("strict"), publish={"breaking": "refuse"}) as running:
        yield running


def asked(shop: Shop) -> tuple[int, int, int]:
    """What a client of the old form sends, what no form takes, and what the policy refuses."""
    found = [shop.ask("GET", path, "rita").status_code for path in (BETWEEN, BEYOND)]
    return found[0], found[1], shop.ask("GET", "/shop/v1/me", "mallory").status_code


def told(shop: Shop) -> list[str]:
    return [each["code"] for each in shop.gateway.manage("/diagnostics").json]


def test_the_old_form_serves_until_the_contract_says_why(strict: Shop) -> None:
    assert asked(strict) == (200, 400, 403)
    digests = strict.gateway.manage("/ready").json["digests"]
    strict.write(POLICY, strict.read(POLICY).replace("allow if {\n\tcallers.known", "allow if {\n\tinput.sidegate"))
    until(lambda: asked(strict) == (200, 400, 200))
    strict.write(POLICY, strict.read(POLICY).replace("allow if {\n\tinput.sidegate", "allow if {\n\tcallers.known"))
    until(lambda: asked(strict) == (200, 400, 403))
    strict.write(CONTRACT, strict.read(CONTRACT).replace(WIDE, NARROW))
    until(lambda: told(strict) == ["contract-breaking"])
    assert asked(strict) == (200, 400, 403)
    strict.gateway.kill("companion")  # it is started again, and has the new files only to go by, and what it kept
    until(lambda: asked(strict) == (200, 400, 403))
    until(lambda: strict.gateway.manage("/ready").status == 200)
    assert strict.gateway.manage("/ready").json["digests"] == digests
    strict.write(CONTRACT, strict.read(CONTRACT) + WHY)
    until(lambda: asked(strict) == (400, 400, 403))
    until(lambda: strict.gateway.manage("/ready").status == 200)
    assert strict.gateway.manage("/ready").json["digests"]["shop/v1"] != digests["shop/v1"]
