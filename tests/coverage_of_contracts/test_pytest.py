"""Coverage and failures in pytest: options as pytest-cov's, merged over workers and runs; sections that show what was asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.coverage_of_contracts.shop import project

ROOT = Path(__file__).parents[2]

TESTS = """\
import pytest

def ask(verdicts, project, path, scope="read"):
    token = project.token({"sub": "rita", "scope": scope})
    return verdicts.judge("GET", path, {"authorization": f"Bearer {token}"})

@pytest.mark.parametrize("path", ["/shop/v1/things/7", "/shop/v1/things/8?full=true"])
def test_allowed(verdicts, sidegate_project, path):
    assert ask(verdicts, sidegate_project, path).allowed

def test_no_number(verdicts, sidegate_project):
    assert ask(verdicts, sidegate_project, "/shop/v1/things/x").code == "type"

def test_nobody(verdicts):
    assert verdicts.judge("GET", "/shop/v1/things/7").status == 401

def test_add(verdicts):
    assert verdicts.judge("POST", "/shop/v1/things", {"content-type": "application/json"}, b'{"name": "x"}').status == 401
"""

FAILING = """\
def test_verdict(verdicts, sidegate_project):
    token = sidegate_project.token({"sub": "rita", "scope": "read"})
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    assert verdicts.judge("POST", "/shop/v1/things?debug=1", headers, b'{"nam": "x"}').allowed

def test_client(client):
    client.request("GET", "/shop/v1/things/7", token={"sub": "rita", "scope": "read"})

def test_provider(verify_provider, sidegate_project, pytestconfig):
    url = pytestconfig.getoption("sidegate_url")
    verify_provider(url, "shop", "v1", operations=["getThing"], token={"sub": "rita", "scope": "read"})

def test_other(verdicts):
    assert verdicts
    raise RuntimeError("nothing was asked here")
"""

LYING = """\
import urllib.request

from tests.waiting import PATIENCE_S

def test_stub(upstream):
    upstream.answer("getThing", 200, json=["no object"])
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    opener.open(f"{upstream.url}/shop/v1/things/7", timeout=PATIENCE_S).read()
"""


def run(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """pytest, as a service's owner runs it."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "SIDEGATE_"))}
    env |= {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "NO_COLOR": "1"}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(folder),
        *map(str, words),
    ]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False)


def coverage(folder: Path, *words: object) -> dict[str, Any]:
    done = run(folder, "--sidegate-cov-report", "json:out/cov.json", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads((folder / "out/cov.json").read_text())
    return found


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return project(tmp_path, **{"test_shop.py": TESTS})


@pytest.mark.slow
def test_workers_see_what_one_process_sees(shop: Path) -> None:
    alone = coverage(shop)
    assert alone["total"]["seen"] == 10
    together = coverage(shop, "-n", "2")
    assert together == alone
    left = sorted(file.name for file in (shop / ".sidegate/coverage").iterdir())
    assert left
    assert set(left) <= {"gw0.json", "gw1.json"}


@pytest.mark.slow
def test_runs_are_added_if_one_asks_for_it(shop: Path) -> None:
    """What an earlier run left is forgotten, or kept."""
    (shop / ".sidegate/coverage").mkdir(parents=True)
    before = {"format": 1, "hits": {"shop/v1 addThing operation: ": ["test_x"]}, "asked": []}
    (shop / ".sidegate/coverage/gw5.json").write_text(json.dumps(before))
    assert coverage(shop, "-k", "nobody", "--sidegate-cov-append")["kinds"]["operation"]["seen"] == 2
    assert coverage(shop, "-k", "nobody")["kinds"]["operation"] == {"seen": 1, "all": 2, "percent": 50.0}


def test_fail_under(shop: Path) -> None:
    reports = ("--sidegate-cov-report", "term-missing", "--sidegate-cov-report", "html:out/page.html")
    short = run(shop, "--sidegate-cov-fail-under", "43.5", *reports)
    assert short.returncode == 1
    assert "5 passed" in short.stdout
    assert "required 43.5 % not reached: 43.4 %" in short.stdout
    assert "  contracts/shop/v1.yaml:17  response body: 200 text/plain" in short.stdout
    assert "html written to out/page.html" in short.stdout
    assert "test_shop.py::test_no_number" in (shop / "out/page.html").read_text()


@pytest.mark.slow
def test_enough_is_enough(shop: Path) -> None:
    enough = run(shop, "--sidegate-cov-fail-under", "43.4")
    assert (enough.returncode, "required 43.4 % reached: 43.4 %" in enough.stdout) == (0, True), enough.stdout
    assert run(shop, "--sidegate-cov-fail-under", "many").returncode == 4


@pytest.mark.slow
def test_what_does_not_compile_is_no_coverage(shop: Path) -> None:
    """A run that is asked for a number and has none fails."""
    (shop / "test_shop.py").write_text("def test_nothing(): pass\n")
    (shop / ".sidegate/coverage").mkdir(parents=True)
    (shop / ".sidegate/coverage/gw7.json").write_text("no json")
    done = run(shop, "--sidegate-cov", "--sidegate-cov-append")
    assert done.returncode == 4
    assert "gw7.json" in done.stderr
    assert run(shop, "--sidegate-cov-fail-under", "1").returncode == 1


def test_nothing_happens_unless_asked_for(shop: Path) -> None:
    """Neither a file nor an import of anything heavy."""
    (shop / "test_shop.py").write_text(
        "import sys\ndef test_it(): assert not {'jsonschema_rs', 'openapi_core', 'grpc', 'regopy', 'xds', 'sidecar'}"
        " & sys.modules.keys()\n"
    )
    done = run(shop, "-p", "no:schemathesis")
    assert done.returncode == 0, done.stdout
    assert "coverage of contracts" not in done.stdout
    assert not (shop / ".sidegate").exists()


@pytest.fixture
def liar() -> Iterator[str]:
    """A service that answers with what its contract forbids."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"[7]"
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(10)
    server.server_close()


def sections(out: str, test: str) -> dict[str, str]:
    """The sections of a failed test, by title."""
    _, _, rest = out.partition(f"_ {test} _")
    report = rest.split("\n____", 1)[0].split("\n====", 1)[0]
    parts = report.split("\n---")[1:]
    named = (part.partition("\n") for part in parts)
    return {title.strip("- ").removeprefix("sidegate: "): text for title, _, text in named}


def test_a_failure_says_what_was_asked(shop: Path, liar: str) -> None:
    (shop / "test_shop.py").write_text(FAILING)
    done = run(shop, "--sidegate-url", liar)
    assert "4 failed" in done.stdout
    assert "where False = <Verdict 400 unknown-parameter, shop/v1 addThing>.allowed" in done.stdout
    verdict = sections(done.stdout, "test_verdict")
    assert "authorization: Bearer ***" in verdict["request"]
    assert '{"nam": "x"}' in verdict["request"]
    assert "query /debug: is not a parameter of this operation [unknown-parameter]" in verdict["contract"]
    assert "body (whole): must have the property name [required]\ncontracts/shop/v1.yaml:24\n" in verdict["contract"]
    assert "match     shop v1 addThing  contracts/shop/v1.yaml:20\nvalidate  2 violations" in verdict["decision"]
    assert "-H 'authorization: Bearer '\"$TOKEN\"" in verdict["reproduce"]
    client = sections(done.stdout, "test_client")
    assert client["answer"].startswith("200\n")
    assert "\n[7]\n" in client["answer"]
    assert "wrong: body: " in client["answer"]
    assert client["contract"].startswith("contracts/shop/v1.yaml:")
    assert f"--url {liar}/shop/v1/things/7" in client["reproduce"]
    provider = sections(done.stdout, "test_provider")
    assert provider["request"].startswith("GET /shop/v1/things/7\n")
    assert "wrong: body: " in provider["answer"]
    assert not sections(done.stdout, "test_other")
    assert not [text for text in (*verdict.values(), *client.values()) if "eyJ" in text], "no token is shown"


def test_a_stub_that_lies_is_shown(shop: Path) -> None:
    (shop / "test_shop.py").write_text(LYING)
    done = run(shop)
    assert done.returncode == 1, done.stdout
    found = sections(done.stdout, "ERROR at teardown of test_stub")
    assert found["request"].startswith("GET /shop/v1/things/7\n")
    assert '["no object"]' in found["answer"]
    assert found["contract"].startswith("contracts/shop/v1.yaml:13\n")
