"""R: limits. The stated tolerance of a local limit is what its bucket gains while the test lasts, below one here."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.bench.limits import LIMIT, PARALLEL, TOLERANCE, burst
from tests.bench.load import Target, drive, request
from tests.blackbox import http1
from tests.e2e import processes
from tests.features.hop import Hop, contract, operation, serve
from xds.keyfile import add

pytestmark = pytest.mark.slow


def limited(name: str, **more: object) -> dict[str, Any]:
    return operation(x_sidegate={"rateLimits": [{"name": name, "by": ["address"], "limit": 3, "per": "hour", **more}]})


def _answered_by_the_proxy(operation: dict[str, Any]) -> dict[str, Any]:
    more = {"mode": "off", "policy": "none", "reason": "tens of thousands of requests", "mock": {"status": 200}}
    return {**operation, "x-sidegate": {**operation["x-sidegate"], **more}}


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory, keys: list[str]) -> Iterator[Hop]:
    paths = {
        "/spoofed": {"get": limited("spoofed")},
        "/burst": {"get": limited("burst", limit=LIMIT)},
        "/edge": {"get": limited("edge", limit=10, per="second", burst=5, by=[])},
        "/keys": {"get": _answered_by_the_proxy(limited("keys", by=["header:x-key"]))},
        "/doubled": {"get": limited("doubled", by=["header:x-key"])},
        "/reloaded": {"get": limited("reloaded")},
        "/keyed": {"get": {**limited("keyed", by=["client"]), "security": [{"key": []}]}},
    }
    folder = tmp_path_factory.mktemp("limits")
    keys.append(add(folder / "consumers.yaml", "mobile"))
    files = {"keys/consumers.yaml": (folder / "consumers.yaml").read_text()}
    schemes = {"key": {"type": "apiKey", "in": "header", "name": "X-Api-Key"}}
    document = contract(paths, components={"securitySchemes": schemes})
    settings = {"security": {"key": {"keys": {"file": "keys/consumers.yaml"}}}}
    with serve(folder, document, settings=settings, files=files) as running:
        yield running


@pytest.fixture(scope="module")
def keys() -> list[str]:
    return []


def ask(hop: Hop, path: str, *headers: str) -> http1.Answer:
    with http1.Connection(hop.gateway.port) as connection:
        connection.send(request(path, *headers))
        return connection.read().answer


def statuses(hop: Hop, path: str, *forms: tuple[str, ...]) -> list[int]:
    return [ask(hop, path, *form).status for form in forms]


def test_r01_a_spoofed_address_is_no_other_bucket(hop: Hop) -> None:
    """Nobody before the gateway is trusted: whatever a client says of its address, its peer's counts."""
    said = ("1.2.3.4", "2001:db8::1", "::ffff:1.2.3.4", "1.2.3.4, 5.6.7.8", "127.0.0.1")
    names = (
        "x-forwarded-for",
        "forwarded",
        "x-real-ip",
        "true-client-ip",
        "x-envoy-external-address",
        "x-sidegate-client",
    )
    answers = statuses(hop, "/spoofed", *((f"{name}: {address}",) for name in names for address in said))
    assert answers == [200] * 3 + [429] * (len(answers) - 3)


def test_r02_a_doubled_or_padded_header_is_no_other_bucket(hop: Hop) -> None:
    """The first value counts, without the spaces around it; upper and lower case are two values, as in HTTP."""
    forms = (("x-key: a",), ("X-KEY:  a  ",), ("x-key: a", "x-key: b"), ("x-key: a",))
    assert statuses(hop, "/doubled", *forms) == [200, 200, 200, 429]


def test_r02_a_key_that_is_written_otherwise_is_no_other_bucket(hop: Hop, keys: list[str]) -> None:
    """It is the consumer's bucket, or 401, and what is 401 takes nothing of it."""
    (key,) = keys
    escaped = "".join(f"%{ord(sign):02x}" for sign in key)
    wrong = (
        (key.swapcase(),),
        (escaped,),
        (f'"{key}"',),
        (key, key),
        (key, "x"),
        (f"{key},{key}",),
        (f"{key[:5]} {key[5:]}",),
    )
    for each in wrong:
        assert ask(hop, "/keyed", *(f"x-api-key: {value}" for value in each)).status == 401, each
    lines = (f"x-api-key: {key}", f"X-API-KEY:   {key}  ", f"x-Api-Key:{key}", f"x-api-key: {key}")
    assert statuses(hop, "/keyed", *((line,) for line in lines)) == [200, 200, 200, 429]


def test_r04_a_thousand_at_once(hop: Hop) -> None:
    found = burst(hop.gateway.port, request("/burst"))
    assert abs(found[200] - LIMIT) <= TOLERANCE, found
    assert found[200] + found[429] == PARALLEL, found
    refused = ask(hop, "/burst")
    assert (refused.status, refused.code, refused.header("retry-after")) == (429, "rate-limited", "36")
    assert refused.header("ratelimit-policy") == f'"burst";q={LIMIT};w=3600'
    assert (refused.header("ratelimit") or "").startswith('"burst";r=0;t=')


def test_r05_no_edge_of_a_window_has_more_than_the_burst(hop: Hop) -> None:
    """10 a second, 5 at once: in any second at most 5 + 10, wherever it begins."""
    passed: list[tuple[float, float]] = []
    began, asked = time.monotonic(), 0
    while (sent := time.monotonic()) - began < 3:
        asked += 1
        if ask(hop, "/edge").status == 200:
            passed.append((sent, time.monotonic()))
    most = max(sum(first <= sent and answered < first + 1 for sent, answered in passed) for first, _ in passed)
    assert most <= 5 + 10, most
    assert len(passed) <= 5 + 10 * (passed[-1][1] - began) + 1
    assert len(passed) >= min(asked // 3, 5 * 3), "what is refused takes nothing"


def test_r07_distinct_keys_take_bounded_memory_and_spare_who_is_active(hop: Hop) -> None:
    """30,000 keys, more than are kept; the one that keeps asking stays refused (10,000 others at most are between)."""
    assert statuses(hop, "/keys", *[("x-key: abuser",)] * 4) == [200, 200, 200, 429]
    before = processes.read(hop.gateway.roles()["envoy"].pid)
    for half in range(3):
        _flood(hop.gateway.port, range(half * 10_000, (half + 1) * 10_000))
        assert ask(hop, "/keys", "x-key: abuser").status == 429
    after = processes.read(hop.gateway.roles()["envoy"].pid)
    assert before is not None
    assert after is not None
    assert after.rss - before.rss < 64 << 20


def _flood(port: int, keys: range) -> None:
    """One request a key; each is answered 200, or this raises."""
    drive(Target("keys", port, (), {}), (request("/keys", f"x-key: {key}") for key in (*keys, *keys[:100])), len(keys))


def test_a_reload_starts_no_count_anew(hop: Hop) -> None:
    """What an edit changes is routes; the buckets stand apart from them."""
    assert statuses(hop, "/reloaded", *[()] * 4) == [200, 200, 200, 429]
    path = hop.folder / "contracts/svc/v1.yaml"
    path.write_text(path.read_text().replace("title: svc", "title: edited"))
    hop.gateway.wait_ready()
    time.sleep(1)
    assert ask(hop, "/reloaded").status == 429
