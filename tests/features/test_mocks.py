"""`mock`: Envoy answers with the contract's example, once authentication, contract and policy have admitted the request."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.features.hop import Hop, contract, operation, serve
from tests.projects import CONTRACT, compiled_with, pets, tree
from xds.compile import Compiler

ONE = {"id": 1, "name": 'Ünïque 100% \\ " ${x}'}
POLICY = """\
package svc.authz

default allow := false

allow if input.sidegate.operation_id != "denied"
"""


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    pet = {"type": "object", "properties": {"id": {"type": "integer"}, "name": {"type": "string"}}, "required": ["id"]}
    examples = {"one": {"value": ONE}, "two": {"value": {"id": 2}}}
    gone = {"description": "gone", "content": {"application/problem+json": {"example": {"why": "eaten"}}}}
    responses = {
        "404": gone,
        "200": {"description": "ok", "content": {"application/json": {"schema": pet, "examples": examples}}},
    }
    text = {"200": {"description": "ok", "content": {"text/csv": {"example": "a,b\r\n1,2\r\n"}}}}
    body = {"content": {"application/json": {"schema": {"type": "object", "required": ["name"]}}}}
    cors = {"origins": ["https://app.example.com"]}
    paths = {
        "/first": {"get": operation(responses=responses, x_sidegate={"mock": True})},
        "/second": {"get": operation(responses=responses, x_sidegate={"mock": {"example": "two"}})},
        "/gone": {"get": operation(responses=responses, x_sidegate={"mock": {"status": 404}})},
        "/text": {"get": operation(responses=text, x_sidegate={"mock": True})},
        "/none": {
            "delete": operation(responses={"204": {"description": "done"}}, x_sidegate={"mock": True, "mode": "off"})
        },
        "/told": {"post": operation(responses=responses, requestBody=body, x_sidegate={"mock": True})},
        "/secret": {"get": operation(responses=responses, security=[{"bearer": []}], x_sidegate={"mock": True})},
        "/denied": {"get": operation(responses=responses, operationId="denied", x_sidegate={"mock": True})},
        "/shared": {"get": operation(responses=responses, x_sidegate={"mock": True, "cors": cors})},
        "/real": {"get": operation(responses=responses, x_sidegate={"mock": False})},
    }
    with serve(tmp_path_factory.mktemp("mocks"), contract(paths), policies={"authz.rego": POLICY}) as running:
        yield running


@pytest.mark.parametrize(
    ("path", "status", "kind", "body"),
    [
        ("/first", 200, "application/json", ONE),
        ("/second", 200, "application/json", {"id": 2}),
        ("/gone", 404, "application/problem+json", {"why": "eaten"}),
    ],
)
def test_the_example_is_answered(hop: Hop, path: str, status: int, kind: str, body: object) -> None:
    since = len(hop.server.log)
    answer = hop.client.get(path)
    assert (answer.status_code, answer.headers["content-type"], answer.json()) == (status, kind, body)
    assert hop.reached(since) == []


def test_text_and_nothing_at_all(hop: Hop) -> None:
    answer = hop.client.get("/text")
    assert (answer.headers["content-type"], answer.content) == ("text/csv", b"a,b\r\n1,2\r\n")
    answer = hop.client.delete("/none")
    assert (answer.status_code, answer.content) == (204, b"")


def test_the_contract_is_kept_first(hop: Hop) -> None:
    assert hop.client.get("/first?x=1").json()["code"] == "unknown-parameter"
    assert hop.client.post("/told", json={}).json()["code"] == "required"
    answer = hop.client.post("/told", json={"name": "x"})
    assert (answer.status_code, answer.json()) == (200, ONE)


def test_authentication_and_policy_come_first(hop: Hop) -> None:
    refused = hop.client.get("/secret")
    assert (refused.status_code, refused.json()["code"]) == (401, "token-missing")
    token = hop.issuer.token(aud="ref", sub="ada")
    assert hop.client.get("/secret", headers={"authorization": f"Bearer {token}"}).json() == ONE
    denied = hop.client.get("/denied")
    assert (denied.status_code, denied.json()["code"]) == (403, "policy-denied")


def test_pages_may_read_it(hop: Hop) -> None:
    answer = hop.client.get("/shared", headers={"origin": "https://app.example.com"})
    assert (answer.json(), answer.headers["access-control-allow-origin"]) == (ONE, "https://app.example.com")


def test_without_a_mock_the_service_answers(hop: Hop) -> None:
    since = len(hop.server.log)
    assert hop.client.get("/real").status_code == 200
    assert len(hop.reached(since)) == 1


ANSWERED = CONTRACT.replace(
    'schema: {type: integer, minimum: 1, maximum: 100}}]\n      responses: {"200": {description: ok}}',
    "schema: {type: integer, minimum: 1, maximum: 100}}]\n      responses:\n"
    "        '200':\n          description: ok\n          content:\n            application/json:\n"
    "              schema: {$ref: '#/components/schemas/Pet'}\n"
    "              examples: {good: {value: {id: 1}}, bad: {value: {id: x}}, hidden: {value: {id: 1, key: k}}}",
).replace(
    "components:\n",
    "components:\n  schemas:\n    Pet: {type: object, required: [id, key], properties: {id: {type: integer, readOnly: true}, "
    "key: {type: string, writeOnly: true}}}\n",
)


@pytest.mark.parametrize(
    ("written", "code", "said"),
    [
        ("mock: {example: bad}", "example-invalid", "at /id: "),
        ("mock: {example: hidden}", "example-invalid", "at /key: "),
        ("mock: {example: god}", "extension-value", "no example `god`"),
        ("mock: {status: 404}", "extension-value", "no answer with status 404"),
        ("mock: {status: 99}", "extension-value", "99"),
        ("mock: {exampel: good}", "extension-value", ""),
        ("mocks: true", "extension-unknown", "no key `mocks`"),
    ],
)
def test_bad_settings_have_a_place(written: str, code: str, said: str) -> None:
    (found,) = compiled_with(written, ANSWERED)
    assert (found.code, found.span and found.span.file) == (code, "contracts/pets/v1.yaml")
    assert found.span
    assert found.span.line > 1
    assert said in found.message


def test_an_answer_may_have_what_no_request_has() -> None:
    assert compiled_with("mock: {example: good}", ANSWERED) == ()
    assert not Compiler().compile(tree(pets(contract=ANSWERED))).diagnostics
