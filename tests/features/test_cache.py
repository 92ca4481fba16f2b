"""`cache`: answers are kept behind everything that judges, never across identities unless they are shared (RFC 9111)."""

from __future__ import annotations

import itertools
import json
import os
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from werkzeug import Request, Response

from tests.features.hop import Hop, contract, operation, serve
from tests.projects import CONTRACT, compiled_with
from tests.waiting import until

_count = itertools.count(1)
_fails: dict[str, int] = {}


def _numbered(request: Request) -> Response:
    """A new number each time; `x-say-NAME` of the request is a header of the answer, the rest is how it goes wrong."""
    if "x-sleep" in request.headers:
        time.sleep(float(request.headers["x-sleep"]))
    status = int(request.headers.get("x-status", "200"))
    if "x-once" in request.headers:
        _fails[request.full_path] = _fails.get(request.full_path, 0) + 1
        status = 503 if _fails[request.full_path] == 1 else 200
    said = {name.lower(): value for name, value in request.headers.items()}
    size = int(request.headers.get("x-size", "0"))
    body = json.dumps({"n": next(_count), "headers": said, "path": request.full_path, "fill": "x" * size})
    answer = Response(body, status, content_type="application/json")
    for name, value in request.headers.items():
        if name.lower().startswith("x-say-"):
            answer.headers.add(name[6:], value)
    return answer


POLICY = """
package svc.authz

default allow := false

allow if not input.sidegate.claims.blocked
"""


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    folder = tmp_path_factory.mktemp("cache")
    bearer: list[Any] = [{"bearer": []}]
    shared = {"ttl": "60s", "shared": True}
    id_ = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
    limit = [{"name": "limit", "in": "query", "schema": {"type": "integer"}}]
    paths = {
        "/all": {
            "get": operation(parameters=limit, x_sidegate={"cache": shared}),
            "head": operation(x_sidegate={"cache": shared}),
            "post": operation(),
        },
        "/all/{id}": {"parameters": id_, "get": operation(x_sidegate={"cache": shared})},
        "/open/{id}": {
            "parameters": id_,
            "get": operation(x_sidegate={"undeclared": "pass", "cache": shared}),
        },
        "/spoken/{id}": {
            "parameters": id_,
            "get": operation(x_sidegate={"cache": {**shared, "vary": ["Accept-Language"]}}),
        },
        "/short/{id}": {"parameters": id_, "get": operation(x_sidegate={"cache": {"ttl": "1s", "shared": True}})},
        "/mine": {"get": operation(security=bearer, x_sidegate={"cache": {"ttl": "60s"}})},
        "/mine/{id}": {
            "parameters": id_,
            "get": operation(security=bearer, x_sidegate={"cache": {"ttl": "60s", "vary": ["accept-language"]}}),
        },
        "/ours/{id}": {"parameters": id_, "get": operation(security=bearer, x_sidegate={"cache": shared})},
        "/slow/{id}": {"parameters": id_, "get": operation(x_sidegate={"cache": shared, "timeout": "2s"})},
        "/again/{id}": {
            "parameters": id_,
            "get": operation(x_sidegate={"cache": shared, "retries": {"attempts": 1, "on": ["503"]}}),
        },
        "/none/{id}": {"parameters": id_, "get": operation()},
    }
    settings = {"cache": {"maxSize": "2MiB", "maxEntry": "100KiB"}}
    with serve(
        folder, contract(paths), policies={"authz.rego": POLICY}, settings=settings, answer=_numbered
    ) as running:
        yield running


def token(hop: Hop, sub: str | None, **claims: Any) -> dict[str, str]:
    return {"authorization": f"Bearer {hop.issuer.token(sub=sub, **claims)}"}


def get(hop: Hop, path: str, headers: dict[str, str] | None = None, method: str = "GET") -> httpx.Response:
    """An answer; what it stored is there a moment later."""
    answer = hop.client.request(method, path, headers=headers or {})
    time.sleep(0.1)
    return answer


def number(answer: httpx.Response) -> int:
    assert answer.status_code == 200, answer.text
    found = answer.json()["n"]
    assert isinstance(found, int)
    return found


def kept(hop: Hop, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
    """The answer that the cache has, as soon as it has one: how long storing takes is the machine's affair."""
    answers: list[httpx.Response] = []

    def there() -> bool:
        answers.append(get(hop, path, headers))
        return "age" in answers[-1].headers

    until(there, lambda: answers[-1].text)
    return answers[-1]


def twice(hop: Hop, path: str, headers: dict[str, str] | None = None) -> bool:
    """Whether the second of two equal requests is given what the first one was."""
    return number(get(hop, path, headers)) == number(get(hop, path, headers))


def test_a_hit_shows_its_age_and_reaches_nobody(hop: Hop) -> None:
    first = get(hop, "/all/hit")
    assert "age" not in first.headers
    held = kept(hop, "/all/hit")
    before = len(hop.server.log)
    until(lambda: int(get(hop, "/all/hit").headers.get("age", "0")) >= 1)
    second = get(hop, "/all/hit")
    assert number(held) == number(second)
    assert len(hop.server.log) == before
    assert first.headers["cache-control"] == second.headers["cache-control"] == "no-cache"
    for answer in (first, second):
        assert not [name for name in answer.headers if name.startswith(("x-sidegate", "x-envoy"))]
    assert get(hop, "/all/hit", {"cache-control": "no-cache"}).json()["n"] == number(held)


def test_without_a_word_nothing_is_kept(hop: Hop) -> None:
    """Whatever the service says of it."""
    assert not twice(hop, "/none/1", {"x-say-cache-control": "public, max-age=60"})


def test_two_users_never_share_what_is_not_shared(hop: Hop) -> None:
    ada, bob = token(hop, "ada"), token(hop, "bob")
    first = number(kept(hop, "/mine", ada))
    assert number(get(hop, "/mine", bob)) != first
    assert number(get(hop, "/mine", ada)) == first
    other_token_of_ada = token(hop, "ada", jti="another")
    assert number(get(hop, "/mine", other_token_of_ada)) == first
    assert get(hop, "/mine").status_code == 401
    assert get(hop, "/mine", ada).headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize("sub", ["ada/x", "ada%2Fx", "ada?~", "ada&~", "Ada", "ada\u00e9", "ada x"])
def test_names_that_look_alike_are_not_alike(hop: Hop, sub: str) -> None:
    own = number(kept(hop, "/mine/alike", token(hop, "ada")))
    found = number(get(hop, "/mine/alike", token(hop, sub)))
    assert found != own
    assert number(get(hop, "/mine/alike", token(hop, "ada"))) == own


def test_who_cannot_be_told_apart_is_never_given_another_ones(hop: Hop) -> None:
    """Tokens without a subject: only the address would be left, which others have as well."""
    nobody = token(hop, None, name="one"), token(hop, None, name="two")
    assert number(get(hop, "/mine", nobody[0])) != number(get(hop, "/mine", nobody[1]))
    seen = get(hop, "/mine", nobody[0]).json()["headers"]
    assert seen.get("authorization") != "uncached"


def test_a_forged_identity_is_not_believed(hop: Hop) -> None:
    own = number(kept(hop, "/mine/forged", token(hop, "ada")))
    forged = {**token(hop, "eve"), "x-sidegate-identity": "sub:bearer:ada", "x-sidegate-held-asked": "1"}
    assert number(get(hop, "/mine/forged", forged)) != own
    assert get(hop, "/mine/forged", {"x-sidegate-held-asked": "1"}).status_code == 401


def test_what_is_shared_is_shared_and_still_judged(hop: Hop) -> None:
    """K11: policy decides each time, also what is in the cache; so do tokens."""
    first = number(kept(hop, "/ours/1", token(hop, "ada")))
    assert number(get(hop, "/ours/1", token(hop, "bob"))) == first
    assert get(hop, "/ours/1", token(hop, "eve", blocked=True)).status_code == 403
    assert get(hop, "/ours/1").status_code == 401


def test_a_revoked_policy_is_revoked_at_once(hop: Hop) -> None:
    """K11: what was admitted and is kept is refused once the policy says so."""
    ada = token(hop, "ada")
    kept(hop, "/ours/revoked", ada)
    rule = hop.folder / "policies/svc/authz.rego"
    rule.write_text("package svc.authz\n\ndefault allow := false\n")
    try:
        until(lambda: get(hop, "/ours/revoked", ada).status_code == 403)
    finally:
        rule.write_text(POLICY)
    until(lambda: get(hop, "/ours/revoked", ada).status_code == 200)


def test_declared_headers_tell_answers_apart(hop: Hop) -> None:
    english, german = {"accept-language": "en"}, {"accept-language": "de"}
    first = number(kept(hop, "/spoken/1", english))
    assert number(get(hop, "/spoken/1", german)) != first
    assert number(get(hop, "/spoken/1", english)) == first
    assert number(get(hop, "/spoken/1")) != first
    two = hop.client.get("/spoken/1", headers=[("accept-language", "en"), ("accept-language", "evil")])
    assert number(two) != first
    assert number(get(hop, "/spoken/1", english)) == first
    assert get(hop, "/spoken/1", english).headers["vary"] == "accept-language"


def test_hosts_and_queries_tell_answers_apart(hop: Hop) -> None:
    """K01, K02: what passes undeclared is part of the key, as it came; what is refused is never kept."""
    kept(hop, "/open/q?a=1")
    numbers = [
        number(get(hop, f"/open/q{query}"))
        for query in ("", "?", "?a=1&b=2", "?a=1%26b=2", "?a=1;b=2", "?A=1", "?a=2", "?utm=1%3Cscript%3E", "?~", "?&~")
    ]
    assert len(set(numbers)) == len(numbers)
    assert get(hop, "/all?limit=1&utm=1").status_code == 400
    one = number(kept(hop, "/all/hosts"))
    assert number(get(hop, "/all/hosts", {"host": "other.test"})) != one
    assert number(get(hop, "/all/hosts", {"x-forwarded-host": "evil", "x-original-url": "/none/1"})) == one


@pytest.mark.parametrize(
    "said",
    [
        {"set-cookie": "a=b"},
        {"vary": "*"},
        {"vary": "Accept-Language, X-User"},
        {"cache-control": "no-store"},
        {"cache-control": "private, max-age=60"},
        {"cache-control": "max-age=60, No-Cache"},
        {"cache-control": 'no-cache="set-cookie"'},
        {"cache-control": "max-age=0"},
        {"cache-control": "max-age=60, s-maxage=0"},
        {"cache-control": "max-age=-1"},
        {"cache-control": "max-age=abc"},
        {"cache-control": "public, max-age"},
        {"cache-control": 'max-age=""'},
        {"cache-control": "max-age=1.5"},
        {"cache-control": "max-age=60, s-maxage=x"},
        {"expires": "Thu, 01 Jan 1970 00:00:00 GMT"},
    ],
)
def test_what_the_service_says_wins(hop: Hop, said: dict[str, str]) -> None:
    """K04, K05, and RFC 9111, section 3: the client is told what the service said, and nothing is kept."""
    path = f"/spoken/{abs(hash(tuple(said.items())))}"
    headers = {f"x-say-{name}": value for name, value in said.items()}
    first = get(hop, path, headers)
    assert number(first) != number(get(hop, path, headers))
    for name, value in said.items():
        assert value in first.headers[name]


def test_less_time_than_the_contract_gives_is_kept_to(hop: Hop) -> None:
    headers = {"x-say-cache-control": "max-age=1"}
    first = number(kept(hop, "/all/less", headers))
    until(lambda: number(get(hop, "/all/less", headers)) != first, seconds=40)
    kept(hop, "/all/more", {"x-say-cache-control": "max-age=86400"})
    kept(hop, "/all/quoted", {"x-say-cache-control": 'public, max-age="60", stale-if-error=5'})


def test_an_answer_dies_with_its_time(hop: Hop) -> None:
    first = number(kept(hop, "/short/1"))
    until(lambda: number(get(hop, "/short/1")) != first, seconds=40)


@pytest.mark.parametrize("status", ["404", "206", "500", "301", "204"])
def test_only_whole_answers_are_kept(hop: Hop, status: str) -> None:
    """K07: a later GET is not given what went wrong before."""
    path = f"/all/{status}"
    assert get(hop, path, {"x-status": status}).status_code == int(status)
    assert number(get(hop, path)) > 0


def test_other_methods_are_not_answered_from_the_cache(hop: Hop) -> None:
    """K07. HEAD is answered from what a GET left, never the other way round."""
    get(hop, "/all", method="HEAD")
    assert "age" not in get(hop, "/all").headers
    kept(hop, "/all")
    head = get(hop, "/all", method="HEAD")
    assert head.status_code == 200
    assert head.text == ""
    assert "age" in head.headers
    posted = get(hop, "/all", method="POST")
    assert number(posted) != number(get(hop, "/all"))


def test_parts_and_conditions(hop: Hop) -> None:
    whole = kept(hop, "/all/parts", {"x-say-etag": '"v1"'})
    part = get(hop, "/all/parts", {"range": "bytes=0-3"})
    assert (part.status_code, part.text) == (206, whole.text[:4])
    assert number(get(hop, "/all/parts")) == number(whole)
    many = get(hop, "/all/parts", {"range": "bytes=" + ",".join(["0-"] * 200)})
    assert many.status_code in (200, 206, 400, 416)
    assert len(many.content) <= 2 * len(whole.content)


def test_what_is_too_large_is_not_kept(hop: Hop) -> None:
    """K10, and the bound of the whole: four times as much as fits leaves no more than fits."""
    assert not twice(hop, "/all/large", {"x-size": "200000"})
    for each in range(120):
        hop.client.get(f"/all/fill{each}", headers={"x-size": "70000"})
    folder = hop.folder / ".sidegate/cache"

    def size() -> int:
        return sum(each.stat().st_size for each in os.scandir(folder) if each.is_file())

    until(lambda: 500_000 < size() <= 2 << 20, lambda: f"{size()} bytes")


def test_a_miss_has_the_routes_time(hop: Hop) -> None:
    answer = get(hop, "/slow/1", {"x-sleep": "4"})
    assert (answer.status_code, answer.json()["code"]) == (504, "upstream-timeout")
    assert answer.json()["operationId"]
    assert len(answer.json()["traceId"]) == 32
    assert number(get(hop, "/slow/1")) > 0


def test_a_miss_is_tried_again(hop: Hop) -> None:
    before = len(hop.server.log)
    assert number(get(hop, "/again/1", {"x-once": "1"})) > 0
    assert len(hop.server.log) == before + 2


def test_the_service_sees_what_it_would_without_a_cache(hop: Hop) -> None:
    ada = token(hop, "ada")
    with_cache = get(hop, "/ours/headers", ada).json()
    without = get(hop, "/none/headers").json()
    assert with_cache["path"] == "/ours/headers?"
    assert with_cache["path"].endswith("?")
    internal = [name for name in with_cache["headers"] if name.startswith(("x-sidegate-", "x-envoy-"))]
    assert internal == [name for name in without["headers"] if name.startswith(("x-sidegate-", "x-envoy-"))]
    assert with_cache["headers"]["x-forwarded-for"] == without["headers"]["x-forwarded-for"]
    conditional = get(hop, "/ours/headers", {**ada, "if-none-match": '"other"'}).json()
    assert conditional["path"] == "/ours/headers?"
    assert not [name for name in conditional["headers"] if name.startswith("x-sidegate-")]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("cache: {ttl: 0s}", "less than a second"),
        ("cache: {ttl: 60}", "not of type"),
        ("cache: {ttl: 60s, vary: [cookie]}", "told apart by `cookie`"),
        ("cache: {ttl: 60s, varies: [a]}", "no key `varies`"),
        ("cache: {shared: true}", "ttl"),
    ],
)
def test_bad_settings_have_a_place(written: str, message: str) -> None:
    found = compiled_with(written)
    assert any(message in each.message for each in found), found
    assert all(each.span and each.span.line for each in found)


def test_a_cache_around_what_is_never_kept_is_an_error() -> None:
    """Around a GET and a POST it holds for the one."""
    cache = "  x-sidegate: {cache: {ttl: 60s}}\n"
    around = CONTRACT.replace("paths:\n  /pets:\n", f"paths:\n  /pets:\n  {cache}", 1)
    assert not compiled_with("timeout: 1s", around)
    posts = around.replace("    get:\n      operationId: listPets", "    put:\n      operationId: listPets", 1)
    (found,) = compiled_with("timeout: 1s", posts)
    assert "no operation that it holds for has answers that can be kept" in found.message
    assert found.span
    assert found.span.pointer == "/paths/~1pets/x-sidegate/cache"


def test_a_cache_on_a_post_is_an_error() -> None:
    from tests.projects import pets, tree
    from xds.compile import Compiler

    text = CONTRACT.replace("operationId: addPet", "operationId: addPet\n      x-sidegate: {cache: {ttl: 60s}}")
    (found,) = Compiler().compile(tree(pets(contract=text))).diagnostics
    assert "POST is not kept" in found.message
    assert found.span
    assert found.span.line
