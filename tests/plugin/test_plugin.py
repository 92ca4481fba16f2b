"""The fixtures and markers, each in a session of its own: a real Envoy, the stubbed service, verdicts and a judging client."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugin.inner import Session, session
from tests.plugin.service import answers, contract, service, write

TESTS = """\
import pytest
from pytest_sidegate import ContractBroken, contract

ITEM = "/shop/v1/items/1c9d3a52-4e0b-4a52-8f43-2f4b6f0a7c11"

@contract("shop", "v1")
def test_each(case, client, upstream):
    assert case.call(client).status == int(case.expected)
    assert [r.operation.id for r in upstream.received] == [case.operation.id]

@contract("shop", "v1", "list", name="many", token="ada")
def test_one(case, client):
    assert case.request.path == "/shop/v1/items?limit=100"
    case.call(client)

@contract("shop", "v1", "get", token="mallory")
def test_denied(case, client, upstream):
    with pytest.raises(ContractBroken, match="policy-denied .not you."):
        case.call(client)
    assert upstream.received == []

def test_refusals(client, upstream):
    assert client.request("GET", ITEM).code == "token-missing"
    assert client.request("GET", "/shop/v1/items?limit=1000", token="ada").code == "maximum"
    assert client.request("POST", "/shop/v1/items", json={"nme": 1}, token={"sub": "bo"}).code == "required"
    assert client.request("GET", "/elsewhere").status == 404
    assert client.request("PUT", ITEM).headers["allow"] == "DELETE, GET"
    assert upstream.received == []

def test_what_the_test_says(client, upstream):
    upstream.answer("get", 404, json={"title": "gone"}, media="application/problem+json")
    answer = client.request("GET", ITEM, token="ada")
    assert (answer.status, answer.json()) == (404, {"title": "gone"})
    assert answer.verdict.allowed

def test_pytest_httpserver_itself(client, upstream):
    upstream.server.expect_oneshot_request(ITEM).respond_with_json({"id": ITEM[-36:], "name": "Kite"})
    assert client.request("GET", ITEM, token="ada").json()["name"] == "Kite"
    assert client.request("GET", ITEM, token="ada").json()["name"] == "Lamp"

def test_a_lie(client, upstream):
    upstream.answer("get", 200, json={"id": 7})
    with pytest.raises(ContractBroken):
        client.request("GET", ITEM, token="ada")

def test_a_lie_that_nobody_looks_at(gateway, upstream, sidegate_project):
    import urllib.request
    upstream.server.expect_oneshot_request(ITEM).respond_with_data("hello")
    headers = {"authorization": "Bearer " + sidegate_project.token({"sub": "ada"})}
    urllib.request.urlopen(urllib.request.Request(gateway.url + ITEM, headers=headers)).read()

def test_verdicts(verdicts, sidegate_project):
    assert verdicts.judge("GET", ITEM).code == "token-missing"
    token = {"authorization": "Bearer " + sidegate_project.token({"sub": "mallory"})}
    verdict = verdicts.judge("GET", ITEM, token)
    assert (verdict.status, verdict.code, verdict.reason) == (403, "policy-denied", "not you")
    assert verdict.decision.rule.file == "policies/shop/authz.rego"
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Session:
    return session(write(tmp_path_factory.mktemp("plugin")), test_shop=TESTS)


def test_every_operation_and_example_is_a_test(ran: Session) -> None:
    each = {name for name in ran.outcomes if name.startswith("test_each")}
    assert each == {f"test_each[{case}]" for case in ("list-few", "list-many", "add", "remove", "get")}, ran.output


def test_all_pass_but_those_whose_service_lies(ran: Session) -> None:
    wrong = {name for name, word in ran.outcomes.items() if word == "ERROR"}
    assert wrong == {"test_a_lie", "test_a_lie_that_nobody_looks_at"}, ran.output
    assert ran.output.count("Lied: the stubbed service gave answers that its contract forbids") >= 2
    assert {name for name, word in ran.outcomes.items() if word == "FAILED"} == set(), ran.output
    assert ran.code == 1


def test_it_costs_nothing_where_nobody_uses_it() -> None:
    """Neither time nor modules: pytest imports the plugin into every session of everybody who has it."""
    words = """
import sys, time, pytest
import pytest_sidegate.plugin, pytest_sidegate.coverage.plugin
mine = sorted(name for name in sys.modules if name.startswith("pytest_sidegate"))
heavy = sorted(name for name in sys.modules if name.split(".")[0] in ("xds", "sidecar", "yaml", "envoy_data_plane", "httpx"))
costs = []
for _ in range(9):
    for name in mine:
        del sys.modules[name]
    began = time.process_time()
    import pytest_sidegate.plugin, pytest_sidegate.coverage.plugin
    costs.append(time.process_time() - began)
print(heavy, min(costs))
"""
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    heavy, _, cost = done.stdout.strip().rpartition(" ")
    assert heavy == "[]"
    assert float(cost) < 0.02


@pytest.mark.slow
def test_help_names_the_options(tmp_path: Path) -> None:
    output = session(tmp_path, "--help").output
    for name in ("--sidegate-engine", "--sidegate-url", "--sidegate-verify", "--sidegate-against", "sidegate_dir"):
        assert name in output


@pytest.mark.slow
def test_a_marker_that_means_nothing_is_an_error(tmp_path: Path) -> None:
    wrong = {
        '"shop", "v9"': "there is no contract shop/v9; there are shop/v1",
        '"shop", "v1", "gte"': "shop v1 has no operation gte with examples; it has",
        '"shop", "v1", against="v3"': "there is no contract shop/v3",
    }
    text = "from pytest_sidegate import contract\n\n@contract({})\ndef test_it(case): pass\n"
    done = session(
        write(tmp_path), "--collect-only", **{f"test_{n}": text.format(marker) for n, marker in enumerate(wrong)}
    )
    assert all(words in done.output for words in wrong.values()), done.output
    assert "3 errors" in done.output


@pytest.mark.slow
def test_a_project_that_does_not_compile_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, v1={**contract(), "openapi": "9.9"})
    text = 'from pytest_sidegate import contract\n\n@contract("shop", "v1")\ndef test_it(case): pass\n'
    done = session(tmp_path, "--collect-only", test_it=text)
    assert "does not compile" in done.output
    assert "error[openapi-version]: OpenAPI '9.9'" in done.output
    assert "Diagnostic(" not in done.output
    assert done.code != 0


@pytest.mark.slow
def test_a_provider_by_an_option(tmp_path: Path) -> None:
    broken = {at: r for at, r in answers().items() if at[0] != "DELETE"}
    with service(broken) as server:
        url = server.url_for("")
        done = session(write(tmp_path), "--sidegate-verify", f"shop/v1={url}")
    words = sorted(done.outcomes.values())
    assert words == ["FAILED", "PASSED", "PASSED", "PASSED", "PASSED"], done.output
    assert "status: 404 is none of 204" in done.output


def test_rego_tests_are_items(tmp_path: Path) -> None:
    done = session(write(tmp_path), "--sidegate-rego", env={"PATH": "/nowhere", "SIDEGATE_OPA": ""})
    words = {name.rpartition("/")[2]: word for name, word in done.outcomes.items()}
    assert words["test_others_may[embedded]"] == "PASSED", done.output
    assert words["test_mallory_may_not[embedded]"] == "PASSED"
    assert words["test_wrong[embedded]"] == "FAILED"
    assert "3 skipped" in done.output
    assert "put `opa` on PATH" in done.output


@pytest.mark.slow
def test_rego_tests_are_left_alone_unless_asked_for(tmp_path: Path) -> None:
    assert "no tests ran" in session(write(tmp_path)).output
