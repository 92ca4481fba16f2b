"""`plans`: what a consumer may ask follows the plan of its key, each consumer by itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from httpx import Response

from tests.e2e.tokens import Issuer
from tests.features.hop import Hop, contract, operation, serve
from tests.features.test_shared_limits import ads_of
from tests.projects import pets, tree
from tests.ratelimit_server import RateLimitServer, Valkey, ratelimit_binary
from tests.waiting import PATIENCE_S, until
from xds.compile import Compiler
from xds.explain import explain_operation
from xds.keyfile import add
from xds.up.ports import free_port

__all__ = ["ratelimit_binary"]

SCHEMES = {
    "key": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
    "bearer": {"type": "http", "scheme": "bearer"},
}
KEY: list[dict[str, list[str]]] = [{"key": []}]
OWN = {"rateLimits": [{"name": "own", "by": ["client"], "limit": 3, "per": "day"}]}
PATHS = {
    "/one": {"get": operation(security=KEY)},
    "/other": {"get": operation(security=KEY)},
    "/either": {"get": operation(security=[*KEY, {"bearer": []}, {}])},
    "/own": {"get": operation(security=KEY, x_sidegate=OWN)},
    "/open": {"get": operation()},
}
CONSUMERS = {
    "mobile": "gold", "web": "gold", "batch": "free", "script": "free", "partner": "", "late": "free", "both": "wide",
}  # fmt: skip


def limit(name: str, number: int, **more: object) -> dict[str, object]:
    return {"name": name, "limit": number, "per": "day", **more}


PLANS = {
    "gold": {"rateLimits": [limit("gold-day", 5)]},
    "free": {"rateLimits": [limit("free-day", 2), limit("free-hour", 1000, per="hour")]},
    "wide": {"rateLimits": [limit("wide", 1000)]},
}


def texts(folder: Path, keys: dict[str, str]) -> dict[str, str]:
    """The files of a project with a key for each consumer, which are written to `keys`."""
    for name, plan in CONSUMERS.items():
        keys[name] = add(folder / "consumers.yaml", name, plan=plan)
    return {"keys/consumers.yaml": (folder / "consumers.yaml").read_text()}


def settings(plans: dict[str, Any], **more: object) -> dict[str, Any]:
    return {"security": {"key": {"keys": {"file": "keys/consumers.yaml"}}}, "plans": plans, **more}


@pytest.fixture(scope="module")
def keys() -> dict[str, str]:
    return {}


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory, keys: dict[str, str]) -> Iterator[Hop]:
    folder = tmp_path_factory.mktemp("plans")
    document = contract(PATHS, components={"securitySchemes": SCHEMES})
    with serve(folder, document, settings=settings(PLANS), files=texts(folder, keys)) as running:
        yield running


def ask(hop: Hop, key: str, path: str = "/one") -> Response:
    return hop.client.get(path, headers={"x-api-key": key})


def statuses(answers: list[Response]) -> list[int]:
    return [answer.status_code for answer in answers]


def test_gold_may_ask_more_than_free_and_each_consumer_for_itself(hop: Hop, keys: dict[str, str]) -> None:
    for consumer, number, name in (("mobile", 5, "gold-day"), ("web", 5, "gold-day"), ("batch", 2, "free-day")):
        answers = [ask(hop, keys[consumer]) for _ in range(number + 1)]
        assert statuses(answers) == [200] * number + [429]
        refused = answers[-1]
        assert (refused.json()["code"], refused.json()["limit"]) == ("rate-limited", name)
        assert refused.headers["retry-after"] == str(86_400 // number)
    assert ask(hop, keys["script"]).status_code == 200, "of the same plan as batch, whose day is spent"


def test_what_is_left_of_the_plan_is_told(hop: Hop, keys: dict[str, str]) -> None:
    answer = ask(hop, keys["late"])
    assert answer.headers["ratelimit-policy"] == '"free-hour";q=1000;w=3600, "free-day";q=2;w=86400'
    assert answer.headers["ratelimit"] == '"free-hour";r=999;t=0, "free-day";r=1;t=0'
    assert not [name for name in answer.headers if name.startswith(("x-ratelimit", "x-sidegate"))]
    reached = {name.lower() for request in hop.reached() for name in dict(request.headers)}
    assert "x-sidegate-consumer" in reached
    assert {name for name in reached if name.startswith("x-sidegate")} <= {"x-sidegate-consumer"}


def test_a_plan_counts_over_all_operations(hop: Hop, keys: dict[str, str]) -> None:
    assert statuses([ask(hop, keys["script"], path) for path in ("/other", "/either", "/one")])[1:] == [429, 429]


def test_who_has_no_plan_is_not_counted(hop: Hop, keys: dict[str, str]) -> None:
    """A consumer without one, a token, and nobody at all; more often than any plan or default bucket has room for."""
    token = {"authorization": f"Bearer {hop.issuer.token(sub='mobile')}"}
    for path, headers in (
        ("/one", {"x-api-key": keys["partner"]}), ("/either", token), ("/either", {}), ("/open", {}),
    ):  # fmt: skip
        answers = [hop.client.get(path, headers=headers) for _ in range(12)]
        assert statuses(answers) == [200] * 12
        assert not [answer for answer in answers if "ratelimit" in answer.headers]


def test_no_client_says_its_plan(hop: Hop, keys: dict[str, str]) -> None:
    """`batch` has spent its day, whatever it writes."""
    forged = {"x-sidegate-plan": "gold", "x-sidegate-limit-quota": "none", "x-sidegate-consumer": "mobile"}
    assert statuses([ask(hop, keys["batch"]) for _ in range(3)])[-1] == 429
    assert hop.client.get("/one", headers={"x-api-key": keys["batch"], **forged}).status_code == 429


def test_limits_of_the_operation_count_beside_the_plans(hop: Hop, keys: dict[str, str]) -> None:
    answers = [ask(hop, keys["both"], "/own") for _ in range(4)]
    assert statuses(answers) == [200, 200, 200, 429]
    assert answers[-1].json()["limit"] == "own"
    assert answers[0].headers["ratelimit"] == '"wide";r=999;t=0, "own";r=2;t=0'
    assert answers[-1].headers["ratelimit"].startswith('"own";r=0;t='), "the plan's was not asked"


def test_a_default_plan_is_for_consumers_without_one(tmp_path: Path) -> None:
    keys: dict[str, str] = {}
    plans = {**PLANS, "default": {"rateLimits": [limit("others", 1)]}}
    document = contract(PATHS, components={"securitySchemes": SCHEMES})
    with serve(tmp_path, document, settings=settings(plans), files=texts(tmp_path, keys)) as hop:
        answers = [ask(hop, keys["partner"]) for _ in range(2)]
        assert (statuses(answers), answers[-1].json()["limit"]) == ([200, 429], "others")
        assert statuses([ask(hop, keys["mobile"]) for _ in range(2)]) == [200, 200]
        assert statuses([hop.client.get("/either") for _ in range(3)]) == [200] * 3, "nobody is no consumer"


def test_plans_in_the_shared_store(ratelimit_binary: Path, tmp_path: Path) -> None:
    keys: dict[str, str] = {}
    port = free_port()
    plans = {
        "gold": {"rateLimits": [limit("gold-shared", 5, store="shared")]},
        "free": {"rateLimits": [limit("free-shared", 2, store="shared", onFailure="closed")]},
        "wide": {},
    }
    own = {"rateLimits": [{"name": "own", "by": ["client"], "limit": 3, "per": "day", "store": "shared"}]}
    paths = {**PATHS, "/own": {"get": operation(security=KEY, x_sidegate=own)}}
    document = contract(paths, components={"securitySchemes": SCHEMES})
    more = settings(plans, rateLimit={"service": f"127.0.0.1:{port}", "timeout": "1s"})
    valkey = Valkey(tmp_path)
    try:
        with serve(tmp_path, document, settings=more, files=texts(tmp_path, keys)) as hop:
            service = RateLimitServer(ratelimit_binary, valkey, tmp_path, port, ads_of(hop))
            try:
                until(lambda: "free-shared" in service.configuration())
                until(lambda: "ratelimit" in ask(hop, keys["late"]).headers)
                for consumer, number in (("mobile", 5), ("web", 5), ("batch", 2)):
                    answers = [ask(hop, keys[consumer]) for _ in range(number + 1)]
                    name = f"{CONSUMERS[consumer]}-shared"
                    assert statuses(answers) == [200] * number + [429]
                    assert answers[-1].json()["limit"] == name
                    assert answers[0].headers["ratelimit-policy"] == f'"{name}";q={number};w=86400'
                    assert answers[0].headers["ratelimit"].startswith(f'"{name}";r={number - 1};t=')
                assert statuses([ask(hop, keys["partner"]) for _ in range(7)]) == [200] * 7
                answers = [ask(hop, keys["script"], "/own") for _ in range(3)]
                assert (statuses(answers), answers[-1].json()["limit"]) == ([200, 200, 429], "free-shared")
                answers = [ask(hop, keys["partner"], "/own") for _ in range(4)]
                assert (statuses(answers), answers[-1].json()["limit"]) == ([200, 200, 200, 429], "own")
                counts = valkey.counters()
                assert [key for key in counts if "plan/gold/gold-shared" in key and "key:mobile" in key]
            finally:
                service.stop()
            refused = ask(hop, keys["late"])
            assert (refused.status_code, refused.json()["code"]) == (503, "limits-unavailable")
            assert ask(hop, keys["mobile"]).status_code == 200, "gold does not say what happens: open"
    finally:
        valkey.stop()


ONE = "{gold: {rateLimits: [{name: a, limit: 1, per: day}]}}"
SCHEME = "key: {keys: {file: keys/c.yaml}}"


def project(folder: Path, plans: str = ONE, plan: str = "gold") -> dict[str, str]:
    """A project whose only key names a plan."""
    add(folder / "consumers.yaml", "mobile", plan=plan)
    text = pets()["sidegate.yaml"].replace("security: {", f"security: {{{SCHEME}, ") + f"plans: {plans}\n"
    return pets(settings=text) | {"keys/c.yaml": (folder / "consumers.yaml").read_text()}


def test_an_unknown_plan_has_a_place_and_a_suggestion(tmp_path: Path) -> None:
    (found,) = Compiler().compile(tree(project(tmp_path, plan="glod"))).diagnostics
    assert (found.code, found.span and found.span.file, found.span and found.span.line) == (
        "plan-unknown",
        "keys/c.yaml",
        3,
    )
    assert found.help
    assert "gold" in found.help


@pytest.mark.parametrize(
    ("plans", "code", "message"),
    [
        ("{gold: {rateLimits: [{name: a, limit: 0, per: day}]}}", "settings-invalid", "less than the minimum"),
        ("{gold: {rateLimit: []}}", "settings-unknown-key", "rateLimit"),
        ("{gold: {rateLimits: [{name: a, by: [address], limit: 1, per: day}]}}", "settings-unknown-key", "by"),
        ("{gold: {rateLimits: [{name: a, limit: 1, per: day, store: shared}]}}", "rate-limit-service", "service"),
        ("{gold: {}, Gold: {}}", "settings-invalid", "small letters"),
        ("{gold: {rateLimits: [{name: a, limit: 1, per: day}, {name: b, limit: 1, per: day}, "
         "{name: c, limit: 1, per: day}]}}", "settings-invalid", "at most 2 local"),
    ],
)  # fmt: skip
def test_bad_plans_have_a_place(tmp_path: Path, plans: str, code: str, message: str) -> None:
    (found,) = [d for d in Compiler().compile(tree(project(tmp_path, plans))).diagnostics if d.is_error]
    assert (found.code, found.span and found.span.file) == (code, "sidegate.yaml")
    assert message in found.message


def test_a_consumer_has_one_plan(tmp_path: Path) -> None:
    files = project(tmp_path, "{gold: {}, free: {}}")
    other = tmp_path / "others.yaml"
    add(other, "mobile", plan="free")
    both = f"{SCHEME}, basic: {{keys: {{file: keys/o.yaml}}}}"
    files["sidegate.yaml"] = files["sidegate.yaml"].replace(SCHEME, both)
    files["keys/o.yaml"] = other.read_text()
    (found,) = [d for d in Compiler().compile(tree(files)).diagnostics if d.is_error]
    assert found.code == "keys-invalid"
    assert "mobile" in found.message


def test_the_command_takes_a_plan(tmp_path: Path) -> None:
    settings = {"security": {"key": {"keys": {"file": "keys/c.yaml"}}}, "plans": {"gold": {}}}
    (tmp_path / "sidegate.yaml").write_text(yaml.safe_dump(settings))

    def key(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "xds.cli", "key", *words, "--dir", str(tmp_path)]
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)

    assert key("new", "mobile", "--plan", "gold").returncode == 0
    assert key("list").stdout.rstrip().endswith(" gold")
    wrong = key("new", "web", "--plan", "glod")
    assert wrong.returncode != 0
    assert "gold" in wrong.stderr


def test_explain_says_which_limits_are_a_plan_s(tmp_path: Path) -> None:
    """Those that may count a request; none where nobody has to bring a key."""
    bearer = {"issuer": "https://issuer.example", "audiences": ["ref"], "jwks": {"file": "keys/jwks.json"}}
    own: dict[str, Any] = {"services": {"svc": {"upstream": "http://127.0.0.1:1"}}, **settings(PLANS)}
    own["security"] = {**own["security"], "bearer": bearer}
    files = {
        "contracts/svc/v1.yaml": yaml.safe_dump(contract(PATHS, components={"securitySchemes": SCHEMES})),
        "policies/svc/authz.rego": "package svc.authz\n\ndefault allow := false\n",
        "sidegate.yaml": yaml.safe_dump(own),
        "keys/jwks.json": Issuer().jwks(),
        **texts(tmp_path, {}),
    }
    compilation = Compiler().compile(tree(files))
    assert [d for d in compilation.diagnostics if d.is_error] == []
    gateway = compilation.gateway
    version = gateway.services[0].versions[0]
    told = {
        o.path.text: explain_operation(version, o, None, {}, plans=gateway.edge.plans)["plans"]
        for o in version.operations
    }
    assert told["/one"] == [
        {"plan": "free", "limit": "free-day: 2 a day by client, in this proxy"},
        {"plan": "free", "limit": "free-hour: 1000 a hour by client, in this proxy"},
        {"plan": "gold", "limit": "gold-day: 5 a day by client, in this proxy"},
        {"plan": "wide", "limit": "wide: 1000 a day by client, in this proxy"},
    ]
    assert told["/open"] == []
