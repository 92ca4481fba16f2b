"""`timeout`: the service has so long for its whole answer, by operation, then the client is told 504."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from werkzeug import Request, Response

from tests.features.hop import Hop, contract, operation, serve
from tests.projects import compiled_with


def _slow(request: Request) -> Response:
    time.sleep(0.6)
    return Response("late", 200)


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    paths = {
        "/short": {"get": operation(x_sidegate={"timeout": "200ms"})},
        "/long": {"get": operation(x_sidegate={"timeout": "5s"}), "post": operation()},
    }
    document = contract(paths, **{"x-sidegate": {"timeout": "300ms"}})
    with serve(tmp_path_factory.mktemp("timeouts"), document, answer=_slow) as running:
        yield running


def test_a_late_answer_is_504(hop: Hop) -> None:
    answer = hop.client.get("/short")
    assert (answer.status_code, answer.json()["code"]) == (504, "upstream-timeout")


def test_the_inner_key_wins(hop: Hop) -> None:
    """The document's key holds where an operation has none of its own."""
    assert hop.client.get("/long").status_code == 200
    assert hop.client.post("/long").status_code == 504


@pytest.mark.parametrize(
    ("written", "code", "help"),
    [
        ("timeout: 0s", "extension-value", "leave it out"),
        ("timeout: 999999d", "extension-value", "how long the service may take"),
        ("timeout: 2", "extension-value", "how long the service may take"),
        ("timeot: 2s", "extension-unknown", "did you mean `timeout`?"),
    ],
)
def test_bad_settings_have_a_place(written: str, code: str, help: str) -> None:
    (found,) = compiled_with(written)
    assert (found.code, found.span and found.span.file) == (code, "contracts/pets/v1.yaml")
    assert help in (found.help or "")
