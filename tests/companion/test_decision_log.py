"""The decision log when something is in its way: a mask that fails, a queue that is full, a collector's limits."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from typing import Any, cast

import pytest

from sidecar import decision_log, log_sinks
from sidecar.decision_log import Asked, DecisionLog
from sidecar.log_sinks import Console, _packed
from xds.policy.decision import ABSENT, CONFLICT, Decision, decision_of, denial
from xds.policy.engine import Engine


class Kept:
    """A sink that keeps, or that never comes back."""

    def __init__(self, stuck: bool = False) -> None:
        self.events: list[dict[str, Any]] = []
        self.stuck = stuck

    async def write(self, lines: list[bytes]) -> int:
        if self.stuck:
            await asyncio.sleep(60)
        self.events += map(json.loads, lines)
        return 0

    async def close(self) -> None:
        """Nothing is held."""


class Rules:
    """An engine whose mask is given."""

    def __init__(self, value: Any) -> None:
        self.given = value

    async def value(self, service: str, rule: str, input: Any) -> Any:
        if isinstance(self.given, Exception):
            raise self.given
        return self.given


def asked(decision: Decision | None = None, **input: Any) -> Asked:
    made = decision or decision_of(True, "r1")
    return Asked("svc", "svc/authz/allow", lambda: input, made, None, None, time.time_ns(), 1)


async def told(rules: Any, *each: Asked, allowed: bool = True) -> list[dict[str, Any]]:
    sink = Kept()
    made = DecisionLog(lambda: cast(Engine, Rules(rules)), [sink], {}, allowed)
    made.masking = frozenset({"svc"})
    for one in each:
        made.add(one)
    await made.close()
    return sink.events


@pytest.mark.parametrize("rules", [ValueError("no"), [1], ["/labels/id"], {"a": 1}])
def test_a_mask_that_fails_lets_nothing_through(rules: Any) -> None:
    (event,) = asyncio.run(told(rules, asked(secret="s")))
    assert "s" not in json.dumps(event.get("input", "")) + json.dumps(event.get("result", ""))
    assert (event["erased"], "input" in event, "result" in event) == (["/input", "/result"], False, False)


def test_no_mask_and_an_empty_one() -> None:
    for rules in (ABSENT, []):
        (event,) = asyncio.run(told(rules, asked(a=1)))
        assert (event["input"], event["result"], "erased" in event) == ({"a": 1}, True, False)


def test_what_failed_has_an_error_and_no_result() -> None:
    (event,) = asyncio.run(told(ABSENT, asked(denial(CONFLICT, "two values", "r1"))))
    assert event["error"] == {"code": "eval_conflict_error", "message": "two values"}
    assert "result" not in event


def test_allowed_ones_can_be_left_out() -> None:
    events = asyncio.run(told(ABSENT, asked(), asked(decision_of(False, "r1")), allowed=False))
    assert [event["result"] for event in events] == [False]


def test_a_full_queue_drops_and_counts(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(decision_log, "WAITING", 8)
    monkeypatch.setattr(decision_log, "CLOSING_S", 0.05)

    async def run() -> int:
        made = DecisionLog(lambda: cast(Engine, Rules(ABSENT)), [Kept(stuck=True)], {})
        begun = time.process_time()
        for _ in range(100):
            made.add(asked())
        assert time.process_time() - begun < 0.1, "adding never waits"
        await made.close()
        return made.dropped

    assert asyncio.run(run()) >= 92
    assert "lost" in caplog.text


def test_uploads_are_of_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_sinks, "UPLOAD", 200)
    lines = [json.dumps({"n": n, "x": str(n * 7919)}).encode() for n in range(100)]
    count, body = _packed(lines)
    assert body is not None
    assert (0 < count < 100, len(body) <= 200) == (True, True)
    assert json.loads(gzip.decompress(body)) == [json.loads(line) for line in lines[:count]]
    import os

    assert _packed([json.dumps(os.urandom(400).hex()).encode()]) == (1, None)


def test_the_console_is_lines_of_json(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    asyncio.run(Console().write([b'{"a":1}', b'{"b":2}']))
    assert capfdbinary.readouterr().out == b'{"a":1}\n{"b":2}\n'
