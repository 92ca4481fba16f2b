"""P: path confusion. Whatever the path is dressed as, it is matched, judged and forwarded in one form, or refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.blackbox.case import BAD, PUBLIC, Case, request, rows
from tests.blackbox.http1 import Exchange
from tests.blackbox.world import World

ID = "1c9d3a52-4e0b-4a52-8f43-2f4b6f0a7c11"
EARLY = "refused before there is a trace"
DEEP = frozenset({400, 404, 414, 431})


def get(target: str | bytes, token: str = "reader") -> bytes:
    return request(target, token=token)


PATHS = [
    Case("P01", get("/v1/items/../internal/treasure"), BAD),
    Case("P01-out-of-a-parameter", get("/v1/public/x/../../internal/treasure", PUBLIC), BAD),
    Case("P01-encoded-dots", get("/v1/items/%2e%2e/internal/treasure"), BAD),
    Case("P01-half-encoded-dots", get("/v1/items/.%2E/internal/treasure"), BAD),
    Case("P01-twice-encoded-dots", get("/v1/items/%252e%252e/internal/treasure"), BAD),
    Case("P01-absolute-form", get("http://gateway.test/v1/items/../internal/treasure"), BAD),
    Case("P02-double-slash", get("//v1/internal/treasure"), BAD),
    Case("P02-triple-slash", get("///v1///internal/treasure"), BAD),
    Case("P02-no-base", get("//internal/treasure"), BAD),
    Case("P02-authority-like", get("//gateway.test/v1/items"), BAD),
    Case("P04-slash", get("/v1/items%2F..%2Finternal%2Ftreasure"), {400}, untraced=EARLY),
    Case("P04-lower-case", get("/v1/items%2f..%2finternal%2ftreasure"), {400}, untraced=EARLY),
    Case("P04-backslash", get("/v1/items%5c..%5cinternal%5ctreasure"), {400}, untraced=EARLY),
    Case("P04-in-a-parameter", get("/v1/public/a%2Fb", PUBLIC), {400}, untraced=EARLY),
    Case("P05-parameter-then-dots", get("/v1/public/x;/../../internal/treasure", PUBLIC), BAD),
    Case("P05-matrix", get("/v1/internal;a=b/treasure"), BAD),
    Case("P05-dots-semicolon", get("/v1/items/..;/internal/treasure"), BAD),
    Case("P05-semicolon-at-the-end", get("/v1/items;x=1"), BAD),
    Case("P07", get("/v1\\internal\\treasure"), BAD),
    Case("P07-dots", get("/v1/items\\..\\internal\\treasure"), BAD),
    Case("P08-overlong-dots", get("/v1/items/%c0%ae%c0%ae/internal/treasure"), BAD),
    Case("P08-overlong-slash", get("/v1/items%c0%af..%c0%afinternal/treasure"), BAD),
    Case("P08-raw", get(b"/v1/items/\xc0\xae\xc0\xae/internal/treasure"), BAD, untraced=EARLY),
    Case("P08-not-utf8", get("/%ff"), BAD),
    Case("P08-in-a-parameter", get("/v1/public/%ff", PUBLIC), {400}),
    Case("P08-surrogate-in-a-parameter", get("/v1/public/%ed%a0%80", PUBLIC), {400}),
    Case("P08-nul-in-a-path", get("/v1/items%00/internal"), BAD, untraced=EARLY),
    Case("P10-slash-at-the-end", get("/v1/items/"), BAD),
    Case("P10-slashes-within", get("/v1//items?limit=3"), {200}),
    Case("P11-base", get("/V1/Items"), {404}),
    Case("P11-treasure", get("/v1/Internal/Treasure"), {404}),
    Case("P11-literal", get("/v1/ITEMS"), {404}),
    Case("P13", get("/v1/items#/../internal"), {400}, untraced=EARLY),
    Case("P13-treasure", get("/v1/internal/treasure#/v1/items"), {400}, untraced=EARLY),
    Case("P14", get("/v1/%69tems?limit=3"), {200, 400, 404}, same_as=get("/v1/items?limit=3")),
    Case("P14-all-of-it", get("/%76%31/%69%74%65%6d%73?limit=3"), {200, 400, 404}, same_as=get("/v1/items?limit=3")),
    Case("P14-treasure", get("/v1/%69nternal/treasure"), BAD),
    Case("P16-star", get("/v1/items/*"), BAD),
    Case("P16-stars", get("/v1/**/treasure"), BAD),
    Case("P16-braces", get("/v1/items/{id}"), BAD),
    Case("P16-encoded-braces", get("/v1/items/%7Bid%7D"), BAD),
    Case("P16-regex", get("/v1/.*"), BAD),
    Case("P17", get("/v1/items/1%20OR%201=1"), {400}, pointer="/id"),
    Case("P17-newline", get(f"/v1/items/{ID}%0a"), {400}, pointer="/id"),
    Case("P17-in-order", get(f"/v1/items/{ID}"), {200}),
    Case("P19-segments", get("/" + "a/" * 10_000), DEEP, within=0.5, untraced=EARLY),
    Case("P19-dots", get("/v1/items/" + "../" * 10_000), DEEP, within=0.5, untraced=EARLY),
    Case("P19-under-the-limit", get("/v1/" + "a/" * 6_000), DEEP, within=0.5),
    Case("P20-path-in-a-query", get("/v1/items?x=/../internal/treasure"), {400}, "unknown-parameter"),
    Case("P20-query-in-a-path", get("/v1/items%3F/../internal"), BAD),
    Case("P20-encoded-query", get("/v1/items%3Flimit=3"), BAD),
    Case("P22-dot", get("/v1/items/."), {200, *BAD}),
    Case("P22-dots", get("/v1/items/.."), {200, *BAD}),
    Case("P22-dot-in-the-middle", get("/v1/./items?limit=3"), {200, *BAD}),
    Case("P23", get("/v1/../v2/items"), {400, 403, 404}, same_as=get("/v2/items")),
    Case("P23-by-a-segment", get("/v1/items/../../v2/items"), {400, 403, 404}, same_as=get("/v2/items")),
    Case("P-empty", get(""), {0, 400}, untraced="no request line"),
    Case("P-star", request("*", "OPTIONS"), {400, 404, 405}, untraced=EARLY),
    Case("P-relative", get("v1/items"), {0, *BAD}, untraced=EARLY),
]


@rows(PATHS)
def test_path(case: Case, run: Callable[[Case], object]) -> None:
    run(case)


def _canonical(world: World, exchange: Exchange) -> None:
    entry = world.journal.since()[-1]
    assert entry.target in ("/v1/items?limit=3", "/v1/items?limit=10"), f"the upstream got {entry.target}"


@rows([
    Case("P10-journal", get("/v1//items?limit=3"), {200}, check=_canonical),
    Case("P22-journal", get("/v1/./items?limit=3"), {200, *BAD}, check=_canonical),
    Case("P14-journal", get("/v1/%69tems?limit=3"), {200, *BAD}, check=_canonical),
])  # fmt: skip
def test_the_upstream_gets_the_normal_form(case: Case, run: Callable[[Case], object]) -> None:
    run(case)


@pytest.mark.parametrize("target", ["/v1/items?limit=3", "/v1//items?limit=3", "/v1/./items?limit=3"])
def test_z16_the_policy_sees_the_path_that_the_upstream_gets(target: str, world: World) -> None:
    mark = world.journal.mark()
    assert world.ask(get(target)).status == 200
    (entry,) = world.journal.since(mark)
    assert entry.header("x-policy-path") == entry.target, "decided on one path, forwarded another"


def test_p19_long_paths_are_refused_at_once(world: World) -> None:
    """Within 50 ms, by the fastest of a few: a pause of this machine is not the gateway's."""
    for path in ("/" + "a/" * 10_000, "/v1/items/" + "../" * 10_000):
        seconds = min(world.ask(get(path)).seconds for _ in range(50))
        assert seconds < 0.05, f"{path[:16]}... took {seconds:.3f} s"
