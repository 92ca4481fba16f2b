"""A service is asked what its contract shows; one that breaks it, in each possible place, is caught."""

from __future__ import annotations

import pytest
from werkzeug import Response

from pytest_sidegate.project import Staged
from pytest_sidegate.provider import ProviderBroken, Verify
from tests.plugin.service import BROKEN, ID, answers, service, write


@pytest.fixture(scope="module")
def verify(tmp_path_factory: pytest.TempPathFactory) -> Verify:
    return Verify(Staged.of(write(tmp_path_factory.mktemp("provider"))))


def test_a_service_that_keeps_its_contract(verify: Verify) -> None:
    with service(answers()) as server:
        found = verify(server.url_for(""), "shop", "v1")
        asked = [(request.method, request.full_path.rstrip("?")) for request, _ in server.log]
    assert [answer.status for answer in found] == [200, 200, 201, 204, 200]
    assert asked == [
        ("GET", "/shop/v1/items?limit=2"),
        ("GET", "/shop/v1/items?limit=100"),
        ("POST", "/shop/v1/items"),
        ("DELETE", f"/shop/v1/items/{ID}"),
        ("GET", f"/shop/v1/items/{ID}"),
    ]


@pytest.mark.parametrize("place", BROKEN)
def test_one_that_breaks_it_is_caught(verify: Verify, place: str) -> None:
    at, response, words = BROKEN[place]
    with service({**answers(), at: response}) as server, pytest.raises(ProviderBroken) as caught:
        verify(server.url_for(""), "shop", "v1")
    told = {(e.request.method, e.request.path.partition("?")[0]) for e in caught.value.exchanges}
    assert told == {at}
    assert words in str(caught.value)


@pytest.mark.parametrize("missing", answers())
def test_a_missing_operation_is_caught(verify: Verify, missing: tuple[str, str]) -> None:
    left = {at: response for at, response in answers().items() if at != missing}
    with service(left) as server, pytest.raises(ProviderBroken) as caught:
        verify(server.url_for(""), "shop", "v1")
    assert {(e.request.method, e.request.path.partition("?")[0]) for e in caught.value.exchanges} == {missing}


def test_everything_wrong_is_told_at_once(verify: Verify) -> None:
    with service({}) as server, pytest.raises(ProviderBroken, match="in 5 of 5 examples"):
        verify(server.url_for(""), "shop", "v1")


def test_an_unknown_contract_or_operation_is_an_error(verify: Verify) -> None:
    with pytest.raises(LookupError, match="shop/v1"):
        verify("http://127.0.0.1:9", "shop", "v7")
    with pytest.raises(LookupError, match="it has add, get, list, remove"):
        verify("http://127.0.0.1:9", "shop", "v1", operations=["gte"])


def test_a_service_that_is_not_there_is_no_pass(verify: Verify) -> None:
    with service({}) as server:
        url = server.url_for("")
    with pytest.raises(ConnectionError):
        verify(url, "shop", "v1")


def test_no_gateway_speaks_for_the_service(verify: Verify) -> None:
    """A problem document of the gateway's own form is an answer as any other here."""
    own = '{"code": "not-found", "traceId": null, "operationId": null, "errors": []}'
    lost = Response(own, 404, content_type="application/problem+json")
    with service({**answers(), ("GET", "/shop/v1/items"): lost}) as server, pytest.raises(ProviderBroken, match="404"):
        verify(server.url_for(""), "shop", "v1")
