"""What `make up` runs: this repository's own contracts, policies and example services; every line that it prints to paste."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.gateway import Gateway
from tests.e2e.shop import wait
from tests.waiting import PATIENCE_S
from xds.up.ports import free_port

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """The repository's project on a free port."""
    folder = tmp_path_factory.mktemp("make-up") / "project"
    for name in ("contracts", "policies", "examples"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    settings = (ROOT / "sidegate.yaml").read_text().replace("9001", str(free_port()))
    (folder / "sidegate.yaml").write_text(settings)
    with Gateway(folder) as running:
        assert wait(lambda: "Ctrl-C stops everything" in running.output), running.output
        yield running


def _lines(output: str) -> list[tuple[str, str]]:
    """(comment, curl line) of each request to paste."""
    return re.findall(r"^# (.+)\n(curl .+)$", output, re.MULTILINE)


def test_the_lines_work_as_pasted(gateway: Gateway) -> None:
    """An allowed request, a refused parameter and body, a denial with its reason, a missing token, a 404 and a 405."""
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("no curl")
    lines = _lines(gateway.output)
    assert len(lines) == 7, gateway.output
    seen = []
    for comment, line in lines:
        words = [curl, "-s", *shlex.split(line)[1:]]
        answer = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE_S, check=False).stdout
        status, words_of_it = re.search(r"expect (\d+) ?(.*)", comment).groups()  # type: ignore[union-attr]
        assert answer.splitlines()[0].split()[1] == status, f"{comment}\n{line}\n{answer}"
        seen.append(status)
        if status in ("400", "403") and "violations" not in words_of_it:
            assert words_of_it in answer, f"{comment}\n{answer}"
    assert seen == ["200", "400", "400", "403", "401", "404", "405"]


def test_the_table_lists_every_operation(gateway: Gateway) -> None:
    """Authentication, policy and placement of checks, a line an operation of catalog v1, v2 and orders v1."""
    for service, version in (("catalog", "v1"), ("catalog", "v2"), ("orders", "v1")):
        rows = gateway.manage(f"/services/{service}/{version}/operations").json
        assert rows
        for row in rows:
            line = rf"^ +{service} +{version} +{row['method']} {re.escape(row['path'])} +\S+.*native: route"
            assert re.search(line, gateway.output, re.MULTILINE), row


@pytest.mark.parametrize(("method", "path", "body", "status"), [
    ("GET", "/catalog/v1/items", None, 200), ("GET", "/catalog/v2/items", None, 200), ("GET", "/catalog/v1/me", None, 200),
    ("GET", "/catalog/v1/public/welcome", None, {200, 404}), ("GET", "/orders/v1/orders", None, 200),
    ("POST", "/catalog/v1/items", {"name": "Lamp", "price": 12.5}, {201, 403}),
])  # fmt: skip
def test_the_example_services_answer(gateway: Gateway, method: str, path: str, body: Any, status: Any) -> None:
    """Built from the same contracts that the gateway enforces."""
    token = re.search(r"Bearer ([\w.-]+)", gateway.output)
    assert token
    headers = {"authorization": f"Bearer {token[1]}"}
    answer = httpx.request(method, gateway.url + path, json=body, headers=headers, trust_env=False)
    assert answer.status_code in (status if isinstance(status, set) else {status}), answer.text
