"""`cache`: a miss that fails is told of as any other failure: status, code, log, metric; and its retries and limits hold."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from werkzeug import Request, Response

from tests.features.hop import Hop, contract, operation, serve
from tests.features.test_cache import kept
from tests.features.test_observability import _count, _line
from tests.projects import compiled_with
from tests.waiting import until
from xds.up.ports import free_port

SHARED = {"ttl": "60s", "shared": True}


def _answer(request: Request) -> Response:
    if "x-sleep" in request.headers:
        time.sleep(1.5)
    status = _fails[0] if _fails else int(request.headers.get("x-status", "200"))
    said = {"cache-control": request.headers["x-say"]} if "x-say" in request.headers else {}
    return Response("said", status, {"x-sidegate-code": "a-lie", **said})


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    limit = [{"name": "few", "by": [], "limit": 40, "per": "hour"}]
    own: dict[str, dict[str, Any]] = {
        "late": {"cache": SHARED, "timeout": "300ms"},
        "bare": {"timeout": "300ms"},
        "said": {"cache": SHARED},
        "stale": {"cache": SHARED},
        "again": {"cache": SHARED, "retries": {"attempts": 2, "on": ["503"]}},
        "limited": {"cache": SHARED, "rateLimits": limit},
    }
    sent = [{"name": name, "in": "header", "schema": {"type": "string"}} for name in ("x-sleep", "x-status", "x-say")]
    paths = {
        f"/{name}": {"get": operation(operationId=name, parameters=sent, x_sidegate=each)} for name, each in own.items()
    }
    away = contract(
        {"/away": {"get": operation(operationId="away", x_sidegate={"cache": SHARED})}}, servers=[{"url": "/v2"}]
    )
    documents = {"v1": contract(paths, servers=[{"url": "/v1"}]), "v2": away}
    upstreams = {"versions": {"v2": {"upstream": f"http://127.0.0.1:{free_port()}"}}}
    with serve(
        tmp_path_factory.mktemp("misses"), documents, settings={"services": {"svc": upstreams}}, answer=_answer
    ) as running:
        yield running


@pytest.mark.parametrize(
    ("path", "headers", "status", "code"),
    [
        ("/v1/late", {"x-sleep": "1"}, 504, "upstream-timeout"),
        ("/v1/bare", {"x-sleep": "1"}, 504, "upstream-timeout"),
        ("/v2/away", {}, 503, "upstream-unavailable"),
    ],
)
def test_a_failure_has_its_code(hop: Hop, path: str, headers: dict[str, str], status: int, code: str) -> None:
    """With a cache as without one: in the document, the log and the metrics, and in no header."""
    answer = hop.client.get(path, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not [name for name in answer.headers if name.startswith("x-sidegate-")]
    line = _line(hop, answer.json()["traceId"])
    assert (line["status"], line["code"]) == (status, code)
    labels = {"operation": path.rpartition("/")[2], "status": str(status), "code": code}
    until(lambda: _count(hop, **labels) == 1)


def test_what_the_service_says_of_codes_is_nobody_s(hop: Hop) -> None:
    """Its own failures have none, as without a cache, whatever it writes; nor do the answers that it gives."""
    for status in ("500", "404", "200"):
        answer = hop.client.get("/v1/said", headers={"x-status": status, "traceparent": _trace(int(status))})
        assert (answer.status_code, answer.text) == (int(status), "said")
        assert not [name for name in answer.headers if name.startswith(("x-sidegate-", "x-envoy-"))]
        assert not _line(hop, _trace(int(status)).split("-")[1]).get("code")
    answer = kept(hop, "/v1/said", {"x-status": "200"})
    assert not [name for name in answer.headers if name.startswith(("x-sidegate-", "x-envoy-"))]
    assert _count(hop, code="a-lie") == 0


def _trace(number: int) -> str:
    return f"00-{number:032x}-{number:016x}-01"


def test_a_miss_is_retried_as_often_as_is_said(hop: Hop) -> None:
    since = len(hop.server.log)
    assert hop.client.get("/v1/again", headers={"x-status": "503"}).status_code == 503
    assert [each.path for each in hop.reached(since)].count("/v1/again") == 3


def test_nothing_stale_is_given_out(hop: Hop) -> None:
    """RFC 5861 is not Envoy's (1.40): whatever the service allows, its trouble is told once the time is over."""
    ask = {"x-status": "200", "x-say": "max-age=1, stale-while-revalidate=600, stale-if-error=600"}
    assert kept(hop, "/v1/stale", ask).status_code == 200
    _fails.append(503)
    try:
        until(lambda: hop.client.get("/v1/stale", headers=ask).status_code == 503)
    finally:
        _fails.clear()
    (found,) = compiled_with("cache: {ttl: 60s, stale: {ifError: 1h}}")
    assert (found.code, "no key `stale`" in found.message) == ("extension-unknown", True)


@pytest.mark.parametrize("key", ["stale", "staleIfError", "stale-while-revalidate", "swr", "purge", "invalidate"])
def test_what_the_cache_cannot_do_is_said(key: str) -> None:
    (found,) = compiled_with(f"cache: {{ttl: 60s, {key}: 1h}}")
    assert (found.code, found.message) == ("extension-unknown", f"`cache`: there is no key `{key}` here")
    assert "gives nothing stale out and cannot purge" in (found.help or "")
    (close,) = compiled_with("cache: {ttl: 60s, sharred: true}")
    assert close.help == "did you mean `shared`?"


_fails: list[int] = []


def test_a_limit_counts_hits_and_misses(hop: Hop) -> None:
    answers = [hop.client.get("/v1/limited") for _ in range(41)]
    assert [answer.status_code for answer in answers] == [200] * 40 + [429]
    assert answers[40].json()["code"] == "rate-limited"
    assert "age" not in answers[0].headers
    assert "age" in answers[39].headers
