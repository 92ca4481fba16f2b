"""The embedded engine's processes: deadlines, crashes, loading whole or not at all, and their end."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.waiting import PATIENCE_S, soon, until
from xds.policy.bundle import Bundle, load_bundle
from xds.policy.embedded import EmbeddedEngine
from xds.policy.pool import Answer, Worker

POLICY = """package catalog.authz
default allow := false
allow if input.ok
slow if { xs := numbers.range(1, 10000); some a in xs; some b in xs; a * b == -1 }
quoted if contains(input.text, "x")
"""


def _bundle(text: str = POLICY, service: str = "catalog") -> Bundle:
    bundle, said = load_bundle(service, {f"policies/{service}/authz.rego": text.encode()})
    assert bundle is not None, said
    return bundle


def _run(
    body: Callable[[EmbeddedEngine], Awaitable[None]], workers: int = 2, deadline: float = 1.5, queue: int = 64
) -> None:
    async def main() -> None:
        engine = EmbeddedEngine(workers, deadline, queue=queue)
        try:
            await engine.load({"catalog": _bundle()})
            await body(engine)
        finally:
            await engine.close()

    asyncio.run(main())


def test_without_policies_nothing_is_missing() -> None:
    async def main() -> None:
        engine = EmbeddedEngine(1)
        assert await engine.problems() == ()  # all services of a project may say `policy: none`
        assert (await engine.decide("catalog", None, {})).code == "policy-unbound"
        await engine.close()

    asyncio.run(main())


def test_a_slow_policy_is_killed_and_others_are_not() -> None:
    async def body(engine: EmbeddedEngine) -> None:
        slow = asyncio.create_task(engine.decide("catalog", "catalog/authz/slow", {}))
        others = [await engine.decide("catalog", None, {"ok": True}) for _ in range(50)]
        decision = await slow
        assert decision.code == "policy-timeout"
        assert decision.rule is not None
        assert all(d.allowed for d in others)
        assert (await engine.decide("catalog", None, {"ok": True})).allowed

    _run(body)


def test_requests_behind_a_slow_one_live_to_be_decided() -> None:
    async def body(engine: EmbeddedEngine) -> None:
        slow = asyncio.create_task(engine.decide("catalog", "catalog/authz/slow", {}))
        await asyncio.sleep(0)
        behind = await asyncio.gather(*(engine.decide("catalog", None, {"ok": True}) for _ in range(20)))
        assert all(d.allowed for d in behind)
        assert (await slow).code == "policy-timeout"

    _run(body, workers=1)


def test_a_full_queue_refuses_at_once() -> None:
    async def body(engine: EmbeddedEngine) -> None:
        begun = time.monotonic()
        flood = [asyncio.create_task(engine.decide("catalog", "catalog/authz/slow", {})) for _ in range(40)]
        await asyncio.sleep(0)
        assert (await engine.decide("catalog", None, {"ok": True})).code == "policy-unavailable"
        assert time.monotonic() - begun < 1.5
        assert {(await d).code for d in flood} <= {"policy-timeout", "policy-unavailable"}

    _run(body, workers=1, queue=4)


def test_a_crash_denies_and_is_replaced() -> None:
    async def body(engine: EmbeddedEngine) -> None:
        slow = asyncio.create_task(engine.decide("catalog", "catalog/authz/slow", {}))
        await asyncio.sleep(0.05)
        assert engine._pool is not None
        for worker in engine._pool.workers:
            os.kill(worker.process.pid, signal.SIGKILL)
        assert (await slow).code == "policy-unavailable"
        end = time.monotonic() + PATIENCE_S
        while not (await engine.decide("catalog", None, {"ok": True})).allowed:
            assert time.monotonic() < end

    _run(body, deadline=5.0)


def test_a_request_that_is_given_up_frees_its_worker() -> None:
    async def body(engine: EmbeddedEngine) -> None:
        for _ in range(100):
            task = asyncio.create_task(engine.decide("catalog", None, {"ok": True}))
            await asyncio.sleep(0)
            task.cancel()
        assert (await engine.decide("catalog", None, {"ok": True})).allowed
        assert engine._pool is not None
        assert not engine._pool.waiting
        pool = engine._pool
        await soon(lambda: not pool.tasks)
        assert len(pool.idle) == 2

    _run(body)


# One that does not parse, and one that parses and does not compile.
BROKEN = ["package a\nx := {", "package catalog.authz\nallow if { not f({}).b; _ = b }\nf(x) := x"]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("program", BROKEN)
def test_a_refused_bundle_holds_up_no_other_service(program: str, workers: int) -> None:
    async def body(engine: EmbeddedEngine) -> None:
        never = _bundle(POLICY.replace("input.ok", "input.never"))
        broken = replace(_bundle(), service="orders", revision="0" * 16, programs={"a.rego": program})
        for bundles in ({"orders": broken, "catalog": never}, {"catalog": _bundle(), "orders": broken}):
            problems = await engine.load(bundles)
            assert list(problems) == ["orders"]
            assert problems["orders"]
            assert "0x" not in problems["orders"]
            assert engine.revisions == {"catalog": bundles["catalog"].revision}
            allowed = bundles["catalog"] is not never
            assert (await engine.decide("catalog", None, {"ok": True})).allowed == allowed
            assert (await engine.decide("orders", None, {})).code == "policy-unbound"

    _run(body, workers=workers)


def test_a_refused_bundle_leaves_its_service_the_one_before() -> None:
    async def body(engine: EmbeddedEngine) -> None:
        broken = replace(_bundle(), revision="0" * 16, programs={"a.rego": BROKEN[1]})
        orders = _bundle("package orders.authz\ndefault allow := false\nallow if input.ok\n", "orders")
        assert list(await engine.load({"catalog": broken, "orders": orders})) == ["catalog"]
        assert engine.revisions == {"catalog": _bundle().revision, "orders": orders.revision}
        for service in ("catalog", "orders"):
            assert (await engine.decide(service, None, {"ok": True})).allowed
            assert (await engine.decide(service, None, {"ok": False})).code == "policy-denied"
        assert await engine.load({"orders": orders}) == {}
        assert (await engine.decide("catalog", None, {"ok": True})).code == "policy-unbound"

    _run(body)


def test_a_swap_under_load_names_one_revision_each() -> None:
    async def body(engine: EmbeddedEngine) -> None:
        old, new = _bundle(), _bundle(POLICY.replace("input.ok", "input.fine"))
        seen: list[tuple[str, str | None]] = []
        done = asyncio.Event()

        async def ask() -> None:
            while not done.is_set():
                decision = await engine.decide("catalog", None, {"ok": True})
                seen.append((decision.revision, decision.code if decision.code != "policy-error" else decision.reason))

        asking = [asyncio.create_task(ask()) for _ in range(4)]
        await asyncio.sleep(0.1)
        await engine.load({"catalog": new})
        await asyncio.sleep(0.1)
        done.set()
        await asyncio.gather(*asking)
        assert set(seen) == {(old.revision, None), (new.revision, "policy-denied")}
        assert engine.revisions == {"catalog": new.revision}

    _run(body)


def test_new_policies_go_to_one_process_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that compiles answers nothing: were all given new policies at once, requests would wait and be refused."""
    away: set[asyncio.Future[Answer]] = set()
    most = 0
    ask = Worker.ask

    def counted(worker: Worker, request: bytes) -> asyncio.Future[Answer]:
        nonlocal most
        answer = ask(worker, request)
        if request[4:5] == b"P":
            away.add(answer)
            answer.add_done_callback(away.discard)
            most = max(most, len(away))
        return answer

    async def body(engine: EmbeddedEngine) -> None:
        monkeypatch.setattr(Worker, "ask", counted)
        over = asyncio.Event()

        async def client(number: int) -> None:
            for n in itertools.count():
                assert (await engine.decide("catalog", None, {"ok": True, "n": [number, n]})).allowed
                if over.is_set():
                    return

        for clients in (0, 8):
            over.clear()
            tasks = [asyncio.create_task(client(number)) for number in range(clients)]
            await asyncio.sleep(0)
            refused = await engine.load({"catalog": _bundle(POLICY + f"rule{clients} if input.rule\n")})
            over.set()
            await asyncio.gather(*tasks)
            assert not refused
        assert most == 1

    _run(body, deadline=30)


def test_what_the_engine_cannot_judge_is_refused() -> None:
    async def body(engine: EmbeddedEngine) -> None:
        rule = "catalog/authz/quoted"
        assert (await engine.decide("catalog", rule, {"text": "axb"})).allowed
        assert (await engine.decide("catalog", rule, {"text": 'a"xb'})).code == "policy-error"
        assert (await engine.decide("catalog", None, {"ok": "\ud800"})).code == "policy-error"
        assert (await engine.decide("catalog", None, {"ok": float("nan")})).code == "policy-error"
        assert (await engine.decide("catalog", "catalog/authz/none", {})).code == "policy-unbound"
        assert (await engine.decide("nobody", None, {})).code == "policy-unbound"

    _run(body)


def test_a_large_input_is_carried_whole() -> None:
    async def body(engine: EmbeddedEngine) -> None:
        document = {"pad": ["x" * 1000] * 4000, "ok": True}
        assert (await engine.decide("catalog", None, document)).allowed

    _run(body, deadline=20.0)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_workers_die_with_their_parent(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        "import asyncio, sys\n"
        "from tests.policy.test_embedded import EmbeddedEngine, _bundle\n"
        "async def main():\n"
        "    engine = EmbeddedEngine(1, 60)\n"
        "    await engine.load({'catalog': _bundle()})\n"
        "    print(*(w.process.pid for w in engine._pool.workers), flush=True)\n"
        "    await engine.decide('catalog', 'catalog/authz/slow', {})\n"
        "asyncio.run(main())\n"
    )
    root = Path(__file__).parents[2]
    parent = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(root)}
    )
    assert parent.stdout is not None
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(pids) == 2
    time.sleep(0.3)  # the policy runs by now, and its worker reads no socket
    parent.kill()
    parent.wait()
    until(lambda: not any(map(_alive, pids)), lambda: "a worker outlived its parent")


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


CLOCK = """package catalog.authz
default allow := false
allow if { input.ok; time.now_ns() > 0 }
"""


@pytest.mark.parametrize(("text", "asked"), [(POLICY, 3), (CLOCK, 6)])
def test_only_what_cannot_change_is_remembered(text: str, asked: int) -> None:
    """Equal input is asked once; another input, another revision, and a policy that looks at the clock are asked."""

    async def body(engine: EmbeddedEngine) -> None:
        await engine.load({"catalog": _bundle(text)})
        for _ in range(3):
            assert (await engine.decide("catalog", None, {"ok": True})).allowed
        assert (await engine.decide("catalog", None, {"ok": False})).code == "policy-denied"
        await engine.load({"catalog": _bundle(text.replace("input.ok", "input.fine"))})
        for _ in range(2):
            assert (await engine.decide("catalog", None, {"ok": True})).code == "policy-denied"
        assert engine._pool is not None
        assert sum(worker.decisions for worker in engine._pool.workers) == asked

    _run(body, workers=1)


def test_trouble_is_not_remembered() -> None:
    async def body(engine: EmbeddedEngine) -> None:
        assert (await engine.decide("catalog", "catalog/authz/slow", {})).code == "policy-timeout"
        assert not engine._loaded["catalog"].answers

    _run(body, workers=1, deadline=0.2)
