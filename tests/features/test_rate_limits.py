"""`rateLimits` counted in the proxy: who shares a bucket, what is told, what is refused, and what is no limit at all."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from httpx import Response
from werkzeug import Request
from werkzeug import Response as WerkzeugResponse

from tests.e2e.shop import echo
from tests.features.hop import Hop, contract, operation, serve
from tests.projects import ADDED, compiled_with, pets, tree
from tests.waiting import until
from xds.compile import Compiler


def limit(name: str, **more: object) -> dict[str, object]:
    return {"name": name, "by": [], "limit": 3, "per": "hour", **more}


def limited(*limits: dict[str, object], unchecked: bool = False, **more: object) -> dict[str, object]:
    own = {"mode": "off", "policy": "none", "reason": "the service checks"} if unchecked else {}
    return operation(x_sidegate={"rateLimits": list(limits), **own}, **more)


def query(name: str, **schema: object) -> dict[str, object]:
    return {"name": name, "in": "query", "schema": {"type": "integer", **schema}}


def spelled(name: str, location: str, kind: str = "integer", **more: object) -> dict[str, object]:
    return {"name": name, "in": location, "required": location == "path", "schema": {"type": kind}, **more}


BEARER = [{"bearer": []}]
PATHS = {
    "/address": {"get": limited(limit("addresses", by=["address"]))},
    "/client": {"get": limited(limit("clients", by=["client"]), security=[*BEARER, {}])},
    "/named": {"get": limited(limit("named", by=["client"]), security=BEARER)},
    "/claim": {"get": limited(limit("tenants", by=["claim:tenant"], limit=2), security=BEARER)},
    "/header": {"get": limited(limit("teams", by=["header:x-team", "param:kind"]), parameters=[query("kind")])},
    "/items/{id}": {
        "get": limited(
            limit("items", by=["param:id"]),
            parameters=[{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
        )
    },
    "/several": {"get": limited(limit("watched", limit=1, shadow=True), limit("first", limit=4), limit("second"))},
    "/ordered": {"get": limited(limit("before", limit=2), limit("behind"))},
    "/cost": {
        "get": limited(
            limit("pages", limit=10, cost="ceil(default(param.size, 25) / 10)"),
            parameters=[query("size", default=25, maximum=1000)],
        )
    },
    "/share": {
        "get": limited(
            limit("shares", limit=10, cost="floor(100 / param.size)"),
            parameters=[query("size", maximum=1000)],
        )
    },
    "/huge": {
        "get": limited(
            limit("huge", limit=10, cost="ceil(param.a * param.b * param.c)"),
            parameters=[query(name, maximum=1e9) for name in "abc"],
        )
    },
    "/half": {"get": limited(limit("halves", limit=3, cost="2.5"))},
    "/search": {
        "get": limited(
            limit("words", by=["param:q"]), parameters=[{"name": "q", "in": "query", "schema": {"type": "string"}}]
        )
    },
    "/sums": {"get": limited(limit("sums", by=["param:n"]), parameters=[query("n", type="number")])},
    "/signs": {"get": limited(limit("signs", by=["param:n"]), parameters=[query("n", type="number")])},
    "/either": {"get": limited(limit("eithers", by=["param:n"]), parameters=[query("n", type=["number", "string"])])},
    "/ranks/{n}": {"get": limited(limit("ranks", by=["param:n"]), parameters=[spelled("n", "path")], unchecked=True)},
    "/a+b/{n}.csv": {"get": limited(limit("lists", by=["param:n"]), parameters=[spelled("n", "path", "number")])},
    "/label/{n}": {"get": limited(limit("labels", by=["param:n"]), parameters=[spelled("n", "path", style="label")])},
    "/numbered": {
        "get": limited(limit("numbered", by=["param:x-n"]), parameters=[spelled("x-n", "header")], unchecked=True)
    },
    "/five": {"get": limited(limit("fives", limit=10, cost=5))},
    "/burst": {"get": limited(limit("bursts", limit=3600, burst=2))},
    "/one": {"get": operation(), "post": operation()},
    "/own": {
        "x-sidegate": {"rateLimits": [limit("each", scope="operation", limit=1)]},
        "get": operation(),
        "post": operation(),
    },
    "/retried": {
        "get": operation(x_sidegate={"rateLimits": [limit("tries")], "retries": {"attempts": 2, "on": ["503"]}})
    },
    "/judged": {"get": limited(limit("judged", limit=2), parameters=[query("size")])},
}
DOCUMENT = {"x-sidegate": {"rateLimits": [limit("document", limit=3)]}}
SETTINGS = {"rateLimits": [{"name": "everything", "by": [], "limit": 100_000, "per": "day"}]}


def _answer(request: Request) -> WerkzeugResponse:
    return WerkzeugResponse("", 503) if request.path == "/retried" else echo(request)


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    document = contract(PATHS, **DOCUMENT)
    with serve(tmp_path_factory.mktemp("limits"), document, settings=SETTINGS, answer=_answer) as running:
        yield running


def statuses(answers: list[Response]) -> list[int]:
    return [answer.status_code for answer in answers]


def refused_by(answer: Response) -> str:
    assert answer.status_code == 429, answer.text
    return str(answer.json()["limit"])


def fields(answer: Response, name: str) -> list[str]:
    """The members of a List (RFC 9651) without that of the limit for everything."""
    return [member for member in answer.headers[name].split(", ") if not member.startswith('"everything"')]


def test_a_limit_by_address(hop: Hop) -> None:
    answers = [hop.client.get("/address") for _ in range(4)]
    assert statuses(answers) == [200, 200, 200, 429]
    assert [fields(a, "ratelimit") for a in answers[:2]] == [['"addresses";r=2;t=0'], ['"addresses";r=1;t=0']]
    refused = answers[-1]
    assert fields(refused, "ratelimit-policy") == ['"addresses";q=3;w=3600']
    assert fields(refused, "ratelimit") == ['"addresses";r=0;t=1200']
    assert refused.headers["retry-after"] == "1200"
    assert refused.headers["content-type"] == "application/problem+json"
    document = refused.json()
    assert (document["code"], document["limit"], document["status"]) == ("rate-limited", "addresses", 429)
    assert not [name for answer in answers for name in answer.headers if name.startswith(("x-ratelimit", "x-sidegate"))]
    assert len([request for request in hop.reached() if request.path == "/address"]) == 3
    upstream = {name.lower() for request in hop.reached() for name, _ in request.headers.items()}
    assert not [name for name in upstream if name.startswith("x-sidegate")]


def test_a_client_is_its_subject_else_its_address(hop: Hop) -> None:
    ada, bob = (hop.issuer.token(sub=name) for name in ("ada", "bob"))
    for caller in ({"authorization": f"Bearer {ada}"}, {"authorization": f"Bearer {bob}"}, {}):
        answers = [hop.client.get("/client", headers=caller) for _ in range(4)]
        assert statuses(answers) == [200, 200, 200, 429]
    forged = hop.client.get(
        "/client", headers={"x-sidegate-identity": "sub:bearer:eve", "x-forwarded-for": "192.0.2.7"}
    )
    assert refused_by(forged) == "clients"


def test_a_claim_is_counted_behind_the_check_of_the_token(hop: Hop) -> None:
    one, other = (f"Bearer {hop.issuer.token(sub=name, tenant=name)}" for name in ("one", "other"))
    assert statuses([hop.client.get("/claim") for _ in range(4)]) == [401] * 4
    assert statuses([hop.client.get("/claim", headers={"authorization": one}) for _ in range(3)]) == [200, 200, 429]
    assert hop.client.get("/claim", headers={"authorization": other}).status_code == 200


def test_a_token_without_a_subject_is_an_address(hop: Hop) -> None:
    """Not a way around: nobody whom no name is known of goes uncounted."""
    tokens = [hop.issuer.token(sub=sub, jti=str(number)) for number, sub in enumerate([None, "", None, ""])]
    answers = [hop.client.get("/named", headers={"authorization": f"Bearer {token}"}) for token in tokens]
    assert statuses(answers) == [200, 200, 200, 429]
    named = {"authorization": f"Bearer {hop.issuer.token(sub='addr:127.0.0.1')}"}
    assert hop.client.get("/named", headers=named).status_code == 200


def test_a_header_and_a_parameter_together(hop: Hop) -> None:
    for team, kind in (("a", 1), ("a", 2), ("b", 1)):
        answers = [hop.client.get("/header", params={"kind": kind}, headers={"x-team": team}) for _ in range(4)]
        assert statuses(answers) == [200, 200, 200, 429]
    encoded = hop.client.get("/header?kind=%31", headers={"x-team": "a"})
    assert refused_by(encoded) == "teams"
    assert statuses([hop.client.get("/header") for _ in range(4)]) == [200, 200, 200, 429], (
        "without either is one bucket"
    )


def test_a_path_parameter(hop: Hop) -> None:
    assert statuses([hop.client.get("/items/a") for _ in range(4)]) == [200, 200, 200, 429]
    assert hop.client.get("/items/b").status_code == 200


def test_spelling_a_path_parameter_otherwise_is_no_way_around(hop: Hop) -> None:
    """One text has many spellings with percent signs: all of them are one bucket."""
    spelled = ["/items/%21", "/items/%c3%a9", "/items/%C3%A9", "/items/%40", "/items/%24"]
    assert statuses([hop.client.get(target) for target in spelled]) == [200, 200, 200, 429, 429]


def test_spelling_a_query_parameter_otherwise_is_no_way_around(hop: Hop) -> None:
    spelled = ["?q=a+b+c", "?q=a%20b+c", "?q=a+b%20c", "?q=a%20b%20c", "?q=a%20b%20c&x"]
    assert statuses([hop.client.get(f"/search{target}") for target in spelled[:4]]) == [200, 200, 200, 429]


@pytest.mark.parametrize(
    ("usual", "others"),
    [
        ("/sums?n=1", ["/sums?n=1.0", "/sums?n=1e0", "/sums?n=10e-1", "/sums?n=1.00000000000000001"]),
        (
            "/signs?n=-2.5",
            ["/signs?n=-2.50", "/signs?n=-25e-1", "/signs?n=%2d2.500", "/signs?n=-2.5000000000000000001"],
        ),
        ("/either?n=7", ["/either?n=7.0", "/either?n=70e-1", "/either?n=7.00", "/either?n=0.7e1"]),
        ("/ranks/1", ["/ranks/01", "/ranks/+1", "/ranks/1.0", "/ranks/%31%2e"]),
        ("/a+b/1.5.csv", ["/a+b/1.50.csv", "/a+b/15e-1.csv", "/a+b/1.500.csv", "/a+b/1.50000000000000001.csv"]),
        ("/label/.1", ["/label/.-0", "/label/.01", "/label/.1.0", "/label/.1e0"]),
    ],
)
def test_a_number_is_a_bucket_and_its_other_spellings_are_one_together(hop: Hop, usual: str, others: list[str]) -> None:
    """A client cannot ask for one thing as often as it finds ways to write it; what is refused later counts, too."""
    assert statuses([hop.client.get(usual) for _ in range(4)]) == [200, 200, 200, 429]
    admitted = [hop.client.get(target).status_code for target in others]
    assert (admitted[:3].count(429), admitted[3]) == (0, 429), admitted


def test_numbers_that_differ_do_not_share(hop: Hop) -> None:
    sums = [f"/sums?n={value}" for value in ("100", "-100", "0", "0.25", "123456789012345")]
    others = ["/ranks/0", "/ranks/10", "/ranks/12345678901234567890", "/a+b/100.csv", "/label/.2", "/sums"]
    for target in (*sums, *others, "/either?n=red", "/either?n=1a"):
        assert statuses([hop.client.get(target) for _ in range(4)]) == [200, 200, 200, 429], target


def test_a_number_in_a_header_too(hop: Hop) -> None:
    def ask(*values: str) -> int:
        return hop.client.get("/numbered", headers=[("x-n", value) for value in values]).status_code

    for usual in ("1", "2"):
        assert [ask(usual) for _ in range(4)] == [200, 200, 200, 429]
    assert [ask("01"), ask("+1"), ask("1", "2"), ask("1.0"), ask("x")] == [200, 200, 200, 429, 429]
    assert [ask() for _ in range(4)] == [200, 200, 200, 429]


@pytest.mark.parametrize(
    "written",
    [
        {"schema": {"type": "object", "properties": {"a": {"type": "string"}}}, "style": "deepObject"},
        {"schema": {"type": "array", "items": {"type": "integer"}}},
        {"schema": {"type": "array"}},
        {"content": {"application/json": {"schema": {"type": "integer"}}}},
    ],
)
def test_what_has_spellings_that_nobody_tells_apart_is_nothing_to_count_by(written: dict[str, object]) -> None:
    asked = {"name": "n", "in": "query", **written}
    document = contract({"/a": {"get": limited(limit("a", by=["param:n"]), parameters=[asked])}})
    diagnostics = Compiler().compile(tree(pets(contract=json.dumps(document)))).diagnostics
    assert [d.code for d in diagnostics if "many ways that mean the same" in d.message] == ["extension-value"]


@pytest.mark.parametrize(
    ("target", "name"), [("/share?size=0", "shares"), ("/huge?a=999999999&b=999999999&c=999999999", "huge")]
)
def test_a_cost_that_comes_to_nothing_takes_all_there_is(hop: Hop, target: str, name: str) -> None:
    """A quotient without end, and a product that no integer holds: no way to a request that is not counted."""
    first, second = hop.client.get(target), hop.client.get(target)
    assert (first.status_code, fields(first, "ratelimit")) == (200, [f'"{name}";r=0;t=360'])
    assert refused_by(second) == name


def test_all_must_have_room_and_a_shadow_never_refuses(hop: Hop) -> None:
    """R10: what is only watched is used up at once; the others still count."""
    answers = [hop.client.get("/several") for _ in range(4)]
    assert statuses(answers) == [200, 200, 200, 429]
    assert refused_by(answers[-1]) == "second"
    assert fields(answers[1], "ratelimit") == ['"second";r=1;t=0', '"first";r=2;t=0', '"watched";r=0;t=3600']


def test_nothing_is_told_of_a_limit_that_was_not_asked(hop: Hop) -> None:
    answers = [hop.client.get("/ordered") for _ in range(3)]
    assert statuses(answers) == [200, 200, 429]
    assert fields(answers[1], "ratelimit") == ['"behind";r=1;t=0', '"before";r=0;t=1800']
    assert fields(answers[2], "ratelimit") == ['"before";r=0;t=1800']
    unknown = hop.client.get("/claim")
    assert unknown.status_code == 401
    assert "ratelimit" not in unknown.headers


def test_a_cost_is_an_expression_of_parameters(hop: Hop) -> None:
    def left(path: str) -> str:
        return fields(hop.client.get(path), "ratelimit")[0]

    assert left("/cost?size=10") == '"pages";r=9;t=0'
    assert left("/cost?size=11") == '"pages";r=7;t=0'
    assert left("/cost") == '"pages";r=4;t=0', "where it is left out"
    assert refused_by(hop.client.get("/cost?size=100")) == "pages"
    assert refused_by(hop.client.get("/cost?size=0x1")) == "pages", "what is no number costs all there is"
    assert statuses([hop.client.get("/half") for _ in range(2)]) == [200, 429], "rounded up"
    answers = [hop.client.get("/five") for _ in range(3)]
    assert (statuses(answers), answers[-1].headers["retry-after"]) == ([200, 200, 429], "1800")


def test_a_burst_is_what_may_come_at_once(hop: Hop) -> None:
    """R05: at most `burst` at once and one a second from then on, however the periods fall."""
    assert statuses([hop.client.get("/burst") for _ in range(3)])[:2] == [200, 200]
    answers = [hop.client.get("/burst") for _ in range(4)]
    assert 429 in statuses(answers)
    assert next(a for a in answers if a.status_code == 429).headers["retry-after"] == "1"


def test_who_shares_a_bucket(hop: Hop) -> None:
    """What is written on the document is one bucket for all its operations, unless it says `scope: operation`."""
    assert statuses([hop.client.get("/one"), hop.client.post("/one"), hop.client.get("/one")]) == [200] * 3
    assert refused_by(hop.client.post("/one")) == "document"
    assert statuses([hop.client.get("/own"), hop.client.post("/own")]) == [200, 200]
    assert statuses([hop.client.get("/own"), hop.client.post("/own")]) == [429, 429]


def test_retries_count_once(hop: Hop) -> None:
    """R11."""
    answers = [hop.client.get("/retried") for _ in range(4)]
    assert statuses(answers) == [503, 503, 503, 429]
    assert len([request for request in hop.reached() if request.path == "/retried"]) == 9


def test_a_limit_for_everything_is_told_too(hop: Hop) -> None:
    answer = hop.client.get("/judged")
    assert '"everything";q=100000;w=86400' in answer.headers["ratelimit-policy"]


def test_limits_stand_before_the_contract_and_in_the_access_log(hop: Hop) -> None:
    """What is counted is what comes, sound or not; what is over the limit is not judged any more."""
    answers = [hop.client.get("/judged?size=x") for _ in range(3)]
    assert 429 in statuses(answers)
    assert set(statuses(answers)) <= {400, 429}
    log = hop.folder / ".sidegate" / "access.log"

    def told() -> list[tuple[str, str]]:
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        return [(line["code"], line["limit"]) for line in lines if line["status"] == 429 and line["path"] == "/judged"]

    until(lambda: told())
    assert set(told()) == {("rate-limited", "judged")}


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("{name: a, limit: 0, per: day}", "0 is less than the minimum of 1"),
        ("{name: a, limit: 1, per: fortnight}", "fortnight"),
        ("{name: a, limit: 1, per: day, by: [claims]}", "claims"),
        ("{name: a, limit: 1, per: day, by: ['param:nope']}", "has no parameter `nope`"),
        ("{name: a, limit: 1, per: day}, {name: a, limit: 2, per: day}", "two limits are called `a`"),
        ("{name: a, limit: 1, per: day, store: shared}", "needs a rate limit service"),
        ("{name: a, limit: 1, per: day, onFailure: open}", "`onFailure` is of shared limits"),
        ("{name: a, limit: 1, per: day, store: shared, burst: 2}", "`burst` is of local limits"),
        ("{name: a, limit: 1, per: day, cost: 'ceil(param.limit'}", "a `)` is missing"),
        ("{name: a, limit: 1, per: day, cost: param.other}", "has no parameter `other`"),
        ("{name: a, limit: 1, per: day, cost: 2}", "there is room for 1 at most"),
        ("{name: a, limit: 9, per: day, cost: 3, burst: 2}", "there is room for 2 at most"),
        ("{name: a, limit: 1, per: day, cost: '0'}", "a request costs 0"),
        ("{name: a, limit: 1, per: day, cost: '1 - 3'}", "a request costs -2"),
        ("{name: a, limit: 1, per: day, cost: '1/0'}", "it divides by zero"),
        ("{name: a, limit: 1, per: day, cost: 'param.limit / (2 - 2)'}", "it divides by zero"),
        ("{name: a, limit: 1, per: day, cost: '4 / 2'}", "a request costs 2, and there is room for 1"),
        (
            "{name: a, limit: 10, per: day, cost: 'max(20, param.limit)'}",
            "a request costs 20 or more, and there is room for 10",
        ),
        ("{name: a, limit: 1, per: day, by: ['header:Authorization']}", "it is a credential"),
        ("{name: a, limit: 1, per: day, cots: 2}", "there is no key `cots` here"),
    ],
)
def test_bad_limits_have_a_place(written: str, message: str) -> None:
    found = compiled_with(f"rateLimits: [{written}]")
    assert any(message in diagnostic.message for diagnostic in found), found
    assert {d.code for d in found} <= {"extension-value", "extension-unknown", "rate-limit-service"}
    assert all(d.span and d.span.file == "contracts/pets/v1.yaml" and d.span.line for d in found)


def test_a_claim_needs_a_token() -> None:
    text = pets()["contracts/pets/v1.yaml"].replace(
        "{policy: none, reason: a public page}",
        "{policy: none, reason: x, rateLimits: [{name: a, limit: 1, per: day, by: ['claim:sub']}]}",
    )
    (found,) = Compiler().compile(tree(pets(contract=text))).diagnostics
    assert "asks for no token" in found.message


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ("rateLimits: [{name: a, limit: 0, per: day}]", "settings-invalid"),
        ("rateLimits: [{name: a, limit: 1, per: day, by: ['claim:sub']}]", "settings-invalid"),
        ("rateLimits: [{name: a, limit: 1, per: day, store: shared}]", "rate-limit-service"),
        ("rateLimit: {service: nowhere}", "settings-invalid"),
        ("rateLimit: {service: 'h:1', onFailure: maybe}", "settings-invalid"),
        ("rateLimit: {service: 'h:1', timeout: 0s}", "settings-invalid"),
        ("rateLimit: {servce: 'h:1'}", "settings-unknown-key"),
    ],
)
def test_bad_settings_have_a_place(settings: str, code: str) -> None:
    found = Compiler().compile(tree(pets(settings=pets()["sidegate.yaml"] + settings + "\n"))).diagnostics
    assert code in {diagnostic.code for diagnostic in found}
    assert all(d.span and d.span.file == "sidegate.yaml" and d.span.line == ADDED for d in found if d.is_error)
