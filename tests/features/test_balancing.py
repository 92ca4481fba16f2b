"""`services.NAME.upstream` as an object: which endpoint gets a request, and which gets none."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import yaml

from tests.features.hop import Hop, contract, operation, serve
from tests.features.upstreams import Upstream, dead, upstreams
from tests.projects import pets, tree
from tests.waiting import until
from xds.compile import Compiler

BEARER = [{"bearer": []}]


@dataclass
class Pool:
    hop: Hop
    a: Upstream
    b: Upstream
    c: Upstream

    def who(self, path: str, **more: object) -> str:
        answer = self.hop.client.get(path, **more)  # type: ignore[arg-type]
        assert answer.status_code == 200, answer.text
        return str(answer.json()["upstream"])

    def seen(self, path: str, times: int) -> set[str]:
        """Who answered; nobody, while requests are refused."""
        answers = [self.hop.client.get(path) for _ in range(times)]
        return {str(answer.json()["upstream"]) for answer in answers if answer.is_success}


SERVICES = ("weighted", "ring", "claim", "param", "cookie", "address", "alive", "broken", "names")


def _document(service: str) -> dict[str, object]:
    item = {"in": "path", "name": "id", "required": True, "schema": {"type": "string"}}
    own = {"undeclared": "pass", "policy": "none", "reason": "the test's"}
    retried = {"retries": {"attempts": 2, "on": ["connect-failure"]}} if service == "broken" else {}
    paths = {
        f"/{service}": {"get": operation(x_sidegate={**own, **retried}), "post": operation(x_sidegate=own)},
        f"/{service}/token": {"get": operation(x_sidegate=own, security=BEARER)},
        f"/{service}/by/{{id}}/x": {"get": operation(x_sidegate=own, parameters=[item])},
    }
    return contract(paths)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    with upstreams("a", "b", "c") as (a, b, c):
        three = {"urls": [a.url, b.url, c.url]}
        settings = {
            "weighted": {"endpoints": [{"address": a.address, "weight": 3, "zone": "x"}, {"address": b.address, "zone": "y"}]},
            "ring": {**three, "balance": {"ring-hash": {"by": "header:x-user"}}},
            "claim": {**three, "balance": {"maglev": {"by": "claim:sub"}}},
            "param": {**three, "balance": {"maglev": {"by": "param:id"}}},
            "cookie": {**three, "balance": {"ring-hash": {"by": "cookie:seat"}}},
            "address": {**three, "balance": {"maglev": {"by": "address"}}},
            "alive": {**three, "health": {"path": "/healthz", "interval": "200ms", "unhealthy": 1, "healthy": 1}},
            "broken": {"urls": [a.url, f"http://{dead()}"], "outliers": {"failures": 0}},
            "names": {"url": f"http://localhost:{a.port}", "dns": {"family": "v4"}, "balance": "least-request"},
        }  # fmt: skip
        files = {f"contracts/{name}/v1.yaml": yaml.safe_dump(_document(name)) for name in SERVICES}
        named = {"services": {name: {"upstream": upstream} for name, upstream in settings.items()}}
        folder = tmp_path_factory.mktemp("balancing")
        with serve(folder, contract({"/": {"get": operation()}}), settings=named, files=files) as hop:
            yield Pool(hop, a, b, c)


def test_weights_are_shares(pool: Pool) -> None:
    count = Counter(pool.who("/weighted") for _ in range(80))
    assert set(count) == {"a", "b"}
    assert abs(count["a"] - 60) <= 4  # round robin by weight is exact, per worker


@pytest.mark.parametrize("service", ["ring", "cookie", "param"])
def test_one_value_one_endpoint(pool: Pool, service: str) -> None:
    """The same value always goes to the same endpoint, different ones to different endpoints."""

    def ask(value: str) -> str:
        match service:
            case "ring":
                return pool.who("/ring", headers={"x-user": value})
            case "cookie":
                return pool.who("/cookie", headers={"cookie": f"seat={value}"})
        return pool.who(f"/param/by/{value}/x?n={time.time()}")

    chosen = {value: {ask(value) for _ in range(4)} for value in map(str, range(24))}
    assert all(len(endpoints) == 1 for endpoints in chosen.values())
    assert len(set.union(*chosen.values())) > 1


def test_a_parameter_may_be_in_the_query(pool: Pool) -> None:
    chosen = {value: {pool.who(f"/param?id={value}&t={n}") for n in range(3)} for value in range(24)}
    assert all(len(endpoints) == 1 for endpoints in chosen.values())
    assert len(set.union(*chosen.values())) > 1


def test_an_address_has_one_endpoint(pool: Pool) -> None:
    """The client's address as trusted hops give it: there are none here, so what a client says of itself is nothing."""
    assert len({pool.who("/address", headers={"x-forwarded-for": f"10.0.0.{n}"}) for n in range(24)}) == 1


def test_a_claim_cannot_be_forged(pool: Pool) -> None:
    """What the token says counts; a client's header of the internal name is gone before anything reads it."""

    def ask(who: str, header: str) -> str:
        token = tokens.setdefault(who, pool.hop.issuer.token(aud="ref", sub=who))
        return pool.who("/claim/token", headers={"authorization": f"Bearer {token}", "x-sidegate-hash": header})

    tokens: dict[str, str] = {}
    chosen = {who: {ask(who, header) for header in ("", "ada", "bob", "x")} for who in map(str, range(24))}
    assert all(len(endpoints) == 1 for endpoints in chosen.values())
    assert len(set.union(*chosen.values())) > 1
    for upstream in (pool.a, pool.b, pool.c):
        assert not any(name.startswith("x-sidegate") for _, _, headers in upstream.seen for name in headers)


def test_an_endpoint_that_is_not_alive_gets_nothing(pool: Pool) -> None:
    assert {pool.who("/alive") for _ in range(12)} == {"a", "b", "c"}
    pool.b.status = 500
    try:
        until(lambda: (seen := pool.seen("/alive", 6)) and "b" not in seen)
        pool.c.status = pool.a.status = 500
        until(lambda: pool.hop.client.get("/alive").json().get("code") == "upstream-unavailable")
    finally:
        pool.a.status = pool.b.status = pool.c.status = 200
    until(lambda: pool.seen("/alive", 9) >= {"a", "b", "c"})


def test_a_retry_goes_to_another_endpoint(pool: Pool) -> None:
    """One of the two does not even listen: every GET is answered all the same, by the other."""
    assert {pool.who("/broken") for _ in range(20)} == {"a"}


def test_a_name_is_looked_up(pool: Pool) -> None:
    assert pool.who("/names") == "a"


def test_explain_says_how_requests_are_shared(pool: Pool) -> None:
    command = [sys.executable, "-m", "xds.cli", "explain", "claim", "v1", "get_claim_token"]
    said = subprocess.run(command, cwd=pool.hop.folder, capture_output=True, text=True, check=True).stdout
    assert pool.b.url in said
    assert "maglev by claim:sub" in said


BAD = [
    ("{}", "", "one of `url`"),
    ("{url: 'http://a:1', urls: ['http://b:1']}", "", "one of `url`"),
    ("{url: 'ftp://a:1'}", "/url", "http://127.0.0.1:9000"),
    ("{urls: []}", "/urls", "shorter|fewer|less"),
    ("{endpoints: [{address: '10.0.0.1:9', wieght: 2}]}", "/endpoints/0/wieght", "there is no key"),
    ("{endpoints: [{address: '10.0.0.1:9'}, {address: '10.0.0.1:9'}]}", "", "twice"),
    ("{urls: ['http://a:1', 'https://a:2']}", "", "some are not"),
    ("{url: 'http://a:1', balance: fastest}", "/balance", ""),
    ("{url: 'http://a:1', balance: {maglev: {by: whim}}}", "/balance/maglev/by", ""),
    ("{url: 'http://a:1', balance: {maglev: {by: 'header:x-sidegate-hash'}}}", "/balance/maglev/by", "cannot send"),
    ("{url: 'http://a:1', discovery: eds}", "/discovery", "is a name"),
    ("{url: 'http://10.0.0.1:1', dns: {refresh: 5s}}", "/dns", "no endpoint has a name"),
    ("{urls: ['http://a:1', 'http://b:1'], dns: {type: logical}}", "/dns/type", "one name"),
    ("{url: 'http://a:1', health: {path: /h, timeout: 0s}}", "/health/timeout", "without time"),
    ("{url: 'http://a:1', limits: {requests: 0}}", "/limits/requests", ""),
]


@pytest.mark.parametrize(("written", "pointer", "says"), BAD)
def test_bad_settings_have_a_place(written: str, pointer: str, says: str) -> None:
    import re

    settings = pets()["sidegate.yaml"].replace('"http://127.0.0.1:9"', written)
    found = Compiler().compile(tree(pets(settings=settings))).diagnostics
    (one,) = [d for d in found if d.is_error and d.span and d.span.file == "sidegate.yaml"]
    assert one.span
    assert one.span.pointer == f"/services/pets/upstream{pointer}"
    assert re.search(says, one.message + str(one.help))
