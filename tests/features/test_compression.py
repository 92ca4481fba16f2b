"""`compression`: answers are compressed as the client accepts, and what is kept or small or secret is not."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from werkzeug import Request, Response

from tests.features.hop import Hop, contract, operation, serve
from tests.features.test_cache import kept
from tests.projects import compiled_with

TEXT = json.dumps({"items": ["the same words again and again"] * 200})


def _answer(request: Request) -> Response:
    size = "small" if request.path.endswith("small") else "large"
    kind = "image/png" if request.path.endswith("image") else "application/json"
    body: Any = TEXT if size == "large" else '{"a": 1}'
    said = {"etag": '"strong"', "x-accepted": request.headers.get("accept-encoding", "nothing")}
    if request.path.endswith("encoded"):
        body, said = gzip.compress(TEXT.encode()), {**said, "content-encoding": "gzip", "vary": "accept-encoding"}
    return Response(body, 200, said, content_type=kind)


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    bearer: list[Any] = [{"bearer": []}]
    cache = {"ttl": "60s", "shared": True}
    paths = {
        f"/{name}": {"get": operation(**more)}
        for name, more in {
            "large": {},
            "small": {},
            "image": {},
            "encoded": {},
            "off": {"x_sidegate": {"compression": False}},
            "secret": {"security": bearer},
            "asked": {"security": bearer, "x_sidegate": {"compression": True}},
            "kept": {"x_sidegate": {"cache": cache}},
            "kept-encoded": {"x_sidegate": {"cache": cache}},
        }.items()
    }
    document = contract(paths, **{"x-sidegate": {"compression": True}})
    with serve(tmp_path_factory.mktemp("compression"), document, answer=_answer) as running:
        yield running


def coding(hop: Hop, path: str, accepted: str, **headers: str) -> str | None:
    """The coding of an answer, whose bytes are shown to be of that coding."""
    with hop.client.stream("GET", path, headers={"accept-encoding": accepted, **headers}) as answer:
        assert answer.status_code == 200
        raw = b"".join(answer.iter_raw())
    found = answer.headers.get("content-encoding")
    starts = {"gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd"}
    assert raw.startswith(starts.get(found or "", b""))
    assert found is None or (len(raw) < len(TEXT) / 4 and "accept-encoding" in answer.headers["vary"].lower())
    return found


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        ("gzip", "gzip"),
        ("br", "br"),
        ("zstd", "zstd"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("zstd;q=0.1, br;q=0.9, gzip;q=0.5", "br"),
        ("gzip;q=0", None),
        ("identity", None),
        ("compress", None),
    ],
)
def test_the_client_chooses(hop: Hop, accepted: str, chosen: str | None) -> None:
    assert coding(hop, "/large", accepted) == chosen


@pytest.mark.parametrize("path", ["/small", "/image", "/off", "/encoded"])
def test_what_gains_nothing_stays_as_it_is(hop: Hop, path: str) -> None:
    with hop.client.stream("GET", path, headers={"accept-encoding": "br"}) as answer:
        answer.read() if path != "/encoded" else b"".join(answer.iter_raw())
    assert answer.headers.get("content-encoding") == ("gzip" if path == "/encoded" else None)
    assert answer.headers["etag"] == '"strong"'


def test_a_strong_validator_is_weakened(hop: Hop) -> None:
    answer = hop.client.get("/large", headers={"accept-encoding": "gzip"})
    assert (answer.headers["etag"], answer.text) == ('W/"strong"', TEXT)
    assert answer.headers["x-accepted"] == "nothing"


def test_secrets_are_compressed_only_where_the_operation_says_so(hop: Hop) -> None:
    """BREACH: the document's word is not enough for operations with credentials."""
    token = {"authorization": f"Bearer {hop.issuer.token()}"}
    assert coding(hop, "/secret", "gzip", **token) is None
    assert coding(hop, "/asked", "gzip", **token) == "gzip"


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        ("/asked", 0, 401, "token-missing"),
        ("/large", 1, 400, "unknown-parameter"),
        ("/large", 30, 400, "unknown-parameter"),
    ],
)
def test_a_refusal_stays_one_and_is_told_as_it_is(hop: Hop, path: str, query: int, status: int, code: str) -> None:
    """Whatever the client accepts, and however long it is: nothing of it reaches the service."""
    since, undeclared = len(hop.server.log), {f"undeclared-{n:02}": "x" for n in range(query)}
    answer = hop.client.get(path, params=undeclared, headers={"accept-encoding": "zstd, br, gzip"})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert "content-encoding" not in answer.headers
    assert hop.reached(since) == []


def test_what_is_kept_is_for_every_client(hop: Hop) -> None:
    kept(hop, "/kept")
    since = len(hop.server.log)
    for accepted, chosen in (("gzip", "gzip"), ("identity", None), ("br", "br"), ("gzip", "gzip")):
        assert coding(hop, "/kept", accepted) == chosen
    assert len(hop.server.log) == since


def test_what_comes_encoded_is_not_kept(hop: Hop) -> None:
    """A service that encodes without being asked: the next client may not read it."""
    for _ in range(2):
        hop.client.get("/kept-encoded", headers={"accept-encoding": "gzip"})
        time.sleep(0.1)
    assert len([each for each in hop.reached() if each.path == "/kept-encoded"]) == 2


def test_bad_settings_have_a_place() -> None:
    (found,) = compiled_with("compression: gzip")
    assert found.code == "extension-value"
    assert found.span
    assert found.span.file == "contracts/pets/v1.yaml"
    assert found.span.line
