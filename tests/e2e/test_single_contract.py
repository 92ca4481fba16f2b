"""A contract of one's own: `sidegate up openapi.yaml --upstream URL`, `sidegate init`, and a folder with parts."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from pytest_httpserver import HTTPServer

from tests.e2e import processes
from tests.e2e.gateway import Gateway
from tests.e2e.shop import upstream, url_of, wait
from tests.projects import jwks
from tests.waiting import PATIENCE_S, until
from xds.up.stub import POLICY

CONTRACT = {
    "openapi": "3.1.0",
    "info": {"title": "Zoo", "version": "1"},
    "servers": [{"url": "/zoo"}],
    "paths": {
        "/animals": {
            "get": {
                "operationId": "animals",
                "security": [],
                "parameters": [{"name": "legs", "in": "query", "schema": {"$ref": "parts/legs.yaml#/Legs"}}],
                "responses": {"200": {"description": "animals"}},
            },
        },
        "/keepers": {
            "get": {
                "operationId": "keepers",
                "security": [{"bearer": []}],
                "responses": {"200": {"description": "ok"}},
            },
        },
    },
    "components": {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
}
LEGS = "Legs: {type: integer, minimum: 0, maximum: 8}\n"


@pytest.fixture(scope="module")
def service() -> Iterator[HTTPServer]:
    with upstream() as server:
        yield server


@contextmanager
def client(gateway: Gateway) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway.url, trust_env=False) as made:
        yield made


def contract(folder: Path, name: str) -> Path:
    """The contract with its part beside it."""
    (folder / "parts").mkdir(parents=True)
    (folder / "parts" / "legs.yaml").write_text(LEGS)
    path = folder / name
    path.write_text(json.dumps(CONTRACT, indent=1))
    return path


def test_up_on_one_contract(tmp_path: Path, service: HTTPServer) -> None:
    """JSON, with a part in a file of its own: enforced at once. A stub policy allows what it allows, and that is said."""
    path = contract(tmp_path / "zoo", "openapi.json")
    with Gateway(path, "--upstream", url_of(service)) as gateway, client(gateway) as ask:
        assert wait(lambda: "policy: a stub that allows what" in gateway.output), gateway.output
        assert "sidegate init --service zoo" in gateway.output
        assert ask.get("/zoo/animals?legs=4").status_code == 200
        refused = ask.get("/zoo/animals?legs=9")
        assert (refused.status_code, refused.json()["code"]) == (400, "maximum")
        assert ask.get("/zoo/keepers").status_code == 401
        assert ask.get("/zoo/visitors").status_code == 404
        assert ask.delete("/zoo/animals").headers["allow"] == "GET"
        assert [r.full_path for r, _ in service.log] == ["/zoo/animals?legs=4"]
        printed = re.search(r"/zoo/keepers -H 'authorization: (Bearer [^']+)'", gateway.output)
        assert printed, gateway.output
        assert ask.get("/zoo/keepers", headers={"authorization": printed[1]}).status_code == 200
        assert wait(lambda: "400 GET /zoo/animals" in gateway.output and "legs.yaml:1" in gateway.output), (
            gateway.output
        )
        (path.parent / "parts" / "legs.yaml").write_text(LEGS.replace("8", "100"))
        until(lambda: ask.get("/zoo/animals?legs=9").status_code == 200)
        path.write_text("{")
        assert wait(lambda: "still serving the previous" in gateway.output)
        assert ask.get("/zoo/animals?legs=9").status_code == 200
        family = [p.pid for p in gateway.processes()]
        assert gateway.stop() == 0, "Ctrl-C is not a failure"
        assert not any(processes.read(pid) for pid in family)
        assert "Traceback" not in gateway.output
    assert not (path.parent / ".sidegate").exists(), "the user's folder was written to"


def _sidegate(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "xds.cli", *words], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


def test_init_then_up(tmp_path: Path, service: HTTPServer) -> None:
    """What `init` writes is clean and runs as it is; its policy decides; a kill -9 of the command ends every process."""
    folder = tmp_path / "made"
    made = _sidegate("init", str(folder), "--service", "hello", "--upstream", url_of(service))
    assert made.returncode == 0, made.stderr
    checked = _sidegate("check", str(folder))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    with Gateway(folder) as gateway, client(gateway) as ask:
        assert ask.get("/hello/v1/hello/rita?times=3").status_code == 200
        assert ask.get("/hello/v1/hello/rita?times=30").json()["code"] == "maximum"
        denied = ask.get("/hello/v1/hello/nobody")
        assert (denied.status_code, denied.json()["detail"]) == (403, "nobody is not greeted")
        family = [p.pid for p in gateway.processes()]
        assert len(family) >= 3
        os.kill(gateway.pid, signal.SIGKILL)
        assert wait(lambda: not any(processes.read(pid) for pid in family)), "something outlives the command"


@pytest.mark.slow
def test_a_version_that_is_a_folder(tmp_path: Path, service: HTTPServer) -> None:
    """`contracts/<service>/<version>/openapi.yaml` with its parts beside it; JSON and YAML versions side by side; the parts
    and the files behind links inside the root are watched, as a mounted ConfigMap swaps them."""
    root = tmp_path / "project"
    contract(root / "contracts/zoo/v1", "openapi.json")
    text = json.dumps(CONTRACT)
    (root / "contracts/zoo/v2.yaml").write_text(text.replace("/zoo", "/zoo/v2").replace("parts/", "v1/parts/"))
    (root / "policies/zoo").mkdir(parents=True)
    (root / "policies/zoo/authz.rego").write_text(POLICY.format(package="zoo"))
    mounted = root / "contracts/zoo/v3"
    for name in ("first", "second"):
        (mounted / f"..{name}").mkdir(parents=True)
    linked = text.replace("/zoo", "/linked").replace("parts/", "../v1/parts/")
    (mounted / "..first/openapi.yaml").write_text(linked)
    (mounted / "..second/openapi.yaml").write_text(linked.replace("/animals", "/beasts"))
    link = mounted / "..data"
    link.symlink_to("..first")
    (mounted / "openapi.yaml").symlink_to("..data/openapi.yaml")
    bearer = {"issuer": "https://issuer.test", "audiences": ["zoo"], "jwks": {"file": "keys.json"}}
    settings = {"services": {"zoo": {"upstream": url_of(service)}}, "security": {"bearer": bearer}}
    (root / "sidegate.yaml").write_text(json.dumps({**settings, "publish": {"breaking": "allow"}}))
    (root / "keys.json").write_text(jwks())
    checked = _sidegate("check", str(root))
    assert checked.returncode == 0, checked.stdout
    with Gateway(root) as gateway, client(gateway) as ask:
        for base in ("/zoo", "/zoo/v2", "/linked"):
            assert ask.get(f"{base}/animals?legs=8").status_code == 200, base
            assert ask.get(f"{base}/animals?legs=9").status_code == 400, base
        (root / "contracts/zoo/v1/parts/legs.yaml").write_text(LEGS.replace("8", "100"))
        for base in ("/zoo", "/zoo/v2", "/linked"):
            until(lambda base=base: ask.get(f"{base}/animals?legs=9").status_code == 200)
        swapped = mounted / "..new"
        swapped.symlink_to("..second")
        swapped.replace(link)
        until(lambda: ask.get("/linked/beasts").status_code == 200)
        assert ask.get("/linked/animals").status_code == 404
