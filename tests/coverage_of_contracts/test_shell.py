"""`sidegate test`: examples, requests and policies of a project are judged, and what was not tried is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

import pytest

from tests.coverage_of_contracts.shop import CONTRACT, TABLE, project
from tests.waiting import PATIENCE_S
from xds.cli import main

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _without_opa(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers must not depend on what the machine has."""
    monkeypatch.delenv("SIDEGATE_OPA", raising=False)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str]:
    code = main(["test", *map(str, words)])
    return code, capsys.readouterr().out


def test_the_example_project(capsys: pytest.CaptureFixture[str]) -> None:
    code, out = run(capsys, "--engine", "embedded", ROOT)
    assert code == 0, out
    lines = out.splitlines()
    assert [line.split(":")[0] for line in lines[:3]] == ["examples", "requests", "rego"]
    assert lines[3].startswith("17 of 17 operations covered; ")


def test_a_small_project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = run(capsys, "--coverage", project(tmp_path))
    assert code == 0, out
    assert "examples: 3 of 3 pass\nrequests: 6 of 6 pass\n" in out
    missed = [line.strip() for line in out.splitlines() if line.startswith("  contracts/")]
    assert missed == [
        "contracts/shop/v1.yaml:25  request body: text/plain",
        "contracts/shop/v1.yaml:22  request body: left out",
        "contracts/shop/v1.yaml:4  security: bearer(read)",
        "contracts/shop/v1.yaml:4  security: none met",
        "contracts/shop/v1.yaml:17  response body: 200 text/plain",
        "contracts/shop/v1.yaml:7  policy: denied",
    ]


def test_json_says_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = run(capsys, "--format", "json", "--json", tmp_path / "out/cov.json", project(tmp_path))
    found = json.loads(out)
    assert code == 0
    assert found["coverage"] == json.loads((tmp_path / "out/cov.json").read_text())
    assert {kind: (n["seen"], n["all"]) for kind, n in found["coverage"]["kinds"].items()} == {
        "operation": (2, 2),
        "status": (3, 3),
        "parameter": (3, 3),
        "request body": (1, 3),
        "response body": (1, 2),
        "security": (4, 6),
        "policy": (3, 4),
    }
    assert found["coverage"]["total"] == {"seen": 17, "all": 23, "percent": 73.91}
    assert "no OPA" in found["coverage"]["note"]


def test_an_example_that_breaks_its_schema(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = CONTRACT.replace("example: {name: ball}", "example: {colour: red}").replace("example: 7", "example: seven")
    code, out = run(capsys, project(tmp_path, TABLE, broken))
    assert code == 1
    assert "FAIL examples shop/v1 getThing path id  contracts/shop/v1.yaml:10  the example breaks its schema" in out
    assert "FAIL examples shop/v1 addThing application/json  contracts/shop/v1.yaml:24" in out
    assert "    contracts/shop/v1.yaml:24:53  application/json: {schema: {type: object, required: [name]}" in out


def test_examples_of_components_headers_and_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Wherever an example stands: behind a reference, in a schema, in a header of an answer, in a range of statuses."""
    contract = CONTRACT.replace(
        '"201": {description: made}',
        '"201": {$ref: "#/components/responses/Made"}\n        5XX: {description: x, content: {application/problem+json:'
        " {schema: {type: object, properties: {status: {type: integer}}}, examples: {down: {$ref:"
        ' "#/components/examples/Down"}}}}}',
    ).replace(
        "components:\n",
        "components:\n  examples: {Down: {value: {status: high}}}\n  responses:\n    Made:\n      description: made\n"
        "      headers: {Location: {schema: {type: string, maxLength: 3}, example: /things/7}}\n"
        "      content: {application/json: {schema: {$ref: '#/components/schemas/Thing'}}}\n"
        "  schemas: {Thing: {type: object, properties: {secret: {writeOnly: true, type: string}}, example: {secret: x}}}\n",
    )
    code, out = run(capsys, project(tmp_path, TABLE, contract))
    assert code == 1
    failed = [line.split("  ")[0] for line in out.splitlines() if line.startswith("FAIL")]
    assert failed == [
        "FAIL examples shop/v1 addThing 201 header location",
        "FAIL examples shop/v1 addThing 201 application/json",
        "FAIL examples shop/v1 addThing 5XX application/problem+json down",
    ]


def test_a_request_that_is_answered_otherwise(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = TABLE.replace("expect: 400 type", "expect: 200").replace("key: web, expect: 403", "key: web, expect: 404")
    code, out = run(capsys, project(tmp_path, table))
    assert code == 1
    assert (
        "FAIL requests shop/v1 no number  contracts/shop/v1_test.yaml:5  expected 200; it is refused with 400 type"
        in out
    )
    assert "    path /id: must be integer [type]\n    contracts/shop/v1.yaml:10\n" in out
    assert "FAIL requests shop/v1 not mobile  contracts/shop/v1_test.yaml:8  expected 404 policy-denied; it is" in out
    assert "    decide    policy-denied: only mobile adds things\n" in out
    assert """-H 'authorization: Bearer '"$TOKEN\"""" in out
    assert """-H 'x-key: '"$API_KEY\"""" in out
    assert "test-key-of-web" not in out
    assert "eyJ" not in out, "no token is shown"


def test_an_answer_that_the_contract_has_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = run(capsys, project(tmp_path, TABLE.replace("expect: 201", "expect: 200")))
    assert code == 1
    assert "expected 200, which is none of the responses that the contract has for addThing" in out


def test_a_request_of_another_version(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = project(tmp_path)
    other = CONTRACT.replace("/shop/v1", "/shop/v2")
    (root / "contracts/shop/v2.yaml").write_text(other)
    (root / "contracts/shop/v2_test.yaml").write_text("tests:\n  - {request: GET /shop/v1/things/7, expect: 401}\n")
    code, out = run(capsys, root)
    assert code == 1
    assert (
        "FAIL requests shop/v2 GET /shop/v1/things/7  contracts/shop/v2_test.yaml:2  it is a request of shop/v1" in out
    )


def test_what_lets_too_much_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = "tests:\n  - {request: GET /shop/v1/things/7, key: mobile, expect: 403}\n"
    code, out = run(capsys, project(tmp_path, table))
    assert code == 1
    assert "expected 403; it is forwarded" in out


def test_fail_under(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = project(tmp_path)
    assert run(capsys, "--fail-under", "73.9", root)[0] == 0
    code, out = run(capsys, "--fail-under", "74", root)
    assert (code, out.splitlines()[-1]) == (1, "coverage of 73.9 % is less than 74 %")
    with pytest.raises(SystemExit) as left:
        main(["test", "--fail-under", "101", str(root)])
    assert left.value.code == 2


JUNIT = {
    "testsuites": {"name", "tests", "failures", "errors", "time"},
    "testsuite": {"name", "tests", "failures", "errors", "time"},
    "testcase": {"name", "classname", "time"},
    "failure": {"message", "type"},
    "error": {"message", "type"},
}
"""Elements, and those of their attributes that the schema of Jenkins' xunit plugin has."""


def test_junit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = TABLE.replace("expect: 400 type", "expect: 200") + '  - {title: "\\u0001", operation: nope, expect: 200}\n'
    code, out = run(capsys, "--format", "junit", "--junit", tmp_path / "junit.xml", project(tmp_path, table))
    assert code == 1
    assert (tmp_path / "junit.xml").read_text() == out
    root = xml.fromstring(out)
    for element in root.iter():
        assert set(element.attrib) <= JUNIT[element.tag]
    assert [(s.get("name"), s.get("tests"), s.get("failures"), s.get("errors")) for s in root] == [
        ("examples", "3", "0", "0"),
        ("requests", "7", "1", "1"),
    ]
    (failure,) = root.iter("failure")
    assert "contracts/shop/v1.yaml:10" in (failure.text or "")


@pytest.mark.parametrize(
    ("row", "line", "message"),
    [
        ("{request: GET /x}", 3, "`expect` is a status"),
        ("{request: GET /x, expect: fine}", 3, "`expect` is a status"),
        ("{request: GET /x, expect: 200 type}", 3, "only refusals have a code"),
        ("{request: GET /x, expect: 403 insuficient-scope}", 3, "no refusal has the code 'insuficient-scope'"),
        ("{request: GET /x, expect: 404 nothing-of-the-kind}", 3, "no refusal has the code"),
        ("{request: /x, expect: 200}", 3, "`request` is like"),
        ("{expect: 200}", 3, "needs either a `request` or an `operation`"),
        ("{request: GET /x, operation: getThing, expect: 200}", 3, "needs either"),
        ("{request: GET /x, expect: 200, token: nobody}", 3, "there is no token 'nobody'"),
        ("{request: GET /x, expect: 200, tokn: reader}", 3, "unknown key 'tokn'"),
        ("{operation: getThing, body: {}, expect: 200}", 3, "the body of an `operation`"),
        ("{request: GET /x, example: y, expect: 200}", 3, "an `example` is of an `operation`"),
        ("{request: GET /x, headers: {a b: c}, expect: 200}", 3, "a header has a name and a text"),
        ("[]", 3, "must be a mapping"),
    ],
)
def test_a_row_that_means_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], row: str, line: int, message: str
) -> None:
    table = f"tokens: {{reader: {{sub: rita}}}}\ntests:\n  - {row}\n"
    code, out = run(capsys, project(tmp_path, table))
    assert code == 1
    assert f"contracts/shop/v1_test.yaml:{line}:" in out
    assert f"error[tests-invalid]: {message}" in out


def test_names_that_are_misspelt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "tests:\n  - {operation: getThin, expect: 200}\n  - {operation: getThing, example: x, expect: 200}\n"
    root = project(tmp_path, rows)
    (root / "contracts/shop/v11_test.yaml").write_text("tests: []\n")
    code, out = run(capsys, root)
    assert code == 1
    assert "shop/v1 has no operation getThin; did you mean 'getThing'?" in out
    assert "no examples of getThing make a request called x" in out
    assert "contracts/shop/v11_test.yaml:1:1: error[tests-invalid]: there is no version shop/v11" in out
    assert "help: did you mean 'shop/v1'?" in out


def test_a_table_is_no_version(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(project(tmp_path))]) == 0
    assert "2 operations of 1 service" in capsys.readouterr().out


def test_a_contract_that_does_not_compile(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = run(capsys, project(tmp_path, TABLE, CONTRACT.replace("type: integer", "type: integr")))
    assert code == 1
    assert "error[schema-type]" in out


def test_nothing_to_test_is_no_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bare = CONTRACT.replace(", example: 7", "").replace(", example: {id: 7}", "").replace(", example: {name: ball}", "")
    code, out = run(capsys, project(tmp_path, "tests: []\n", bare))
    assert code == 1
    assert "there is nothing to test" in out
    assert main(["test", str(tmp_path / "nowhere")]) == 3


def test_other_runs_are_added(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = project(tmp_path)
    seen = {"shop/v1 addThing request body: text/plain": ["test_x"], "shop/v1 gone operation: ": ["test_y"]}
    (tmp_path / "gw0.json").write_text(json.dumps({"format": 1, "hits": seen, "asked": []}))
    _, out = run(capsys, "--format", "json", "--data", tmp_path / "gw0.json", root)
    assert json.loads(out)["coverage"]["total"]["seen"] == 18
    assert main(["test", "--data", str(tmp_path / "no.json"), str(root)]) == 3


def test_the_readme_s_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What README tells a new user to write is true of what `sidegate init` writes."""
    text = (ROOT / "README.md").read_text().partition("<!-- contracts/pets/v1_test.yaml -->\n```yaml\n")[2]
    assert main(["init", "--service", "pets", str(tmp_path)]) == 0
    (tmp_path / "contracts/pets/v1_test.yaml").write_text(text.partition("```")[0])
    capsys.readouterr()
    code, out = run(capsys, tmp_path)
    assert (code, "requests: 3 of 3 pass" in out) == (0, True), out


def test_pytest_is_not_needed(tmp_path: Path) -> None:
    """The extra `test` is no part of what runs beside a service."""
    words = "import sys; sys.modules['pytest'] = None; from xds.cli import main; sys.exit(main(['test', sys.argv[1]]))"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", words, str(project(tmp_path))]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_does_not_compile_is_no_green_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = project(tmp_path)
    file = root / "contracts/shop/v1.yaml"
    file.write_text(file.read_text().replace("openapi: 3", "openapi: 9", 1))
    code, out = run(capsys, "--format", "junit", root)
    whole = xml.fromstring(out)
    assert code == 1
    assert int(whole.attrib["errors"]) >= 1
    assert [case.find("error") is not None for case in whole.iterfind("testsuite[@name='project']/testcase")]
    told = "".join(each.text or "" for each in whole.iter("error"))
    assert "contracts/shop/v1.yaml:1:1: error[openapi-version]: " in told
