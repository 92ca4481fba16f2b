"""An API of AWS, imported by the command and served: who gets in, what the service is asked, and every refusal."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import yaml
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.e2e.gateway import Gateway
from tests.e2e.tokens import Issuer
from tests.importing.projects import FOLDER
from tests.waiting import PATIENCE_S

APP = "https://app.example.com"


@dataclass
class Moved:
    """The gateway after the move; `key` is a consumer's, `log` what reached the service."""

    gateway: Gateway
    server: HTTPServer
    client: httpx.Client
    issuer: Issuer
    keys: dict[str, str]

    @property
    def log(self) -> list[Request]:
        return [request for request, _ in self.server.log]

    def token(self, scope: str | None = "shop/items.write") -> dict[str, str]:
        return {"authorization": f"Bearer {self.issuer.token('RS256', aud='app', scope=scope)}"}

    def key(self, consumer: str = "mobile") -> dict[str, str]:
        return {"x-api-key": self.keys[consumer]}


def _sidegate(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "xds.cli", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def _exported(folder: Path, port: int) -> tuple[Path, Path, Path]:
    """The example's export, asking the test's service in the clear, with one Lambda function more and no quota, which
    would need a rate limit service."""
    export = json.loads((FOLDER / "rest" / "export.json").read_text().replace("https://${", "http://${"))
    function = "arn:aws:lambda:eu-central-1:123456789012:function:sum"
    uri = f"arn:aws:apigateway:eu-central-1:lambda:path/2015-03-31/functions/{function}/invocations"
    export["paths"]["/sum"] = {"post": {"x-amazon-apigateway-integration": {"type": "aws_proxy", "uri": uri}}}
    export["paths"]["/{proxy+}"] = {"x-amazon-apigateway-any-method": export["paths"]["/items"]["get"]}
    stages = json.loads((FOLDER / "rest" / "stages.json").read_text())
    stages["item"][0]["variables"]["backend"] = f"127.0.0.1:{port}"
    plans = json.loads((FOLDER / "rest" / "usage-plans.json").read_text())
    del plans["items"][0]["quota"]
    of = plans["items"][0]["apiStages"]
    plans["items"].append({"name": "Tiny", "apiStages": of, "throttle": {"burstLimit": 2, "rateLimit": 0.001}})
    paths = folder / "export.json", folder / "stages.json", folder / "plans.json"
    for path, value in zip(paths, (export, stages, plans), strict=True):
        path.write_text(json.dumps(value))
    return paths


def _fill_in(root: Path, issuer: Issuer) -> dict[str, str]:
    """What no export holds: keys of consumers. The user pool is the test's own issuer. Returns the keys."""
    settings = yaml.safe_load((root / "sidegate.yaml").read_text())
    settings["security"]["ShopUsers"] |= {"issuer": issuer.name, "jwks": {"file": "keys/jwks.json"}}
    (root / "sidegate.yaml").write_text(yaml.safe_dump(settings))
    (root / "keys").mkdir(exist_ok=True)
    (root / "keys" / "jwks.json").write_text(issuer.jwks())
    whose = {"mobile": "basic", "partner": "basic", "small": "tiny"}
    made = {c: _sidegate("key", "new", c, "--dir", root, "--scheme", "api_key", "--plan", whose[c]) for c in whose}
    assert all(done.returncode == 0 for done in made.values()), made
    return {consumer: done.stdout.strip() for consumer, done in made.items()}


def _answer(request: Request) -> Response:
    return Response("[]", 200, {"content-type": "application/json", "cache-control": "max-age=300"})


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moved]:
    folder = tmp_path_factory.mktemp("moved")
    server = HTTPServer("127.0.0.1", threaded=True)
    server.expect_request(re.compile(".*")).respond_with_handler(_answer)
    server.start()
    export, stages, plans = _exported(folder, server.port)
    root, issuer = folder / "shop", Issuer()
    words = ("--stages", stages, "--usage-plans", plans, "--audience", "app", "--out", root)
    done = _sidegate("import", "aws-apigateway", export, *words)
    assert done.returncode == 1, done.stderr
    assert "POST /sum asks the Lambda function sum" in done.stdout
    keys = _fill_in(root, issuer)
    try:
        with (
            Gateway(root, "--env", "prod") as gateway,
            httpx.Client(base_url=gateway.url, trust_env=False, timeout=PATIENCE_S) as client,
        ):
            yield Moved(gateway, server, client, issuer, keys)
    finally:
        server.stop()


def test_the_service_is_asked_as_aws_asks_it(moved: Moved) -> None:
    """By the integration's path, its variables mapped, with the header that AWS adds."""
    answer = moved.client.get("/prod/items", params={"limit": "1"})
    assert answer.status_code == 200
    asked = moved.log[-1]
    assert (asked.path, asked.query_string, asked.headers["x-source"]) == ("/items", b"limit=1", "gateway")
    assert moved.client.get("/prod/items/7", headers=moved.key()).status_code == 200
    assert moved.log[-1].path == "/catalog/7"


def test_a_preflight_is_answered_by_the_proxy(moved: Moved) -> None:
    before = len(moved.log)
    asking = {"origin": APP, "access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    answer = moved.client.options("/prod/items", headers=asking)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == APP
    assert "POST" in answer.headers["access-control-allow-methods"]
    other = moved.client.options("/prod/items", headers={**asking, "origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers
    assert len(moved.log) == before


def test_a_token_with_one_of_the_scopes_and_a_key_get_in(moved: Moved) -> None:
    item = {"name": "Lamp", "price": 3}
    path, both = "/prod/items", {**moved.token(), **moved.key()}
    assert moved.client.post(path, json=item, headers=both).status_code == 200
    assert moved.client.post(path, json=item, headers=moved.key()).status_code == 401
    assert moved.client.post(path, json=item, headers=moved.token()).status_code == 401
    lacking = moved.client.post(path, json=item, headers={**moved.token("shop/items.read"), **moved.key("partner")})
    assert lacking.status_code == 403


def test_what_aws_validated_is_validated(moved: Moved) -> None:
    """In the form that the gateway response gave it."""
    before = len(moved.log)
    answer = moved.client.post("/prod/items", json={"price": -1}, headers={**moved.token(), **moved.key("partner")})
    assert (answer.status_code, set(answer.json())) == (400, {"message", "request"})
    assert len(moved.log) == before


def test_a_key_is_asked_for(moved: Moved) -> None:
    assert moved.client.get("/prod/items/8").status_code == 401
    assert moved.client.get("/prod/items/8", headers={"x-api-key": "wrong"}).status_code == 401


def test_throttling_refuses_what_is_too_much(moved: Moved) -> None:
    """Half a request a second, three at once, for everybody together."""
    item, both = {"name": "Lamp"}, {**moved.token(), **moved.key()}
    answers = [moved.client.post("/prod/items", json=item, headers=both) for _ in range(8)]
    refused = [a for a in answers if a.status_code == 429]
    assert refused, [a.status_code for a in answers]
    assert "retry-after" in refused[0].headers
    assert moved.client.get("/prod/items").status_code == 200, "other methods have buckets of their own"


def test_a_usage_plan_is_its_keys_only(moved: Moved) -> None:
    """Two at once and three an hour for the one; twenty for the others."""
    answers = [moved.client.get(f"/prod/items/{n}", headers=moved.key("small")).status_code for n in range(20, 26)]
    assert (answers[0], answers[-1]) == (200, 429), answers
    assert moved.client.get("/prod/items/20", headers=moved.key("partner")).status_code == 200


def test_the_stage_s_cache_answers(moved: Moved) -> None:
    """Shared where nobody has to say who they are; by key elsewhere."""
    first, again = (moved.client.get("/prod/items", params={"limit": "cache"}) for _ in range(2))
    assert ("age" in first.headers, "age" in again.headers) == (False, True)
    before = len(moved.log)
    answers = [moved.client.get("/prod/items/9", headers=moved.key(who)) for who in ("mobile", "mobile", "partner")]
    assert ["age" in a.headers for a in answers] == [False, True, False]
    assert len(moved.log) - before == 2


def test_a_mock_answers_for_itself(moved: Moved) -> None:
    before = len(moved.log)
    assert moved.client.get("/prod/health").json() == {"status": "up"}
    assert len(moved.log) == before


def test_what_nothing_answers_is_closed(moved: Moved) -> None:
    """The Lambda function's operation is refused with the reason; paths that only a greedy route had are no paths."""
    before = len(moved.log)
    answer = moved.client.post("/prod/sum", headers={**moved.token(), **moved.key()})
    assert (answer.status_code, answer.json()["code"]) == (403, "policy-denied")
    assert answer.json()["detail"] == "the Lambda function sum answered it"
    assert moved.client.get("/prod/anything/else").status_code == 404
    assert len(moved.log) == before
