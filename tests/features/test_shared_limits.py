"""Limits in a shared store: a real rate limit service on a real Valkey, fed by the control plane, and what if it is away."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from httpx import Response

from tests.features.hop import Hop, contract, operation, serve
from tests.projects import pets, write
from tests.ratelimit_server import RateLimitServer, Valkey, ratelimit_binary
from tests.waiting import PATIENCE_S, until
from xds.up.ports import free_port

__all__ = ["ratelimit_binary"]

PERIODS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800, "month": 2_592_000}


def limited(name: str, **more: object) -> dict[str, object]:
    limit = {"name": name, "by": [], "limit": 3, "per": "day", "store": "shared", **more}
    return operation(x_sidegate={"rateLimits": [limit]})


def paths() -> dict[str, object]:
    both = [
        {"name": "small", "by": ["client"], "limit": 2, "per": "day", "store": "shared"},
        {"name": "large", "by": [], "limit": 50, "per": "month", "store": "shared"},
    ]
    twins = [
        {"name": "wide", "by": [], "limit": 3, "per": "day", "store": "shared"},
        {"name": "narrow", "by": ["header:x-t"], "limit": 3, "per": "day", "store": "shared"},
    ]
    behind = [
        {"name": "seen", "by": [], "limit": 1, "per": "day", "store": "shared", "shadow": True},
        {"name": "kept", "by": [], "limit": 2, "per": "day", "store": "shared"},
    ]
    bytes_ = [
        {"name": "all", "by": [], "limit": 3, "per": "day", "store": "shared", "onFailure": "open"},
        {"name": "each", "by": ["header:x-t"], "limit": 9, "per": "day", "store": "shared", "onFailure": "open"},
    ]
    ahead = [
        {"name": "month", "by": [], "limit": 1, "per": "month", "store": "shared", "shadow": True},
        {"name": "day", "by": [], "limit": 2, "per": "day", "store": "shared"},
    ]
    mixed = [
        {"name": "first", "by": [], "limit": 2, "per": "day", "store": "shared", "onFailure": "closed"},
        {"name": "second", "by": [], "limit": 9, "per": "week", "store": "shared", "onFailure": "open"},
    ]
    return {
        "/ahead": {"get": operation(x_sidegate={"rateLimits": ahead})},
        "/mixed": {"get": operation(x_sidegate={"rateLimits": mixed})},
        "/quiet": {"get": limited("quiets", shadow=True, onFailure="closed")},
        "/twins": {"get": operation(x_sidegate={"rateLimits": twins})},
        "/behind": {"get": operation(x_sidegate={"rateLimits": behind})},
        "/bytes": {"get": operation(x_sidegate={"rateLimits": bytes_})},
        "/team": {"get": limited("teams", by=["header:x-team", "address"])},
        **{f"/per/{per}": {"get": limited(f"per-{per}", per=per, limit=1000)} for per in PERIODS},
        "/both": {"get": operation(x_sidegate={"rateLimits": both})},
        "/shadow": {"get": limited("watched", limit=1, shadow=True)},
        "/five": {"get": limited("fives", limit=10, cost=5)},
        "/open": {"get": limited("opens", onFailure="open")},
        "/closed": {"get": limited("closeds", onFailure="closed")},
        "/said": {"get": limited("said")},
        "/seen": {"get": limited("strangers", limit=9)},
    }


@dataclass
class Counted:
    """A gateway, the service that counts for it, and where that keeps its counts."""

    hop: Hop
    service: RateLimitServer
    valkey: Valkey

    def get(self, path: str, **headers: str) -> Response:
        return self.hop.client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def statuses(self, path: str, times: int) -> list[int]:
        return [self.get(path).status_code for _ in range(times)]


@pytest.fixture(scope="module")
def counted(ratelimit_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counted]:
    folder, port = tmp_path_factory.mktemp("shared"), free_port()
    settings = {"rateLimit": {"service": f"127.0.0.1:{port}", "onFailure": "closed", "timeout": "1s"}}
    valkey = Valkey(folder)
    try:
        with serve(folder, contract(paths()), settings=settings) as hop:
            service = RateLimitServer(ratelimit_binary, valkey, folder, port, ads_of(hop))
            until(lambda: "teams" in service.configuration())
            until(lambda: hop.client.get("/per/month").status_code == 200)
            try:
                yield Counted(hop, service, valkey)
            finally:
                service.stop()
    finally:
        valkey.stop()


def ads_of(hop: Hop) -> str:
    """Where the control plane streams, as Envoy was told."""
    bootstrap = yaml.safe_load((hop.folder / ".sidegate" / "envoy.json").read_text())
    (cluster,) = bootstrap["static_resources"]["clusters"]
    address = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]
    return f"{address['address']}:{address['port_value']}"


def test_a_shared_limit_refuses_and_is_seen_in_the_store(counted: Counted) -> None:
    answers = [counted.get("/team", x_team="a") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    refused = answers[-1]
    assert (refused.json()["code"], refused.json()["limit"]) == ("rate-limited", "teams")
    assert refused.headers["ratelimit-policy"] == '"teams";q=3;w=86400'
    assert refused.headers["ratelimit"] == f'"teams";r=0;t={refused.headers["retry-after"]}'
    assert 0 < int(refused.headers["retry-after"]) <= 86_400
    assert answers[0].headers["ratelimit"].startswith('"teams";r=2;t=')
    assert not [
        n for answer in answers for n in answer.headers if n.startswith(("x-ratelimit", "x-envoy-r", "x-sidegate"))
    ]
    assert counted.get("/team", x_team="b").status_code == 200
    counts = {key: value for key, value in counted.valkey.counters().items() if "teams" in key}
    assert sorted(counts.values()) == [1, 4]
    assert any("h:a" in key and "127.0.0.1" in key for key in counts)


@pytest.mark.skipif(not shutil.which("redis-cli"), reason="there is no redis-cli")
def test_a_stranger_reads_the_counts(counted: Counted) -> None:
    """Redis' own client, as operators look into the store."""
    assert counted.statuses("/seen", 3) == [200, 200, 200]

    def ask(*words: str) -> list[str]:
        command = ("redis-cli", "-p", str(counted.valkey.port), *words)
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=True).stdout.split()

    [key] = ask("--scan", "--pattern", "*strangers*")
    assert ask("GET", key) == ["3"]
    assert 0 < int(ask("TTL", key)[0]) <= PERIODS["day"] + 1


@pytest.mark.parametrize("per", PERIODS)
def test_every_period(counted: Counted, per: str) -> None:
    """Quotas by day, week and month are counted in periods of the clock, and kept so long."""
    began = time.time()
    answer = counted.get(f"/per/{per}")
    ended = time.time()
    assert answer.headers["ratelimit-policy"] == f'"per-{per}";q=1000;w={PERIODS[per]}'
    reset = int(answer.headers["ratelimit"].rpartition("t=")[2])
    assert (began + reset - 2) // PERIODS[per] < (ended + reset + 2) // PERIODS[per], "it ends with no period"


def test_of_several_the_one_that_refused_is_named(counted: Counted) -> None:
    answers = [counted.get("/both") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].json()["limit"] == "small"
    assert answers[0].headers["ratelimit-policy"] == '"large";q=50;w=2592000, "small";q=2;w=86400'
    assert answers[0].headers["ratelimit"].startswith('"small";r=1;')


def test_a_shadow_counts_and_never_refuses(counted: Counted) -> None:
    assert counted.statuses("/shadow", 4) == [200] * 4
    (count,) = (value for key, value in counted.valkey.counters().items() if "watched" in key)
    assert count == 4


def test_of_two_alike_all_names_are_the_same(counted: Counted) -> None:
    refused = [counted.get("/twins") for _ in range(4)][-1]
    assert refused.status_code == 429
    assert refused.headers["ratelimit"].startswith(f'"{refused.json()["limit"]}";r=0;')


def test_a_shadow_is_never_the_one_that_refused(counted: Counted) -> None:
    answers = [counted.get("/behind") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].json()["limit"] == "kept"


def test_nobody_waits_for_a_shadow(counted: Counted) -> None:
    """A shadow of a month that is used up beside a day's limit: `Retry-After` is the day's."""
    refused = [counted.get("/ahead") for _ in range(4)][-1]
    assert (refused.status_code, refused.json()["limit"]) == (429, "day")
    assert 0 < int(refused.headers["retry-after"]) <= 86_400
    assert refused.headers["ratelimit"] == f'"day";r=0;t={refused.headers["retry-after"]}'


def test_whose_refusal_it_is_where_some_fail_closed(counted: Counted) -> None:
    answers = [counted.get("/mixed") for _ in range(4)]
    told = [set(answer.headers.get_list("ratelimit")) for answer in answers]
    assert all({one.split(";")[0] for one in each} == {'"first"', '"second"'} for each in told[:2])
    refused = answers[-1]
    assert (refused.status_code, refused.json()["limit"]) == (429, "first")
    assert told[-1] == {f'"first";r=0;t={refused.headers["retry-after"]}'}


def test_what_is_no_utf_8_is_counted(counted: Counted) -> None:
    """The service is asked in UTF-8. A question that it cannot be asked would be a way around limits that fail open."""
    halves = [b"\xff", b"\xc3", b"a" * 255 + "é".encode(), "é".encode()]
    answers = [counted.hop.client.get("/bytes", headers={"x-t": each}) for each in halves]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["ratelimit"].split(";t=")[0] for answer in answers[:3]] == [
        f'"all";r={left}' for left in (2, 1, 0)
    ]
    counts = {key: value for key, value in counted.valkey.counters().items() if "each" in key}
    assert sorted(counts.values()) == [1, 3]


def test_a_cost_counts_in_the_store(counted: Counted) -> None:
    assert counted.statuses("/five", 3) == [200, 200, 429]


def test_a_restarted_service_goes_on_where_it_was(counted: Counted) -> None:
    assert counted.get("/team", x_team="kept").status_code == 200
    counted.service.stop()
    counted.service.start()
    until(lambda: "teams" in counted.service.configuration())
    until(lambda: counted.get("/per/hour").status_code == 200)
    left = counted.get("/team", x_team="kept").headers["ratelimit"]
    assert left.startswith('"teams";r=1;')


@pytest.fixture(scope="module")
def strict(counted: Counted) -> Counted:
    """The same, with no patience: the second that the other tests have is for a busy machine."""
    settings, path = (counted.hop.folder / name for name in ("sidegate.yaml", "contracts/svc/v1.yaml"))
    settings.write_text(settings.read_text().replace("timeout: 1s", "timeout: 5ms"))
    path.write_text(path.read_text().replace("name: fives", "name: fivers"))
    until(lambda: "fivers" in counted.service.configuration())
    until(lambda: '"fivers"' in counted.get("/five").headers.get("ratelimit-policy", ""))
    return counted


def test_a_changed_limit_reaches_proxy_and_service(strict: Counted) -> None:
    assert "/fivers: unit=DAY requests_per_unit=10" in strict.service.configuration()


@pytest.mark.parametrize("away", ["stopped", "hangs", "no store"])
def test_while_the_store_is_away(strict: Counted, away: str) -> None:
    """R08: what happens is said by each limit, and no request waits longer than 5 ms for it."""
    strict.statuses("/open", 1)
    process = strict.valkey.process if away == "no store" else strict.service.process
    if away == "stopped":
        strict.service.stop()
    else:
        process.send_signal(19)  # SIGSTOP: it takes what is sent and never answers
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)  # all of its threads, which is some time after it was told
    try:
        answers = {path: [strict.get(path) for _ in range(20)] for path in ("/open", "/closed", "/said", "/quiet")}
        quickest = min(answer.elapsed.total_seconds() for each in answers.values() for answer in each)
        for path in ("/open", "/quiet"):
            assert {answer.status_code for answer in answers[path]} == {200}, "a shadow refuses nobody"
        for path in ("/closed", "/said"):
            assert {answer.status_code for answer in answers[path]} == {503}
            assert answers[path][0].json()["code"] == "limits-unavailable"
        assert not [answer for answer in answers["/open"] if "ratelimit" in answer.headers]
        assert quickest < 0.5, "5 ms for the store, and what the rest of the hop takes; all wait alike"
    finally:
        if away == "stopped":
            strict.service.start()
        else:
            process.send_signal(18)
        until(lambda: strict.get("/per/minute").status_code == 200)


def test_the_same_as_a_file(ratelimit_binary: Path, tmp_path: Path) -> None:
    """`sidegate compile --rate-limit`: what a service that knows no control plane reads."""
    limits = "[{name: a, by: [address], limit: 7, per: week, store: shared}]"
    written = f"x-sidegate: {{policy: none, reason: x, rateLimits: {limits}}}"
    text = pets()["contracts/pets/v1.yaml"].replace("x-sidegate: {policy: none, reason: a public page}", written)
    settings = pets()["sidegate.yaml"] + "rateLimit: {service: '127.0.0.1:1'}\n"
    project = write(tmp_path / "project", pets(contract=text, settings=settings))
    command = [sys.executable, "-m", "xds.cli", "compile", "--rate-limit", str(project)]
    (tmp_path / "limits" / "config").mkdir(parents=True)
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    (tmp_path / "limits" / "config" / "sidegate.yaml").write_text(printed)
    valkey = Valkey(tmp_path)
    try:
        service = RateLimitServer(ratelimit_binary, valkey, tmp_path, free_port(), None)
        try:
            until(lambda: "/a.key-0: unit=WEEK requests_per_unit=7" in service.configuration())
        finally:
            service.stop()
    finally:
        valkey.stop()
