"""`version`: versions of a service share their paths, and a header, a query parameter or a media type says which is meant."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from werkzeug import Request, Response

from tests.features.hop import Hop, contract, operation, serve
from tests.features.upstreams import Upstream, upstreams
from tests.projects import CONTRACT, compiled_with, pets, tree
from tests.waiting import until
from xds.compile import Compiler
from xds.control.access import read


def named(value: str, default: bool = False, **by: str) -> dict[str, Any]:
    """The extension of a document."""
    return {"x-sidegate": {"version": {**by, "value": value, **({"default": True} if default else {})}}}


LIMIT = {"in": "query", "name": "limit", "schema": {"type": "integer"}}
IDENTIFIER = {"in": "path", "name": "id", "required": True, "schema": {"type": "string"}}


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    """v1 is the default and lax; v2 needs a token; v3 has another path and lacks the first."""
    documents = {
        "v1": contract({
            "/things": {"get": operation(operationId="one", parameters=[LIMIT])},
            "/things/{id}": {"get": operation(operationId="oneThing", parameters=[IDENTIFIER])},
            "/old": {"get": operation(operationId="old")},
        }, **named("1", True, header="Api-Version")),
        "v2": contract({
            "/things": {
                "get": operation(operationId="two", security=[{"bearer": []}]),
                "post": operation(operationId="twoPost"),
            },
            "/things/{id}": {"get": operation(operationId="twoThing", parameters=[IDENTIFIER])},
            "/things/special": {"get": operation(operationId="special")},
        }, **named("2", header="api-version")),
        "v3": contract({"/new": {"get": operation(operationId="three")}}, **named("3-beta", header="api-version")),
    }  # fmt: skip
    with serve(tmp_path_factory.mktemp("versions"), documents) as running:
        yield running


@pytest.mark.parametrize(
    ("target", "version", "status", "name"),
    [
        ("/things?limit=3", None, 200, "one"),
        ("/things?limit=3", "1", 200, "one"),
        ("/things?limit=x", "1", 400, "one"),
        ("/things", "2", 401, "two"),
        ("/things/special", "2", 200, "special"),
        ("/things/special", "1", 200, "oneThing"),
        ("/things/special?x=1", None, 400, "oneThing"),
        ("/things/special?x=1", "2", 400, "special"),
        ("/old", None, 200, "old"),
        ("/old", "2", 404, None),
        ("/new", None, 404, None),
        ("/new", "3-beta", 200, "three"),
        ("/nowhere", "7", 404, None),
    ],
)
def test_a_request_is_judged_by_the_version_that_it_names(
    hop: Hop, target: str, version: str | None, status: int, name: str | None
) -> None:
    answer = hop.client.get(target, headers={"api-version": version} if version else {})
    assert answer.status_code == status, answer.text
    if status >= 400:
        assert answer.json()["operationId"] == name


@pytest.mark.parametrize("version", ["4", "", "V2", "2,2", "1, 2", "02", "3-BETA"])
def test_a_version_that_there_is_not_is_told(hop: Hop, version: str) -> None:
    answer = hop.client.get("/things/special", headers={"api-version": version})
    document = answer.json()
    assert (answer.status_code, document["code"]) == (400, "unknown-version"), answer.text
    assert document["versions"] == ["api-version: 3-beta", "api-version: 2", "api-version: 1"]


def test_a_version_that_comes_twice_is_none(hop: Hop) -> None:
    answer = hop.client.get("/things", headers=[("api-version", "1"), ("api-version", "2")])
    assert (answer.status_code, answer.json()["code"]) == (400, "unknown-version")


def test_other_methods_are_those_of_the_version(hop: Hop) -> None:
    first, second = (hop.client.put("/things", headers={"api-version": each}) for each in ("1", "2"))
    assert (first.status_code, first.headers["allow"]) == (405, "GET")
    assert (second.status_code, second.headers["allow"]) == (405, "GET, POST")


def test_answers_say_what_they_depend_on(hop: Hop) -> None:
    """Also refusals, which caches may keep as well (RFC 9110, section 15.1)."""
    asked = [("GET", "/things", "1"), ("GET", "/things", "2"), ("PUT", "/things", "1"), ("GET", "/old", "2")]
    for method, path, version in [*asked, ("GET", "/things", "9")]:
        answer = hop.client.request(method, path, headers={"api-version": version})
        assert answer.headers["vary"] == "api-version", (method, path, version, answer.text)
    assert "vary" not in hop.client.get("/nowhere").headers


@pytest.fixture(scope="module")
def by_query(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    """v1 lets undeclared parameters pass, v2 does not; neither declares the one that names the version."""
    first = named("1", True, query="api.v")
    first["x-sidegate"]["undeclared"] = "pass"
    documents = {
        "v1": contract({"/things": {"get": operation(operationId="one")}}, **first),
        "v2": contract({"/things": {"get": operation(operationId="two")}}, **named("2", query="api.v")),
    }
    with serve(tmp_path_factory.mktemp("by-query"), documents) as running:
        yield running


@pytest.mark.parametrize(
    ("query", "status", "version"),
    [
        ("", 200, "v1"),
        ("?api.v=1", 200, "v1"),
        ("?api.v=2", 200, "v2"),
        ("?a=b&api.v=1&c", 200, "v1"),
        ("?api.v=2&other=1", 400, "v2"),
        ("?apixv=2", 200, "v1"),
        # Services differ in what they make of these, so nobody guesses.
        ("?api.v=2&api.v=1", 400, None),
        ("?api.v=2&a=b&api.v", 400, None),
        ("?api.v=1&%61pi.v=2", 400, None),
        ("?%61pi.v=2", 400, None),
        ("?api%2Ev=2", 400, None),
        ("?api%2ev=2", 400, None),
        ("?api.v=%32", 400, None),
        ("?api.v=", 400, None),
        ("?api.v", 400, None),
        ("?api.v=3", 400, None),
    ],
)
def test_a_query_names_the_version_once_and_as_it_is_written(
    by_query: Hop, query: str, status: int, version: str | None
) -> None:
    answer = by_query.client.get(f"/things{query}")
    assert answer.status_code == status, answer.text
    assert "vary" not in answer.headers
    if status == 400:
        document = answer.json()
        assert (document["code"] == "unknown-version") == (version is None), document
        assert document["version"] == version


VENDOR = "application/vnd.shop.{version}+json"


def _kinds(request: Request) -> Response:
    return Response(json.dumps({"upstream": request.host}), content_type="application/json")


@pytest.fixture(scope="module")
def by_type(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    """Told by the operation's name in the refusal of a parameter that neither declares."""

    def document(name: str, value: str, default: bool = False) -> dict[str, Any]:
        body = {"content": {VENDOR.replace("{version}", value): {"schema": {"type": "object"}}}}
        paths = {
            "/things": {
                "get": operation(operationId=name),
                "post": operation(operationId=f"{name}Post", requestBody=body),
            }
        }
        return contract(paths, **named(value, default, mediaType=VENDOR))

    documents = {"v1": document("one", "v1", True), "v2": document("two", "v2"), "v10": document("ten", "v10")}
    with serve(tmp_path_factory.mktemp("by-type"), documents) as running:
        yield running


@pytest.mark.parametrize(
    ("accept", "name"),
    [
        ("", "one"),
        ("*/*", "one"),
        ("application/json, text/html;q=0.2", "one"),
        ("application/vnd.shop.v2+json", "two"),
        ("Application/Vnd.Shop.V2+JSON", "two"),
        ("text/html, application/vnd.shop.v2+json ; charset=utf-8;q=0.3, */*;q=0.1", "two"),
        ("application/vnd.shop.v1+json;q=0.5, application/vnd.shop.v2+json", "two"),
        ("application/vnd.shop.v2+json;q=0.5, application/vnd.shop.v1+json;q=1.0", "one"),
        ("application/vnd.shop.v2+json, application/vnd.shop.v10+json", "ten"),
        ("application/vnd.shop.v10+json;q=0, application/vnd.shop.v2+json;q=0.001", "two"),
        ("application/vnd.shop.v2+json;q=0.000", "one"),
        ("application/vnd.shop.v9+json, application/vnd.shop.v2+json;q=0.1", "two"),
        ("application/vnd.shop.v9+json", None),
        ("application/vnd.shop.v2.1+json, */*", None),
        ("application/vnd.shop.+json", None),
        ("application/vnd.shop.v2+xml", "one"),
    ],
)
def test_a_media_type_names_the_version(by_type: Hop, accept: str, name: str | None) -> None:
    answer = by_type.client.get("/things?undeclared=1", headers={"accept": accept})
    document = answer.json()
    assert answer.headers["vary"] == "accept"
    if name:
        assert (answer.status_code, document.get("operationId")) == (400, name), document
    else:
        assert (answer.status_code, document["code"]) == (406, "unknown-version")
        assert document["versions"][0] == "accept: application/vnd.shop.v10+json"


@pytest.mark.parametrize(
    ("accept", "reaches"),
    [
        ("application/vnd.shop.v1+json;q=0.9, application/vnd.shop.v2+json", "application/vnd.shop.v2+json"),
        (
            "application/vnd.shop.v2+json;charset=utf-8, */*;q=0.1",
            "application/vnd.shop.v2+json;charset=utf-8, */*;q=0.1",
        ),
        ("text/html, */*", "text/html, */*"),
    ],
)
def test_a_service_of_all_versions_cannot_read_another_one(by_type: Hop, accept: str, reaches: str) -> None:
    since = len(by_type.server.log)
    assert by_type.client.get("/things", headers={"accept": accept}).status_code == 200
    (request,) = by_type.reached(since)
    assert request.headers["accept"] == reaches


def test_the_default_is_told_to_the_service(hop: Hop) -> None:
    since = len(hop.server.log)
    hop.client.get("/things")
    hop.client.get("/things", headers={"api-version": "1"})
    assert [request.headers.get_all("api-version") for request in hop.reached(since)] == [["1"], ["1"]]


@pytest.mark.parametrize(
    ("accept", "sent", "status", "name"),
    [
        ("*/*", "v2", 200, None),
        ("*/*", "v9", 406, None),
        ("application/vnd.shop.v2+json", "v2", 200, None),
        ("application/vnd.shop.v2+json", "v1", 415, "twoPost"),
        ("application/vnd.shop.v1+json", "v2", 415, "onePost"),
    ],
)
def test_the_type_of_a_body_names_it_where_accept_does_not(
    by_type: Hop, accept: str, sent: str, status: int, name: str | None
) -> None:
    kind = VENDOR.replace("{version}", sent)
    answer = by_type.client.post("/things", content="{}", headers={"accept": accept, "content-type": kind})
    assert answer.status_code == status, answer.text
    if name:
        assert answer.json()["operationId"] == name


def test_a_parameter_of_the_media_type_names_the_version(tmp_path: Path) -> None:
    documents = {
        f"v{n}": contract({"/things": {"get": operation(operationId=f"get{n}")}}, **named(n, mediaType=PARAMETER))
        for n in ("1", "2")
    }
    with serve(tmp_path, documents) as running:
        for accept, status, name in (
            ("application/json;version=2", 400, "get2"),
            ('application/json; charset=utf-8; Version="1";q=0.7', 400, "get1"),
            ("application/json;q=0.2;version=2, application/json;version=1", 400, "get1"),
            ("application/json;version=3", 406, None),
            ("application/json", 406, None),
            ("text/html;version=2", 406, None),
        ):
            answer = running.client.get("/things?undeclared=1", headers={"accept": accept})
            assert (answer.status_code, answer.json()["operationId"]) == (status, name), accept


PARAMETER = "application/json;version={version}"
APP, OTHER = "https://app.example.com", "https://other.example.com"


def test_a_preflight_is_granted_by_all_versions(tmp_path: Path) -> None:
    """It cannot say which version the request is for. Of a query it can."""

    def documents(**by: str) -> dict[str, Any]:
        first = {"cors": {"origins": [APP, OTHER], "credentials": True, "maxAge": "10m"}}
        second = {"cors": {"origins": [APP]}}
        both = {"/things": {"put": operation(operationId="put"), "delete": operation(operationId="delete")}}
        found = {}
        for number, cors in (("1", first), ("2", second)):
            own = named(number, number == "1", **by)
            own["x-sidegate"].update(cors)
            found[f"v{number}"] = contract({**both, f"/only{number}": {"put": operation()}}, **own)
        found["v2"]["paths"]["/things"]["delete"]["x-sidegate"] = {"cors": {"origins": [APP], "methods": ["PUT"]}}
        return found

    def preflight(running: Hop, path: str, method: str, origin: str) -> httpx.Response:
        own = {
            "origin": origin,
            "access-control-request-method": method,
            "access-control-request-headers": "api-version",
        }
        return running.client.options(path, headers=own)

    with serve(tmp_path / "header", documents(header="api-version")) as running:
        granted = preflight(running, "/things", "PUT", APP)
        assert (granted.status_code, granted.headers["access-control-allow-origin"]) == (200, APP)
        assert granted.headers["access-control-allow-headers"] == "api-version"
        assert (granted.headers["access-control-max-age"], granted.headers["access-control-allow-methods"]) == (
            "600",
            "PUT",
        )
        assert "access-control-allow-credentials" not in granted.headers
        assert preflight(running, "/things", "PUT", OTHER).status_code == 403
        assert "DELETE" not in preflight(running, "/things", "DELETE", APP).headers.get(
            "access-control-allow-methods", ""
        )
        assert preflight(running, "/only1", "PUT", OTHER).status_code == 200
        readable = running.client.put("/things", headers={"origin": OTHER, "api-version": "7"})
        assert (readable.status_code, readable.headers["access-control-allow-origin"]) == (400, OTHER)
    with serve(tmp_path / "query", documents(query="v")) as running:
        assert preflight(running, "/things?v=1", "PUT", OTHER).status_code == 200
        assert preflight(running, "/things?v=2", "PUT", OTHER).status_code == 403
        assert preflight(running, "/things?v=2", "PUT", APP).status_code == 200


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hop, Upstream, Upstream]]:
    """Two versions with an upstream each, limits and a cache; v2 is tried out by a share and by copies of v1's requests."""

    def document(number: str, **things: Any) -> dict[str, Any]:
        limits = [{"name": "few", "limit": 2, "per": "hour"}]
        paths = {
            "/things": {"get": operation(operationId=f"things{number}", **things)},
            "/kept": {"get": operation(x_sidegate={"cache": {"ttl": "60s", "shared": True}})},
            "/few": {"get": operation(x_sidegate={"rateLimits": limits})},
            "/copied": {"get": operation(x_sidegate={"mirror": {"to": "v2", "percent": 100}} if number == "1" else {})},
        }
        return contract(paths, **named(number, number == "1", header="api-version"))

    strict = {"parameters": [{"in": "query", "name": "id", "required": True, "schema": {"type": "integer"}}]}
    documents = {"v1": document("1", x_sidegate={"split": {"v1": 50, "v2": 50}}), "v2": document("2", **strict)}
    with upstreams("old", "new") as (old, new):
        settings = {"services": {"svc": {"versions": {"v1": {"upstream": old.url}, "v2": {"upstream": new.url}}}}}
        with serve(tmp_path_factory.mktemp("apart"), documents, settings=settings) as running:
            yield running, old, new


def test_each_version_has_its_own_upstream_and_contract(apart: tuple[Hop, Upstream, Upstream]) -> None:
    """A split of v1 sends half of its requests to v2's service, judged as v1's; v2's are always judged as v2's."""
    hop, _, _ = apart
    second = {"api-version": "2"}
    assert {hop.client.get("/things?id=1", headers=second).json()["upstream"] for _ in range(20)} == {"new"}
    assert {hop.client.get("/things", headers=second).status_code for _ in range(5)} == {400}
    shared = {hop.client.get("/things").json()["upstream"] for _ in range(40)}  # one of them alone: 2 in 10^12
    assert shared == {"old", "new"}


def test_nothing_kept_of_one_version_answers_another(apart: tuple[Hop, Upstream, Upstream]) -> None:
    hop, _, _ = apart
    for _ in range(2):
        for version, upstream in (("1", "old"), ("2", "new")):
            answer = hop.client.get("/kept", headers={"api-version": version})
            assert answer.json()["upstream"] == upstream
            assert "api-version" in answer.headers["vary"]
    assert "age" in hop.client.get("/kept").headers


def test_a_version_counts_its_own_requests(apart: tuple[Hop, Upstream, Upstream]) -> None:
    hop, _, _ = apart
    found = [hop.client.get("/few", headers={"api-version": v}).status_code for v in ("1", "1", "1", "2", "2", "2")]
    assert found == [200, 200, 429, 200, 200, 429]


def test_copies_go_to_the_other_version(apart: tuple[Hop, Upstream, Upstream]) -> None:
    hop, _, new = apart
    before = len(new.seen)
    assert hop.client.get("/copied").json()["upstream"] == "old"
    until(lambda: len(new.seen) > before)


def test_logs_and_metrics_name_the_version(apart: tuple[Hop, Upstream, Upstream]) -> None:
    hop, _, _ = apart
    hop.client.get("/things?id=1", headers={"api-version": "2"})
    hop.client.get("/things?id=1", headers={"api-version": "3"})
    rows = {("svc", "v2", "things2", 200, None), ("svc", None, None, 400, "unknown-version")}

    def told() -> bool:
        lines = (hop.folder / ".sidegate" / "access.log").read_text().splitlines()
        members = ("service", "version", "operation", "status", "code")
        return rows <= {tuple(read(line)[member] for member in members) for line in lines}

    until(told)
    metrics = hop.gateway.manage("/metrics").body
    assert 'service="svc",version="",operation="",status="400",code="unknown-version"' in metrics, metrics


@pytest.mark.parametrize(
    ("written", "pointer", "says"),
    [
        ("{header: a, query: b, value: '1'}", "", "in one place"),
        ("{value: '1'}", "", "in one place"),
        ("{header: a}", "", "value"),
        ("{header: a, value: 1}", "/value", "as a text"),
        ("{header: a, value: 'a,b'}", "/value", "as a text"),
        ("{header: Accept, value: '1'}", "/header", "mediaType"),
        ("{header: x-sidegate-client, value: '1'}", "/header", "not a client's"),
        ("{header: 'a b', value: '1'}", "/header", "request header"),
        ("{query: 'a=b', value: '1'}", "/query", "query parameter"),
        ("{mediaType: application/json, value: '1'}", "/mediaType", "no media type with one"),
        ("{mediaType: 'application/json;q={version}', value: '1'}", "/mediaType", "no media type with one"),
        ("{mediaType: '{version}', value: '1'}", "/mediaType", "no media type with one"),
        ("{headers: a, value: '1'}", "/headers", "did you mean `header`"),
    ],
)
def test_bad_settings_have_a_place(written: str, pointer: str, says: str) -> None:
    document = CONTRACT.replace(
        "security: [{bearer: []}]", f"security: [{{bearer: []}}]\nx-sidegate: {{version: {written}}}", 1
    )
    found = [d for d in Compiler().compile(tree(pets(contract=document))).diagnostics if d.is_error]
    assert found[0].span
    assert found[0].span.pointer == f"/x-sidegate/version{pointer}"
    assert says in f"{found[0].message} {found[0].help}", found


def test_a_version_is_a_whole_documents() -> None:
    (found,) = compiled_with("version: {header: a, value: '1'}")
    assert found.code == "extension-value"
    assert "whole document" in found.message


@pytest.mark.parametrize(
    ("one", "other", "clear"),
    [
        ({"header": "a", "value": "1"}, {"header": "A", "value": "2"}, True),
        ({"header": "a", "value": "1"}, {"header": "a", "value": "1"}, False),
        ({"header": "a", "value": "1"}, {"header": "b", "value": "2"}, False),
        ({"header": "a", "value": "1"}, {"query": "a", "value": "2"}, False),
        ({"header": "a", "value": "1", "default": True}, {"header": "a", "value": "2", "default": True}, False),
        ({"header": "a", "value": "1"}, None, False),
        (
            {"mediaType": VENDOR, "value": "V1"},
            {"mediaType": VENDOR.upper().replace("VERSION", "version"), "value": "v1"},
            False,
        ),
    ],
)
def test_versions_that_share_a_path_are_named_in_one_way(one: object, other: object, clear: bool) -> None:
    """Also where they share no method: the version is chosen first."""
    files = pets(contract=_text(one, "get"))
    for method in ("get", "put"):
        given = files | {"contracts/pets/v2.yaml": _text(other, method)}
        found = {d.code for d in Compiler().compile(tree(given)).diagnostics if d.is_error}
        assert found == (set() if clear else {"path-collision"}), method


def _text(version: object, method: str) -> str:
    own = {"x-sidegate": {"version": version}} if version else {}
    return yaml.safe_dump(contract({"/x": {method: operation()}}, **own))


@pytest.mark.parametrize(("by", "told"), [({"header": "v"}, True), ({"query": "v"}, False)])
def test_versions_that_differ_in_pages_are_told(by: dict[str, str], told: bool) -> None:
    def text(number: str, *origins: str) -> str:
        own = named(number, **by)
        own["x-sidegate"]["cors"] = {"origins": list(origins)}
        return yaml.safe_dump(contract({"/x": {"get": operation()}}, **own))

    for origins, differ in (((APP,), False), ((APP, OTHER), True)):
        files = pets(contract=text("1", APP)) | {"contracts/pets/v2.yaml": text("2", *origins)}
        found = [d for d in Compiler().compile(tree(files)).diagnostics if d.code == "cors-versions"]
        assert bool(found) == (told and differ)
        assert all(d.span and d.span.file == "contracts/pets/v2.yaml" for d in found)
