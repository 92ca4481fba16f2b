"""Examples of versions that share paths: the requests that they make mean the version whose examples they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_sidegate.cases import cases
from pytest_sidegate.contract_case import Other
from pytest_sidegate.named import named, unnamed
from pytest_sidegate.verdicts import Verdicts
from pytest_sidegate.wire import Written
from xds.cli import main
from xds.contract.shown import shown
from xds.native.versions import Choice, Kind, choice_of

SELECTORS = {
    "header": {"header": "Api-Version"},
    "query": {"query": "v"},
    "media": {"mediaType": "application/vnd.shop.{version}+json"},
    "parameter": {"mediaType": "*/*;version={version}"},
}
IDENTIFIER = {"in": "path", "name": "id", "required": True, "schema": {"type": "integer"}, "example": 7}
PAGE = {"in": "query", "name": "page", "schema": {"type": "integer"}, "example": 2}


def _project(folder: Path, selector: dict[str, str]) -> Path:
    operation = {"operationId": "item", "parameters": [IDENTIFIER, PAGE], "responses": {"200": {"description": "ok"}}}
    files: dict[str, Any] = {"sidegate.yaml": {"services": {"shop": {"upstream": "http://127.0.0.1:9"}}}}
    for value in ("1", "2"):
        version = {**selector, "value": value, "default": value == "1"}
        files[f"contracts/shop/v{value}.yaml"] = {
            "openapi": "3.1.0",
            "info": {"title": "shop", "version": value},
            "servers": [{"url": "/shop"}],
            "security": [],
            "x-sidegate": {"policy": "none", "reason": "a test", "version": version},
            "paths": {"/items/{id}": {"get": operation}},
        }
        files[f"contracts/shop/v{value}_test.yaml"] = {"tests": [{"operation": "item", "expect": 200}]}
    for name, value in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(value))
    return folder


@pytest.mark.parametrize("selector", SELECTORS.values(), ids=SELECTORS)
def test_examples_mean_their_own_version(
    tmp_path: Path, selector: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    root = _project(tmp_path, selector)
    assert main(["test", str(root)]) == 0, capsys.readouterr().out
    with Verdicts.of(root) as verdicts:
        first, second = verdicts.compilation.gateway.services[0].versions
        for version in (first, second):
            files = {name: (root / name).read_bytes() for name in version.files}
            (case,) = cases(version, shown(files, version.place.file))
            assert _meant(verdicts, case.request) == version.name
            for other in (first, second):
                sent = Other(other, "/shop", "/shop", choice_of(version), choice_of(other)).request(case.request)
                assert _meant(verdicts, sent) == other.name
                assert sent.path.startswith("/shop/items/7?page=2")


def _meant(verdicts: Verdicts, request: Written) -> str:
    verdict = verdicts.judge(request.method, request.path, request.headers, request.body)
    assert verdict.allowed
    assert verdict.version is not None
    return verdict.version.name


def test_what_stood_there_is_replaced() -> None:
    query, header = Choice(Kind.QUERY, "v", "2"), Choice(Kind.HEADER, "api-version", "2")
    assert named(Written("GET", "/a?v=1&b=1"), query).path == "/a?b=1&v=2"
    assert unnamed(Written("GET", "/a?v=1"), query).path == "/a"
    assert named(Written("GET", "/a", (("Api-Version", "1"), ("b", "c"))), header).headers == (
        ("b", "c"),
        ("api-version", "2"),
    )
    assert named(Written("GET", "/a"), None) == unnamed(Written("GET", "/a"), None) == Written("GET", "/a")


@pytest.mark.parametrize("given", ["1", "2"])
def test_the_table_has_the_last_word(tmp_path: Path, given: str, capsys: pytest.CaptureFixture[str]) -> None:
    root = _project(tmp_path, SELECTORS["header"])
    rows = [{"operation": "item", "headers": {"API-Version": given}, "expect": 200}]
    (root / "contracts/shop/v2_test.yaml").write_text(json.dumps({"tests": rows}))
    assert main(["test", str(root)]) == (0 if given == "2" else 1), capsys.readouterr().out
