"""`retries`: the service is asked again, but a request that must not be sent twice only if nothing of it arrived."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from werkzeug import Request, Response

from tests.features.hop import Hop, contract, operation, serve
from tests.projects import compiled_with

TWICE = {"attempts": 2, "on": ["connect-failure", "503"], "backoff": {"base": "1ms", "max": "2ms"}}


def _in_trouble(request: Request) -> Response:
    """503 for all attempts but the last that a test asks for; slow where it asks for that."""
    key = request.headers.get("x-case", "")
    seen[key] = seen.get(key, 0) + 1
    if "slow" in request.args:
        time.sleep(0.5)
    return Response(f"attempt {seen[key]}", 503 if seen[key] <= int(request.args.get("failures", 0)) else 200)


seen: dict[str, int] = {}


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    open_ = {"undeclared": "pass"}
    hasty = {**TWICE, "on": ["connect-failure", "reset"], "perTryTimeout": "200ms"}
    paths = {
        "/things": {
            "get": operation(),
            "put": operation(),
            "post": operation(),
            "patch": operation(x_sidegate={"idempotent": True}),
        },
        "/hasty": {
            "get": operation(x_sidegate={"retries": hasty}),
            "post": operation(x_sidegate={"retries": {**hasty, "on": ["connect-failure"]}}),
        },
        "/once": {"get": operation(x_sidegate={"retries": {"attempts": 1, "on": ["connect-failure"]}})},
    }
    document = contract(paths, **{"x-sidegate": {**open_, "retries": TWICE}})
    with serve(tmp_path_factory.mktemp("retries"), document, answer=_in_trouble) as running:
        yield running


def _ask(hop: Hop, method: str, target: str, case: str) -> tuple[int, int]:
    """Status and how often the service was asked."""
    answer = hop.client.request(method, target, headers={"x-case": case, "x-envoy-max-retries": "5"})
    return answer.status_code, seen[case]


@pytest.mark.parametrize(
    ("method", "failures", "expected"),
    [
        ("GET", 2, (200, 3)),
        ("GET", 3, (503, 3)),
        ("PUT", 1, (200, 2)),
        ("POST", 1, (503, 1)),
        ("PATCH", 1, (200, 2)),
    ],
)
def test_a_request_is_sent_again_as_its_method_allows(
    hop: Hop, method: str, failures: int, expected: tuple[int, int]
) -> None:
    """PATCH is declared idempotent here, POST is not; what a client wishes in `x-envoy-*` is nothing."""
    case = f"{method}{failures}"
    assert _ask(hop, method, f"/things?failures={failures}", case) == expected


def test_other_failures_are_not_tried_again(hop: Hop) -> None:
    assert _ask(hop, "GET", "/once?failures=1", "once") == (503, 1)


def test_an_attempt_has_a_time_of_its_own(hop: Hop) -> None:
    """504 after three attempts of 200 ms for a GET; a POST has one, and no second after it may have arrived."""
    assert _ask(hop, "GET", "/hasty?slow=1", "hasty-get") == (504, 3)
    assert _ask(hop, "POST", "/hasty?slow=1", "hasty-post") == (504, 1)


@pytest.mark.parametrize(
    ("written", "code", "pointer", "help"),
    [
        ("retries: {attempts: 9, on: [reset]}", "extension-value", "/attempts", "1 to 5"),
        ("retries: {attempts: 1, on: [whim]}", "extension-value", "/on/0", "connect-failure"),
        ("retries: {attempts: 1, on: [reset], backof: {base: 1ms}}", "extension-unknown", "/backof", "`backoff`"),
        ("timeout: 1s, retries: {attempts: 1, on: [reset], perTryTimeout: 2s}", "extension-value", "/perTryTimeout", "shorter"),
        ("retries: {attempts: 1, on: [reset], perTryTimeout: 0s}", "extension-value", "/perTryTimeout", "time"),
        ("retries: {attempts: 1, on: [reset], backoff: {base: 0s}}", "extension-value", "/backoff/base", "25ms"),
        ("retries: {attempts: 1, on: [reset], backoff: {base: 2s, max: 1s}}", "extension-value", "/backoff/max", "at least"),
    ],
)  # fmt: skip
def test_bad_settings_have_a_place(written: str, code: str, pointer: str, help: str) -> None:
    (found,) = compiled_with(written)
    assert found.code == code
    assert found.span
    assert found.span.pointer.endswith(f"/retries{pointer}")
    assert help in (found.help or "")


def test_retries_that_a_method_may_not_have_are_told() -> None:
    from tests.projects import CONTRACT

    document = CONTRACT.replace("operationId: listPets\n", "operationId: gone\n").replace("addPet", "listPets")
    (found,) = compiled_with("retries: {attempts: 1, on: [connect-failure, '503']}", document)
    assert found.code == "retries-unsafe"
    assert "503" in found.message
    assert "idempotent: true" in (found.help or "")
    assert not compiled_with("idempotent: true, retries: {attempts: 1, on: ['503']}", document)
