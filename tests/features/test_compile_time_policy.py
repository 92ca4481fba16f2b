"""`config.rego` gives a setting that Envoy carries out; what the platform forbids is refused while the previous form serves."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from werkzeug import Request, Response

from tests.e2e.shop import wait
from tests.features.hop import ALLOW, Hop, contract, operation, serve
from tests.waiting import until

GIVES = """\
package svc.config

settings.timeout := "200ms" if "quick" in input.tags
"""
FORBIDS = """\
package platform.guardrails

deny contains "no answer may take longer than 10 s" if input.settings.timeout == "1m"
"""


def _slow(request: Request) -> Response:
    time.sleep(0.5)
    return Response("late", 200)


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    document = contract({"/quick": {"get": operation(tags=["quick"])}, "/slow": {"get": operation()}})
    rules = {"authz.rego": ALLOW, "config.rego": GIVES}
    with serve(
        tmp_path_factory.mktemp("config"), document, policies=rules, answer=_slow,
        files={"policies/platform/guardrails.rego": FORBIDS},
    ) as running:  # fmt: skip
        yield running


def test_a_rule_gives_a_setting(hop: Hop) -> None:
    assert hop.client.get("/quick").status_code == 504
    assert hop.client.get("/slow").status_code == 200


def test_an_edit_of_the_rule_is_live(hop: Hop) -> None:
    path = hop.folder / "policies/svc/config.rego"
    path.write_text(GIVES.replace("quick", "none"))
    until(lambda: hop.client.get("/quick").status_code == 200)
    path.write_text(GIVES)
    until(lambda: hop.client.get("/quick").status_code == 504)


def test_what_is_forbidden_is_refused_with_both_places(hop: Hop) -> None:
    path = hop.folder / "contracts/svc/v1.yaml"
    before = path.read_text()
    path.write_text(before + "x-sidegate: {timeout: 1m}\n")
    assert wait(lambda: "still serving the previous svc" in hop.gateway.output)
    assert "policies/platform/guardrails.rego:3:" in hop.gateway.output
    assert "contracts/svc/v1.yaml" in hop.gateway.output.partition("config-denied")[2]
    assert hop.client.get("/quick").status_code == 504
    path.write_text(before)
