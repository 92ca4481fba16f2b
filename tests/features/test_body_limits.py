"""`bodyLimit`: a larger body is 413, whoever holds it back; one that streams must announce its length."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.features.hop import Hop, contract, operation, serve
from tests.projects import compiled_with

LIMIT = 2048


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    text = {"required": True, "content": {"text/plain": {"schema": {"type": "string"}}}}
    image = {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}
    paths = {
        "/judged": {"post": operation(requestBody=text)},
        "/wide": {"post": operation(requestBody=text, x_sidegate={"bodyLimit": "4KiB"})},
        "/unjudged": {"post": operation(requestBody=text, x_sidegate={"mode": "off"})},
        "/bare": {"post": operation(x_sidegate={"mode": "off"})},
        "/streamed": {"post": operation(requestBody=image)},
    }
    free = {"/free": {"post": operation(requestBody=image)}, "/usual": {"post": operation(requestBody=text)}}
    documents = {"v1": contract(paths, **{"x-sidegate": {"bodyLimit": "2KiB"}}), "v2": contract(free)}
    with serve(tmp_path_factory.mktemp("limits"), documents) as running:
        yield running


def _send(hop: Hop, path: str, size: int, *, announced: bool) -> httpx.Response:
    kind = {"content-type": "image/png" if path in ("/streamed", "/free") else "text/plain"}
    if announced:
        return hop.client.post(path, content=b"x" * size, headers=kind)
    return hop.client.post(path, content=iter([b"x" * (size // 2), b"x" * (size - size // 2)]), headers=kind)


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "chunked"])
@pytest.mark.parametrize(
    ("path", "limit"), [("/judged", LIMIT), ("/wide", 4096), ("/unjudged", LIMIT), ("/bare", LIMIT)]
)
def test_the_limit_is_exact(hop: Hop, path: str, limit: int, announced: bool) -> None:
    assert _send(hop, path, limit, announced=announced).status_code == 200
    since = len(hop.server.log)
    refused = _send(hop, path, limit + 1, announced=announced)
    assert (refused.status_code, refused.json()["code"]) == (413, "body-too-large")
    assert refused.headers["content-type"] == "application/problem+json"
    assert hop.reached(since) == []


def test_what_streams_is_limited_by_the_length_that_it_must_announce(hop: Hop) -> None:
    assert _send(hop, "/streamed", LIMIT, announced=True).status_code == 200
    refused = _send(hop, "/streamed", LIMIT + 1, announced=True)
    assert (refused.status_code, refused.json()["code"]) == (413, "body-too-large")
    since = len(hop.server.log)
    unsaid = _send(hop, "/streamed", LIMIT, announced=False)
    assert (unsaid.status_code, unsaid.json()["code"]) == (411, "length-required")
    assert hop.reached(since) == []


def test_what_streams_has_no_limit_unless_asked(hop: Hop) -> None:
    assert _send(hop, "/free", 3 << 20, announced=False).status_code == 200


def test_the_usual_limit_is_a_mebibyte(hop: Hop) -> None:
    assert _send(hop, "/usual", 1 << 20, announced=False).status_code == 200
    assert _send(hop, "/usual", (1 << 20) + 1, announced=False).status_code == 413


@pytest.mark.parametrize(
    ("written", "code", "said"),
    [
        ("bodyLimit: 11MiB", "extension-value", "no body may be larger than 10MiB"),
        ("bodyLimit: 0B", "extension-value", "does not match"),
        ("bodyLimit: 65536", "extension-value", "is not of type"),
        ("bodyLimits: 64KiB", "extension-unknown", "no key `bodyLimits`"),
    ],
)
def test_bad_settings_have_a_place(written: str, code: str, said: str) -> None:
    (found,) = compiled_with(written)
    assert (found.code, found.span and found.span.file) == (code, "contracts/pets/v1.yaml")
    assert found.span
    assert found.span.line == 9
    assert said in found.message
