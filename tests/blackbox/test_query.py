"""Q: query and other parameters, strictly as the contract declares them."""

from __future__ import annotations

from collections.abc import Callable

from tests.blackbox.case import PUBLIC, Case, request, rows
from tests.blackbox.http1 import Exchange
from tests.blackbox.world import World


def get(query: str, *headers: str) -> bytes:
    return request(f"/v1/items?{query}", headers=headers)


def search(query: str, *headers: str) -> bytes:
    return request(f"/v2/search?{query}", token=PUBLIC, headers=headers)


def _one_value(world: World, exchange: Exchange) -> None:
    if exchange.status == 200:
        target = world.journal.since()[-1].target
        assert target.count("limit") == 1, f"two readers can differ on {target}"


def _no_cookie(world: World, exchange: Exchange) -> None:
    assert exchange.status == 200, "an undeclared cookie is not the contract's business"


BOMB = "filter" + "[b]" * 4_000 + "=1"

QUERIES = [
    Case("Q00-in-order", get("limit=10"), {200}),
    Case("Q00-out-of-range", get("limit=1000"), {400}, "maximum", "/limit"),
    Case("Q01", get("limit=10&limit=1000"), {400}, "duplicate-parameter", "/limit"),
    Case("Q01-equal", get("limit=10&limit=10"), {400}, "duplicate-parameter"),
    Case("Q01-encoded-name", get("limit=10&%6cimit=1000"), {400}, "duplicate-parameter"),
    Case("Q02-case", get("limit=10&Limit=1000"), {400}, "unknown-parameter", "/Limit"),
    Case("Q02-brackets", get("limit[]=1000"), {400}, "unknown-parameter"),
    Case("Q02-nul", get("limit%00=5"), {400}, "unknown-parameter"),
    Case("Q02-space", get("%20limit=5"), {400}, "unknown-parameter"),
    Case("Q02-plus", get("+limit=5"), {400}, "unknown-parameter"),
    Case("Q02-nameless", get("=5"), {400}),
    Case("Q02-dotted", get("limit.x=5"), {400}, "unknown-parameter"),
    Case("Q04", get("limit=99999999999999999999"), {400}, pointer="/limit"),
    Case("Q04-exponent", get("limit=1e1"), {200, 400}),
    Case("Q04-hex", get("limit=0x10"), {400}, pointer="/limit"),
    Case("Q04-plus", get("limit=+10"), {400}, pointer="/limit"),
    Case("Q04-space", get("limit=%2010"), {400}, pointer="/limit"),
    Case("Q04-other-digits", get("limit=%D9%A1%D9%A0"), {400}, pointer="/limit"),
    Case("Q04-underscore", get("limit=1_0"), {400}, pointer="/limit"),
    Case("Q04-nan", get("limit=NaN"), {400}, pointer="/limit"),
    Case("Q04-100-kB", get("limit=" + "9" * 12_000), {400, 414, 431}),
    Case("Q05-empty", get("limit="), {400}, pointer="/limit"),
    Case("Q05-bare", get("limit"), {400}, pointer="/limit"),
    Case("Q07", get("limit=10;limit=1000"), {200, 400}, check=_one_value),
    Case("Q07-encoded", get("limit=10%26limit=1000"), {400}, pointer="/limit"),
    Case("Q08", search(f"q=a&{BOMB}"), {400, 414, 431}, within=0.5),
    Case("Q08-wide", search("q=a&" + "&".join(f"filter[k{i}]=1" for i in range(800))), {400, 414, 431}, within=0.5),
    Case("Q08-in-order", search("q=a&filter[name]=x&filter[depth]=3"), {200}),
    Case("Q08-unknown-member", search("q=a&filter[evil]=x"), {400}),
    Case("Q08-twice", search("q=a&filter[name]=x&filter[name]=y"), {400}),
    Case("Q08-wrong-type", search("q=a&filter[depth]=deep"), {400}),
    Case("Q10-missing", search("ids=1"), {400}, "missing-parameter", "/q"),
    Case("Q10-array", search("q=a&ids=1,2,3"), {200}),
    Case("Q10-array-type", search("q=a&ids=1,x"), {400}),
    Case("Q10-array-doubled", search("q=a&ids=1&ids=2"), {400}, "duplicate-parameter"),
    Case("Q10-array-too-long", search("q=a&ids=" + ",".join("1" * 9)), {400}, "max-items"),
    Case("Q10-undeclared-cookie", search("q=a", "Cookie: tracking=1"), {200}, check=_no_cookie),
    Case("Q10-cookie", search("q=a", "Cookie: session=abc"), {200}),
    Case("Q10-cookie-broken", search("q=a", "Cookie: session=ABC1"), {400}, "pattern", "/session"),
    Case("Q10-cookie-doubled", search("q=a", "Cookie: session=abc; session=ABC1"), {400}),
    Case("Q10-cookie-in-two-headers", search("q=a", "Cookie: session=abc", "Cookie: session=ABC1"), {400}),
    Case("Q10-header", search("q=a", "X-Count: 3"), {200}),
    Case("Q10-header-type", search("q=a", "X-Count: three"), {400}, pointer="/x-count"),
    Case("Q10-header-doubled", search("q=a", "X-Count: 3", "X-Count: 4"), {400}),
    Case("Q-undeclared-operation-without-query", request("/zed/free?x=1", token=PUBLIC), {400}, "unknown-parameter"),
]


@rows(QUERIES)
def test_query(case: Case, run: Callable[[Case], object]) -> None:
    run(case)


def test_every_violation_is_told_at_once(world: World) -> None:
    answer = world.ask(search("ids=x&filter[evil]=1&nope=1")).answer
    assert set(answer.codes) >= {"missing-parameter", "unknown-parameter"}, answer.body
    assert len(answer.problem["errors"]) >= 4, answer.body
