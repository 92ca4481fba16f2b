"""Whole sessions with options: several workers, OPA, a service that runs already, v1's tests against v2."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.opa_server import find_opa
from tests.plugin.inner import session
from tests.plugin.service import answers, contract, service, write

pytestmark = pytest.mark.slow

EACH = """\
from pytest_sidegate import contract

@contract("shop", "v1")
def test_each(case, client, upstream):
    case.call(client)
    assert len(upstream.received) == 1

def test_denied(client, verdicts, sidegate_project):
    assert client.request("GET", "/shop/v1/items", token="mallory").code == "policy-denied"

"""


def test_several_workers(tmp_path: Path) -> None:
    """Each has a gateway and a service of its own; reports are as without them."""
    folder = write(tmp_path / "project")
    done = session(folder, "-n", "2", "--dist", "loadfile", "--sidegate-cov", test_one=EACH, test_two=EACH)
    assert done.code == 0, done.output
    assert "12 passed" in done.output
    assert "coverage of contracts" in done.output


def test_policies_decided_by_opa(tmp_path: Path) -> None:
    opa = find_opa()
    if isinstance(opa, str):
        pytest.skip(opa)
    done = session(
        write(tmp_path), "--sidegate-engine", "opa", "--sidegate-rego", env={"SIDEGATE_OPA": str(opa)}, test_one=EACH
    )
    words = {name.rpartition("/")[2]: word for name, word in done.outcomes.items()}
    assert words["test_denied"] == "PASSED", done.output
    assert {words[f"test_each[{case}]"] for case in ("list-few", "list-many", "add", "remove", "get")} == {"PASSED"}
    assert {words[f"test_mallory_may_not[{engine}]"] for engine in ("embedded", "opa")} == {"PASSED"}
    assert {words[f"test_wrong[{engine}]"] for engine in ("embedded", "opa")} == {"FAILED"}


URL = 'from pytest_sidegate import contract\n\n@contract("shop", "v1")\ndef test_each(case, client):\n    case.call(client)\n'


def test_a_service_that_runs_already(tmp_path: Path) -> None:
    known = answers()
    with service({at: r for at, r in known.items() if at[0] != "POST"}) as server:
        done = session(write(tmp_path), "--sidegate-url", server.url_for(""), test_one=URL)
    failed = {name for name, word in done.outcomes.items() if word == "FAILED"}
    assert failed == {"test_each[add]"}, done.output


def test_v1s_tests_against_v2(tmp_path: Path) -> None:
    """v2 renames what v1's clients read; what it kept is for them too."""
    second = contract("v2")
    item = {
        "type": "object",
        "required": ["id", "title"],
        "properties": {"id": {"type": "string"}, "title": {"type": "string"}},
    }
    shown = {"schema": item, "example": {"id": "1c9d3a52-4e0b-4a52-8f43-2f4b6f0a7c11", "title": "Lamp"}}
    second["paths"]["/items/{id}"]["get"]["responses"]["200"]["content"]["application/json"] = shown
    del second["paths"]["/items"]["post"]
    done = session(write(tmp_path, v1=contract(), v2=second), "--sidegate-against", "v2", test_one=URL)
    assert done.outcomes == {
        "test_each[list-few]": "PASSED",
        "test_each[list-many]": "PASSED",
        "test_each[remove]": "PASSED",
        "test_each[get]": "FAILED",
        "test_each[add]": "FAILED",
    }, done.output
    assert "'name' is a required property" in done.output
    assert "405 method-not-allowed" in done.output


GENERATED = """\
from pytest_sidegate import generated

@generated("shop", "v1", "positive", token="ada", examples=10)
def test_kept(drawn):
    drawn.check()

@generated("shop", "v1", "negative", token="ada", examples=10)
def test_broken(drawn):
    drawn.check()
"""


def test_generated_requests_through_the_gateway(tmp_path: Path) -> None:
    done = session(write(tmp_path), test_one=GENERATED)
    assert done.code == 0, done.output
    assert "8 passed" in done.output


FALSE = """\
import pytest
from pytest_sidegate.client import Client
from pytest_sidegate.drawing import Generated, Misjudged

@pytest.fixture
def sidegate_generated(sidegate_project):
    return Generated(Client("{url}", sidegate_project))

from pytest_sidegate import generated

@generated("shop", "v1", "{mode}", "add", token="ada", examples=10)
def test_it(drawn):
    with pytest.raises(Misjudged, match="{words}"):
        drawn.check()
"""


@pytest.mark.parametrize(
    ("mode", "status", "words"),
    [
        ("positive", 400, "it keeps the contract and is refused"),
        ("negative", 201, "it breaks the contract and is not refused"),
    ],
)
def test_a_gateway_that_misjudges_is_found_out(tmp_path: Path, mode: str, status: int, words: str) -> None:
    from werkzeug import Response

    problem = '{"code": "maximum", "traceId": null}'
    answer = Response(problem, status, content_type="application/problem+json")
    with service({("POST", "/shop/v1/items"): answer}) as server:
        text = FALSE.format(url=server.url_for("").rstrip("/"), mode=mode, words=words)
        done = session(write(tmp_path), test_one=text)
    assert done.outcomes == {"test_it[add]": "PASSED"}, done.output
