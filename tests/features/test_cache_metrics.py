"""`cache`: what it answered and what it did not is counted by operation; and what Envoy's filter asks the service for anew."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug import Request, Response

from tests.features.hop import Hop, contract, operation, serve
from tests.features.test_cache import kept
from tests.features.test_observability import _metrics
from tests.waiting import until
from xds.cli import main
from xds.metrics import CACHED

SHARED = {"ttl": "1h", "shared": True}
_down = threading.Event()
DATE = "Mon, 01 Jan 2024 00:00:00 GMT"


def _answer(request: Request) -> Response:
    """Answers have a tag and a date, and the service knows both."""
    said = {"etag": '"a"', "last-modified": DATE, "cache-control": request.headers.get("x-say", "max-age=3600")}
    if request.headers.get("if-none-match") == '"a"' or request.headers.get("if-modified-since") == DATE:
        return Response("", 304, said)
    return Response("said", 503 if _down.is_set() else 200, said)


@pytest.fixture(scope="module")
def hop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hop]:
    sent = [{"name": "x-say", "in": "header", "schema": {"type": "string"}}]
    bearer: list[Any] = [{"bearer": []}]
    paths = {
        f"/{name}": {"get": operation(operationId=name, parameters=sent, x_sidegate={"cache": SHARED}, **more)}
        for name, more in {"hit": {}, "unkept": {}, "failed": {}, "tagged": {}, "closed": {"security": bearer}}.items()
    }
    paths["/bare"] = {"get": operation(operationId="bare")}
    with serve(tmp_path_factory.mktemp("counted"), contract(paths), answer=_answer) as running:
        yield running


def _counted(hop: Hop, name: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for sample in (s for family in _metrics(hop).values() for s in family.samples if s.name == CACHED.exported):
        if sample.labels["operation"] == name:
            assert (sample.labels["service"], sample.labels["version"]) == ("svc", "v1")
            found[sample.labels["cache"]] = found.get(sample.labels["cache"], 0) + sample.value
    return found


def test_hits_and_misses_are_counted_by_operation(hop: Hop) -> None:
    kept(hop, "/hit")
    for _ in range(3):
        assert "age" in hop.client.get("/hit").headers
    asked, reached = 0, [request.path for request in hop.reached()].count("/hit")
    until(lambda: _counted(hop, "hit").get("miss") == reached, lambda: _counted(hop, "hit"))
    assert _counted(hop, "hit")["hit"] >= 4
    for path in ("/unkept", "/unkept", "/unkept"):
        asked += hop.client.get(path, headers={"x-say": "no-store"}).status_code == 200
    until(lambda: _counted(hop, "unkept") == {"miss": asked}, lambda: _counted(hop, "unkept"))


def test_who_does_not_come_as_far_is_not_counted(hop: Hop) -> None:
    assert hop.client.get("/closed").status_code == 401
    assert hop.client.get("/bare").status_code == 200
    kept(hop, "/closed", {"authorization": f"Bearer {hop.issuer.token()}"})
    until(lambda: _counted(hop, "closed").get("hit", 0) >= 1)
    reached = [request.path for request in hop.reached()].count("/closed")
    until(lambda: _counted(hop, "closed").get("miss") == reached, lambda: _counted(hop, "closed"))
    assert _counted(hop, "bare") == {}


def test_the_dashboard_asks_for_what_is_exported(hop: Hop, tmp_path: Path) -> None:
    kept(hop, "/hit")
    until(lambda: _counted(hop, "hit").get("hit", 0) >= 1)
    assert main(["dashboards", str(hop.folder), "--out", str(tmp_path)]) == 0
    board = json.loads((tmp_path / "grafana/sidegate.json").read_text())
    asked = [t["expr"] for panel in board["panels"] for t in panel["targets"] if CACHED.exported in t["expr"]]
    assert asked
    labels = set(CACHED.labels) | {"le"}
    for expression in asked:
        assert set(re.findall(r'(\w+)=~?"', expression)) <= labels
        assert set(re.findall(r"by \(([^)]*)\)", expression)[0].split(", ")) <= labels


def test_what_failed_is_kept_no_later_than_the_second_good_answer(hop: Hop) -> None:
    """Envoy (1.40) remembers that an answer could not be kept: the next good one goes by, and takes that back."""
    _down.set()
    try:
        assert hop.client.get("/failed").status_code == 503
    finally:
        _down.clear()
    first = hop.client.get("/failed")
    assert (first.status_code, "age" in first.headers) == (200, False)
    kept(hop, "/failed")


@pytest.mark.parametrize(
    ("conditions", "status"),
    [
        ({"if-none-match": '"a"'}, 304),
        ({"if-none-match": '"b"'}, 200),
        ({"if-modified-since": DATE}, 304),
        ({"range": "bytes=0-0", "if-range": '"a"'}, 200),
    ],
)
def test_the_service_answers_conditions_itself(hop: Hop, conditions: dict[str, str], status: int) -> None:
    """Envoy's filter (1.40) leaves them alone: correct, and nothing saved. What is kept stays."""
    kept(hop, "/tagged")
    before = len(hop.server.log)
    answer = hop.client.get("/tagged", headers=conditions)
    assert (answer.status_code, answer.headers["etag"]) == (status, '"a"')
    assert "age" not in answer.headers
    assert len(hop.server.log) == before + 1
    assert "age" in hop.client.get("/tagged").headers
