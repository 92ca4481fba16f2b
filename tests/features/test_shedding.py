"""`shed`: while a service fails, requests are refused before they reach it; once it is well, none is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from werkzeug import Request, Response

from tests.features.hop import Hop, contract, operation, serve
from tests.projects import compiled_with
from tests.waiting import until

TROUBLE = {"on": False}


def _in_trouble(request: Request) -> Response:
    return Response("", 500 if TROUBLE["on"] else 200)


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    rule = {"successRate": 90, "window": "2s", "minimumRps": 0, "maximum": 90}
    own = {"policy": "none", "reason": "the test's"}
    paths = {
        "/spared": {"get": operation(x_sidegate={"shed": rule, **own})},
        "/other": {"get": operation(x_sidegate=own)},
        "/refusing": {"get": operation(x_sidegate={"shed": rule}, security=[{"bearer": []}])},
    }
    with serve(tmp_path_factory.mktemp("shedding"), contract(paths), answer=_in_trouble) as running:
        yield running


def _ask(hop: Hop, path: str, times: int) -> Counter[int]:
    return Counter(hop.client.get(path).status_code for _ in range(times))


def test_a_service_in_trouble_is_spared(hop: Hop) -> None:
    assert _ask(hop, "/spared", 30) == {200: 30}
    TROUBLE["on"] = True
    try:
        _ask(hop, "/spared", 80)
        before = len(hop.server.log)
        count = _ask(hop, "/spared", 60)
        assert count[503] > 15, count
        assert len(hop.server.log) - before == count[500]
        refused = next(answer for _ in range(100) if (answer := hop.client.get("/spared")).status_code == 503)
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.headers["retry-after"] == "1"
        assert (refused.json()["code"], refused.json()["operationId"]) == ("overloaded", "get_spared")
        assert _ask(hop, "/other", 20) == {500: 20}, "operations without the key are never refused"
    finally:
        TROUBLE["on"] = False
    until(lambda: _ask(hop, "/spared", 30) == {200: 30})


def test_refusals_of_the_gateways_own_are_no_trouble_of_the_service(hop: Hop) -> None:
    assert _ask(hop, "/refusing", 40) == {401: 40}
    token = hop.issuer.token(aud="ref", sub="ada")
    assert hop.client.get("/refusing", headers={"authorization": f"Bearer {token}"}).status_code == 200


@pytest.mark.parametrize(
    ("written", "pointer", "help"),
    [
        ("shed: {window: 1500ms}", "/window", "30s"),
        ("shed: {window: 2h}", "/window", "30s"),
        ("shed: {successRate: 0}", "/successRate", "1 to 100"),
        ("shed: {maximum: 0}", "/maximum", "80"),
        ("shed: {sucessRate: 90}", "/sucessRate", "`successRate`"),
    ],
)
def test_bad_settings_have_a_place(written: str, pointer: str, help: str) -> None:
    (found,) = compiled_with(written)
    assert found.span
    assert found.span.pointer.endswith(f"/shed{pointer}")
    assert help in (found.help or "")
