"""`cache`: it comes and goes, operations with it are renamed and deleted, and no request fails of that."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from werkzeug import Request, Response

from tests.features.hop import Hop, contract, operation, serve
from tests.waiting import until

TURNS, CLIENTS = 20, 4
OFF = {"policy": "none", "reason": "the test's", "undeclared": "pass"}
SHARED = {"ttl": "60s", "shared": True}


def _answer(request: Request) -> Response:
    """Nothing of `/missed` is ever kept, and misses are under way for a while."""
    time.sleep(0.01)
    said = {} if request.path == "/hit" else {"cache-control": "no-store"}
    return Response("said", headers=said)


def _contract(turn: int) -> dict[str, Any]:
    """Every second turn one operation has a cache and another is there; a third has another name each turn."""
    cached = {**OFF, "cache": SHARED}
    closed: list[Any] = [{"bearer": []}]
    even = turn % 2 == 0
    paths: dict[str, Any] = {
        "/turn": {"get": operation(x_sidegate={**OFF, "headers": {"response": {"set": {"x-turn": str(turn)}}}})},
        "/missed": {"get": operation(operationId="missed", x_sidegate=cached if even else OFF)},
        "/hit": {"get": operation(operationId="hit", x_sidegate=cached if even else OFF)},
        "/named": {"get": operation(operationId=f"named{turn}", x_sidegate=OFF if turn % 4 == 3 else cached)},
        "/closed": {"get": operation(operationId=f"closed{turn}", security=closed, x_sidegate=cached)},
    }
    if turn in (0, 1) or turn % 3 == 0:  # at times nothing at all has a cache
        paths = {name: paths[name] for name in ("/turn", "/missed", "/hit")}
        paths |= {path: {"get": operation(x_sidegate=OFF)} for path in ("/named", "/closed")}
        paths["/closed"]["get"]["security"] = closed
    if even:
        paths["/there"] = {"get": operation(operationId="there", x_sidegate=cached)}
    return contract(paths)


@dataclass
class Load:
    """Clients that go round the same questions; `answers` counts what each was answered."""

    hop: Hop
    asks: list[tuple[str, dict[str, str]]]
    answers: Counter[tuple[str, bool, str]] = field(default_factory=Counter)
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Load:
        self._threads = [threading.Thread(target=self._client, args=(n,), daemon=True) for n in range(CLIENTS)]
        for thread in self._threads:
            thread.start()
        return self

    def went_round(self) -> Callable[[], bool]:
        """Whether as many more answers came as there are questions."""
        wanted = self.answers.total() + len(self.asks)
        return lambda: self.answers.total() >= wanted

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def _client(self, number: int) -> None:
        with httpx.Client(base_url=self.hop.gateway.url, trust_env=False, timeout=60) as client:
            for path, headers in itertools.islice(itertools.cycle(self.asks), number, None):
                if self._stop.is_set():
                    return
                try:
                    answer = client.get(path, headers=headers)
                    said = str(answer.status_code)
                except httpx.HTTPError as error:
                    said = type(error).__name__
                with self._lock:
                    self.answers[path, bool(headers), said] += 1


def _publish(hop: Hop, text: str) -> None:
    path = hop.folder / "contracts/svc/v1.yaml"
    scratch = path.with_name("v1.yaml.new~")
    scratch.write_text(text)
    scratch.replace(path)


def _turn(hop: Hop) -> str:
    return hop.client.get("/turn").headers.get("x-turn", "")


@pytest.mark.parametrize("turns", [4, pytest.param(TURNS, marks=pytest.mark.slow)])
def test_no_request_fails_while_caches_come_and_go(tmp_path: Path, turns: int) -> None:
    with serve(tmp_path, _contract(1), answer=_answer) as hop:
        token = {"authorization": f"Bearer {hop.issuer.token()}"}
        asks: list[tuple[str, dict[str, str]]] = [
            ("/missed", {}), ("/hit", {}), ("/named", {}), ("/there", {}), ("/closed", token), ("/closed", {}),
        ]  # fmt: skip
        with Load(hop, asks) as load:
            for turn in range(2, turns + 2):
                _publish(hop, yaml.safe_dump(_contract(turn)))
                until(lambda turn=turn: _turn(hop) == str(turn), lambda: _said(hop))
                until(load.went_round())
        assert not {key: count for key, count in load.answers.items() if key[2] not in _right(*key[:2])}
        seen = {(path, said) for path, _, said in load.answers}
        assert {("/there", "200"), ("/there", "404"), ("/closed", "401"), ("/closed", "200")} <= seen


def test_what_the_proxy_refuses_of_a_cache_is_nobody_else_s(tmp_path: Path) -> None:
    """The routes of misses are refused whole: what had a cache goes on as it was, and what has none changes."""
    said = {"header": {"key": "x-p", "value": "%NO_SUCH_THING(%"}}
    patch = {"name": "wrong", "resource": "route", "match": "svc/v1/bad", "merge": {"request_headers_to_add": [said]}}
    settings = {"patches": [{**patch, "accept": "the test's"}]}
    cached = {**OFF, "cache": SHARED}
    with serve(tmp_path, _refused("0", {"hit": cached, "missed": cached}), settings=settings, answer=_answer) as hop:
        until(lambda: "age" in hop.client.get("/hit").headers)
        _publish(hop, yaml.safe_dump(_refused("1", {"hit": cached, "missed": cached, "bad": cached})))
        until(lambda: _turn(hop) == "1", lambda: _said(hop))
        assert hop.client.get("/hit").status_code == hop.client.get("/missed").status_code == 200
        until(lambda: hop.client.get("/bad").status_code == 500)
        _publish(hop, yaml.safe_dump(_refused("2", {"hit": cached, "missed": cached})))
        until(lambda: _turn(hop) == "2", lambda: _said(hop))
        assert hop.client.get("/missed").status_code == 200


def _refused(turn: str, cached: dict[str, Any]) -> dict[str, Any]:
    turned = {"/turn": {"get": operation(x_sidegate={**OFF, "headers": {"response": {"set": {"x-turn": turn}}}})}}
    return contract(
        turned | {f"/{name}": {"get": operation(operationId=name, x_sidegate=own)} for name, own in cached.items()}
    )


def _right(path: str, named: bool) -> set[str]:
    if path == "/there":
        return {"200", "404"}
    return {"401"} if path == "/closed" and not named else {"200"}


def _said(hop: Hop) -> str:
    """What the gateway printed, but for the requests."""
    return "\n".join([line for line in hop.gateway.output.splitlines() if " /" not in line][-40:])
