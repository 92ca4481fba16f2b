"""`deprecated`, `x-sunset`, `successor`: what clients are told before something goes away, and 410 after (RFC 9745, 8594)."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.envoy import models
from tests.envoy.proxy import proxy
from tests.features.hop import Hop, contract, operation, serve
from tests.projects import CONTRACT, compiled, pets, tree
from tests.waiting import until
from xds.address import Address
from xds.cli import main
from xds.compile import Compiler
from xds.dashboards.alerts import NOTICE_S, groups
from xds.envoy.codec import encode
from xds.envoy.routes import routes
from xds.explain import explain_operation
from xds.keyfile import add
from xds.metrics import CONSUMERS, DEPRECATED, REQUESTS
from xds.model import Gateway, Mode, Operation, Place
from xds.native import Setting, native_of
from xds.terminal import Palette
from xds.up.banner import banner

PAST, FUTURE = "2020-01-31", "2199-12-31"
SINCE = int(datetime(2020, 1, 31, tzinfo=UTC).timestamp())
DOCS = "https://docs.example.com/move%20on"


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    body = {"content": {"text/plain": {"schema": {"type": "string", "maxLength": 10}}}}
    documents = {
        "v1": contract({
            "/things": {
                "get": operation(operationId="plain"),
                "post": operation(operationId="sent", requestBody=body, x_sidegate={"bodyLimit": "10B"}),
            },
            "/dated": {"get": operation(x_sidegate={"deprecated": "2022-02-22T22:22:22+02:00"})},
            "/kept": {"get": operation(x_sidegate={"cache": {"ttl": "60s", "shared": True}})},
            "/mocked": {"get": {
                **operation(x_sidegate={"mock": True}),
                "responses": {"200": {"description": "ok", "content": {"text/plain": {"example": "here"}}}},
            }},
            "/secret": {"get": operation(security=[{"bearer": []}])},
            "/elsewhere": {"get": operation(x_sidegate={"successor": "https://new.example.com/x?a=b", "migration": "/help"})},
            "/stays": {"get": operation(x_sidegate={"deprecated": False})},
            "/gone": {
                "x-sunset": PAST,
                "get": operation(operationId="old"),
                "post": operation(operationId="oldPost", requestBody=body, x_sidegate={"bodyLimit": "10B"}),
                "put": {**operation(operationId="later"), "x-sunset": FUTURE},
            },
        }, servers=[{"url": "/v1"}], **{
            "x-sidegate": {"deprecated": PAST, "migration": DOCS}, "x-sunset": FUTURE,
        }),
        "v2": contract({
            "/things": {"get": operation(operationId="new")},
            "/marked": {"get": operation(deprecated=True)},
            "/over": {
                "deprecated": True, "get": operation(operationId="under"),
                "put": operation(operationId="not", x_sidegate={"deprecated": False}),
            },
        }, servers=[{"url": "/v2"}]),
        "v0": contract({
            "/things": {"get": operation(operationId="oldest")},
            "/ended": {"x-sunset": PAST, "get": operation(operationId="ended")},
            "/worded": {"x-sunset": PAST, "get": operation(operationId="worded", x_sidegate={
                "errors": {"default": {"detail": "Ask for ${successor} since ${sunset}."}},
            })},
            "/own": {"x-sunset": PAST, "get": operation(operationId="own", x_sidegate={
                "errors": {"gone": {"body": "over since ${sunset}: ${successor}, ${traceId}", "mediaType": "text/plain"}},
            })},
        }, servers=[{"url": "/v0"}], **{"deprecated": True, "x-sunset": FUTURE}),
    }  # fmt: skip
    with serve(tmp_path_factory.mktemp("deprecation"), documents) as running:
        yield running


TOLD = {
    "deprecation": f"@{SINCE}",
    "sunset": "Tue, 31 Dec 2199 00:00:00 GMT",
    "link": f'<{DOCS}>; rel="deprecation sunset", </v2>; rel="successor-version"',
}


def told(headers: Any) -> dict[str, str]:
    return {name: headers[name] for name in TOLD if name in headers}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/things", 200),
        ("GET", "/v1/things?x=1", 400),
        ("POST", "/v1/things", 413),
        ("GET", "/v1/secret", 401),
        ("GET", "/v1/mocked", 200),
        ("GET", "/v1/kept", 200),
        ("GET", "/v1/kept?", 200),
    ],
)
def test_every_answer_of_a_deprecated_version_says_so(hop: Hop, method: str, path: str, status: int) -> None:
    answer = hop.client.request(
        method, path, content="x" * 20 if method == "POST" else None, headers={"content-type": "text/plain"}
    )
    assert answer.status_code == status, answer.text
    assert told(answer.headers) == TOLD
    assert parsedate_to_datetime(answer.headers["sunset"]) == datetime(2199, 12, 31, tzinfo=UTC)


def test_the_inner_object_wins(hop: Hop) -> None:
    dated = hop.client.get("/v1/dated").headers
    assert told(dated) == {**TOLD, "deprecation": f"@{int(datetime(2022, 2, 22, 20, 22, 22, tzinfo=UTC).timestamp())}"}
    elsewhere = hop.client.get("/v1/elsewhere").headers["link"]
    assert elsewhere == '</help>; rel="deprecation sunset", <https://new.example.com/x?a=b>; rel="successor-version"'
    assert "deprecation" not in hop.client.get("/v1/stays").headers


def test_what_is_not_deprecated_says_nothing(hop: Hop) -> None:
    assert told(hop.client.get("/v2/things").headers) == {}


def test_openapis_own_word_is_enough(hop: Hop) -> None:
    """Of a date that nobody has said there is none to tell; the field has no other form than a date."""
    assert told(hop.client.get("/v2/marked").headers) == {"deprecation": "@0"}


def test_openapis_word_over_operations(hop: Hop) -> None:
    """`deprecated: true` on a document or a path is that of each operation in it."""
    assert told(hop.client.get("/v2/over").headers) == {"deprecation": "@0"}
    assert told(hop.client.put("/v2/over").headers) == {}
    whole = {"deprecation": "@0", "sunset": TOLD["sunset"], "link": '</v1>; rel="successor-version"'}
    assert told(hop.client.get("/v0/things").headers) == whole
    gone = hop.client.get("/v0/ended")
    assert (gone.status_code, gone.json()["successor"]) == (410, "/v1")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_after_the_date_it_is_gone(hop: Hop, method: str) -> None:
    """Before the token and the body are looked at."""
    before = len(hop.server.log)
    answer = hop.client.request(method, "/v1/gone", content="x" * 20 if method == "POST" else None)
    document = answer.json()
    assert (answer.status_code, document["code"], document["sunset"], document["successor"]) == (
        410,
        "gone",
        PAST,
        "/v2",
    )
    assert answer.headers["sunset"] == "Fri, 31 Jan 2020 00:00:00 GMT"
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(hop.server.log) == before
    assert hop.client.put("/v1/gone").status_code == 200


def test_whatever_it_says_it_names_what_is_to_be_used_instead(hop: Hop) -> None:
    worded = hop.client.get("/v0/worded").json()
    assert (worded["detail"], worded["sunset"], worded["successor"]) == (f"Ask for /v1 since {PAST}.", PAST, "/v1")
    own = hop.client.get("/v0/own")
    assert (own.status_code, own.headers["content-type"]) == (410, "text/plain")
    assert re.fullmatch(rf"over since {PAST}: /v1, [0-9a-f]{{32}}", own.text)


@pytest.fixture(scope="module")
def keys() -> dict[str, str]:
    return {}


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory, keys: dict[str, str]) -> Iterator[Hop]:
    """v1 is deprecated and takes tokens and keys, v2 is its successor, and a header says which is meant."""
    folder = tmp_path_factory.mktemp("usage")
    for name in ("mobile", "batch"):
        keys[name] = add(folder / "consumers.yaml", name)
    asked = {"get": operation(operationId="things", security=[{"bearer": []}, {"key": []}])}
    only = {"get": operation(operationId="only", security=[{"bearer": []}])}
    schemes = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "key": {"type": "apiKey", "in": "header", "name": "X-Key"},
    }
    documents = {}
    for number, more in (("1", {"deprecated": PAST}), ("2", {})):
        version = {"header": "api-version", "value": number, "default": number == "1"}
        few = {"rateLimits": [{"name": "few", "by": ["client"], "limit": 1, "per": "hour"}]}
        paths = {
            "/things": asked,
            "/only": only,
            "/open": {"get": operation(operationId="open")},
            "/few": {"get": operation(operationId="few", security=[{"bearer": []}, {"key": []}], x_sidegate=few)},
            "/scoped": {"get": operation(operationId="scoped", security=[{"bearer": ["admin"]}, {"key": []}])},
        }
        own = {"x-sidegate": {"version": version, **more}, "components": {"securitySchemes": schemes}}
        documents[f"v{number}"] = contract(paths, **own)
    settings = {"security": {"key": {"keys": {"file": "keys/consumers.yaml"}}}}
    files = {"keys/consumers.yaml": (folder / "consumers.yaml").read_text()}
    with serve(folder, documents, settings=settings, files=files) as running:
        yield running


def _used(hop: Hop) -> dict[tuple[str, str, str, str], float]:
    """Version, operation, consumer and status of what was counted of deprecated operations."""
    families = text_string_to_metric_families(hop.gateway.manage("/metrics").body)
    samples = [s for family in families for s in family.samples if s.name == DEPRECATED.exported]
    return {tuple(s.labels[n] for n in ("version", "operation", "consumer", "status")): s.value for s in samples}  # type: ignore[misc]


def test_who_still_asks_is_counted(counted: Hop, keys: dict[str, str]) -> None:
    get, token = counted.client.get, counted.issuer.token
    app, other = token(client_id="shop-app"), token(azp="console", sub="somebody")
    asked = [
        ({"x-key": keys["mobile"]}, "/things", ("things", "mobile", "200")),
        ({"x-key": keys["batch"]}, "/things?x=1", ("things", "batch", "400")),
        ({"authorization": f"Bearer {app}"}, "/things", ("things", "client:shop-app", "200")),
        ({"authorization": f"Bearer {other}"}, "/only", ("only", "client:console", "200")),
        ({"authorization": f"Bearer {token()}"}, "/only", ("only", "token:bearer", "200")),
        ({}, "/open", ("open", "anonymous", "200")),
        ({"x-sidegate-caller": "forged", "x-sidegate-consumer": "forged"}, "/open", ("open", "anonymous", "200")),
    ]
    before = _used(counted)
    since = len(counted.server.log)
    for headers, target, _ in asked:
        for version in ("1", "2"):
            get(target, headers={**headers, "api-version": version})
    expected = Counter(("v1", *labels) for _, _, labels in asked)
    until(lambda: {k: v - before.get(k, 0) for k, v in _used(counted).items()} == expected)
    assert not any("x-sidegate-caller" in request.headers for request in counted.reached(since))


def test_who_is_refused_still_asks(counted: Hop, keys: dict[str, str]) -> None:
    """A client that is refused behind authentication has not moved, whatever it is refused for."""
    get, app = counted.client.get, counted.issuer.token(client_id="shop-app")
    before = _used(counted)
    assert [get("/few", headers={"x-key": keys["mobile"]}).status_code for _ in range(3)] == [200, 429, 429]
    assert get("/scoped", headers={"authorization": f"Bearer {app}"}).status_code == 403
    assert get("/scoped", headers={"authorization": f"Bearer {app}", "x-key": keys["batch"]}).status_code == 200
    expected = {
        ("v1", "few", "mobile", "200"): 1,
        ("v1", "few", "mobile", "429"): 2,
        ("v1", "scoped", "client:shop-app", "403"): 1,
        ("v1", "scoped", "batch", "200"): 1,
    }
    until(lambda: {k: v - before.get(k, 0) for k, v in _used(counted).items() if k[1] in ("few", "scoped")} == expected)


def test_a_refused_credential_is_nobodys_use(counted: Hop) -> None:
    before = _used(counted)
    assert counted.client.get("/things", headers={"x-key": "wrong"}).status_code == 401
    counted.client.get("/open")
    until(lambda: sum(_used(counted).values()) == sum(before.values()) + 1)


@pytest.mark.slow
def test_clients_of_tokens_are_counted_up_to_a_bound(counted: Hop) -> None:
    """An issuer can have any number of them; all requests are in the usual metric still."""

    def all_of(operation: str) -> float:
        families = text_string_to_metric_families(counted.gateway.manage("/metrics").body)
        samples = [s for family in families for s in family.samples if s.name == REQUESTS.exported]
        return sum(s.value for s in samples if (s.labels["version"], s.labels["operation"]) == ("v1", operation))

    before, more = all_of("only"), CONSUMERS + 50
    for number in range(more):
        bearer = counted.issuer.token("EdDSA", client_id=f"app-{number}")
        assert counted.client.get("/only", headers={"authorization": f"Bearer {bearer}"}).status_code == 200
    until(lambda: all_of("only") == before + more)
    assert len(_used(counted)) <= CONSUMERS


def test_the_proxy_keeps_the_date_by_itself(tmp_path: Path) -> None:
    """An Envoy without a control plane: nothing is published when the moment comes."""
    for wait_s in (4, 16, 64):  # a slow machine takes long to start it
        at = int(time.time()) + wait_s
        settings = {"sunset": Setting(datetime.fromtimestamp(at, UTC).isoformat(), Place(""))}
        old = replace(models.operation("GET /old", exempt="public"), native=native_of(settings), mode=Mode.OFF)

        def make(port: int, old: Operation = old) -> Gateway:
            return models.gateway(models.version("svc/v1", [old], f"http://127.0.0.1:{port}"))

        seen: list[tuple[float, int, float]] = []
        (tmp_path / str(wait_s)).mkdir()
        with proxy(make, tmp_path / str(wait_s)) as envoy:
            while not seen or (seen[-1][1] == 200 and seen[-1][0] < at + 5):
                seen.append((time.time(), envoy.ask("GET", "/old").status, time.time()))
                time.sleep(0.05)
        if seen[0][1] == 200:
            break
    assert seen[0][1] == 200
    assert seen[-1][1] == 410
    assert not [row for row in seen if (row[1] == 410 and row[2] < at) or (row[1] == 200 and row[0] >= at)]


@pytest.mark.parametrize(
    ("document", "operation_", "code", "pointer", "says"),
    [
        ("x-sunset: 2026-02-30", "", "extension-value", "/x-sunset", "is no date"),
        ("x-sunset: tomorrow", "", "extension-value", "/x-sunset", "is no date"),
        ("x-sunset: '2026-12-31T12:00:00'", "", "extension-value", "/x-sunset", "RFC 3339"),
        ("x-sunset: 20261231", "", "extension-value", "/x-sunset", "410"),
        ("", "x-sidegate: {deprecated: 2026-13-01}", "extension-value", "/get/x-sidegate/deprecated", "is no date"),
        ("", "x-sidegate: {deprecated: 7}", "extension-value", "/get/x-sidegate/deprecated", "since when"),
        ("deprecated: 2026-01-01", "", "wrong-type", "/deprecated", "true or false"),
        ("deprecatd: true", "", "unknown-field", "/deprecatd", "did you mean `deprecated`"),
        ("x-sunset: 2026-01-01", "", "sunset-undeprecated", "/x-sunset", "without a deprecation"),
        ("x-sunset: 2026-01-01", "x-sidegate: {deprecated: 2026-06-01}", "sunset-early", "/x-sunset", "before"),
        (
            "",
            "deprecated: true, x-sidegate: {sunset: 2026-01-01}, x-sunset: 2027-01-01",
            "extension-value",
            "/get/x-sunset",
            "both",
        ),
        (
            "",
            "x-sidegate: {deprecated: true, successor: v9}",
            "extension-value",
            "/get/x-sidegate/successor",
            "no version v9",
        ),
        ("", "x-sidegate: {deprecated: true, successor: v1}", "extension-value", "/get/x-sidegate/successor", "itself"),
        ("", "x-sidegate: {deprecated: true, migration: docs}", "extension-value", "/get/x-sidegate/migration", "page"),
        (
            "",
            "x-sidegate: {deprecated: true, migration: '/a>b'}",
            "extension-value",
            "/get/x-sidegate/migration",
            "page",
        ),
    ],
)
def test_bad_settings_have_a_place(document: str, operation_: str, code: str, pointer: str, says: str) -> None:
    text = CONTRACT.replace("paths:\n", f"{document}\npaths:\n  /here:\n    get: {{{operation_ + ',' if operation_ else ''}"
                            ' operationId: here, responses: {"200": {description: ok}}}\n', 1)  # fmt: skip
    found = [d for d in Compiler().compile(tree(pets(contract=text))).diagnostics if d.code == code]
    assert found[0].span
    assert found[0].span.pointer.endswith(pointer), found
    assert says in f"{found[0].message} {found[0].help}", found


def test_a_retirement_can_be_shown_safe(counted: Hop, tmp_path: Path) -> None:
    """The dashboard and the alert ask for what proxies export; where nothing is deprecated there is neither."""
    counted.client.get("/open")
    assert main(["dashboards", str(counted.folder), "--out", str(tmp_path)]) == 0
    board = json.loads((tmp_path / "grafana/sidegate.json").read_text())
    asked = [t["expr"] for panel in board["panels"] for t in panel["targets"] if DEPRECATED.exported in t["expr"]]
    assert asked
    until(lambda: bool(_used(counted)))
    families = text_string_to_metric_families(counted.gateway.manage("/metrics").body)
    labels = next(set(s.labels) for family in families for s in family.samples if s.name == DEPRECATED.exported)
    for expression in asked:
        assert set(re.findall(r"(\w+)=~?\"", expression)) <= labels
        assert set(re.findall(r"by \(([^)]*)\)", expression)[0].split(", ")) <= labels


def test_an_alert_names_who_will_be_refused() -> None:
    """For a whole version, or for those of its operations that go away on a date; names of operations are no expressions."""
    text = CONTRACT.replace("operationId: listPets", "operationId: list.pets\n      x-sunset: 2199-01-02")
    whole = CONTRACT.replace("/pets/v1", "/pets/v2").replace(
        "paths:\n", "x-sunset: 2199-01-01\nx-sidegate: {deprecated: 2026-01-01}\npaths:\n", 1
    )
    files = pets(contract=text.replace("operationId: list", "deprecated: true\n      operationId: list"))
    gateway = compiled(files | {"contracts/pets/v2.yaml": whole}).gateway
    rules = {r["expr"]: r for g in groups(gateway) for r in g["rules"] if r["alert"] == "SidegateSunsetInUse"}
    one, other = sorted(rules)
    assert '{service="pets",version="v1",operation=~"list\\\\.pets"}[1d]' in one
    assert '{service="pets",version="v2"}[1d]' in other
    assert f"> {int(datetime(2199, 1, 1, tzinfo=UTC).timestamp()) - NOTICE_S}" in other
    assert "from 2199-01-01 on" in rules[other]["annotations"]["summary"]
    assert not [r for g in groups(compiled(pets()).gateway) for r in g["rules"] if "Sunset" in r["alert"]]


def _link(files: dict[str, str], name: str, kept: Compiler | None = None) -> str:
    """What the route of an operation says of its successor."""
    gateway = (kept or Compiler()).compile(tree(files)).gateway
    configuration = routes(gateway, models.profile())
    found = re.search(rb'<([^<>]*)>; rel="successor-version"(; title="[^"]*")?', encode(configuration))
    assert found, name
    return found[0].decode()


@pytest.mark.parametrize(
    ("first", "second", "more", "link"),
    [
        ({}, {}, "", '</pets/v2>; rel="successor-version"'),
        ({}, {}, "successor: /else", '</else>; rel="successor-version"'),
        (
            {"header": "v", "value": "1"},
            {"header": "V", "value": "2"},
            "",
            '</pets>; rel="successor-version"; title="v: 2"',
        ),
        ({"query": "v", "value": "1"}, {"query": "v", "value": "2"}, "", '</pets?v=2>; rel="successor-version"'),
        (
            {"mediaType": "a/b.{version}", "value": "1"},
            {"mediaType": "a/b.{version}", "value": "2"},
            "",
            '</pets>; rel="successor-version"; title="accept: a/b.2"',
        ),
    ],
)
def test_the_successor_is_where_the_next_version_is(
    first: dict[str, str], second: dict[str, str], more: str, link: str
) -> None:
    def text(number: int, version: dict[str, str]) -> str:
        own = f"x-sidegate: {{version: {json.dumps(version)}}}\n" if version else ""
        base = "" if version else f"/pets/v{number}"
        return CONTRACT.replace("servers: [{url: /pets/v1}]", f"servers: [{{url: '{base}'}}]\n{own}")

    marked = text(1, first).replace(
        "operationId: listPets", f"operationId: listPets\n      x-sidegate: {{deprecated: 2026-01-01, {more}}}"
    )
    assert _link(pets(contract=marked) | {"contracts/pets/v2.yaml": text(2, second)}, "listPets") == link


def test_a_kept_route_follows_its_successor() -> None:
    """v1's contract does not change, but where v2 is does."""
    old = CONTRACT.replace("operationId: listPets", "deprecated: true\n      operationId: listPets")
    kept = Compiler()
    for base in ("/pets/v2", "/animals/v2"):
        files = pets(contract=old) | {"contracts/pets/v2.yaml": CONTRACT.replace("/pets/v1", base)}
        assert _link(files, "listPets", kept).startswith(f"<{base}>")


def test_explain_and_the_table_of_up_say_it() -> None:
    text = CONTRACT.replace("security: [{bearer: []}]", MANY, 1)
    compilation = compiled(pets(contract=text))
    version = compilation.gateway.services[0].versions[0]
    told = explain_operation(version, version.operations[0], None, {})
    assert told["route"] == "GET /pets/v1/open (v: 1, or none) (deprecated, gone from 2199-12-31 on)"
    checks = {check["check"]: check["reason"] for check in told["checks"]}
    assert "since 2026-01-01" in checks["deprecated"]
    assert "410 from 2199-12-31 on" in checks["sunset"]
    assert "only for requests with `v: 1`" in checks["version"]
    table = banner(compilation, Address("127.0.0.1", 1), Address("127.0.0.1", 2), Palette(False))
    assert "GET /pets/v1/open (v: 1, or none) (deprecated, gone from 2199-12-31 on)" in table


MANY = """\
security: [{bearer: []}]
x-sunset: 2199-12-31
x-sidegate: {deprecated: 2026-01-01, version: {header: v, value: "1", default: true}}
"""
