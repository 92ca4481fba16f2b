"""A limit whose number changes while requests come: none is refused for it, none goes by uncounted."""

from __future__ import annotations

import threading
from collections import Counter
from functools import partial
from pathlib import Path

import yaml

from tests.features.hop import contract, operation, serve
from tests.waiting import until


def _limited(number: int) -> dict[str, object]:
    busy = {"name": "busy", "by": [], "limit": number, "per": "second"}
    return contract({"/busy": {"get": operation(x_sidegate={"rateLimits": [busy]})}})


def _often(seen: Counter[tuple[int, str]], answer: tuple[int, str]) -> bool:
    return seen[answer] > 20


def test_in_between_filters_know_both(tmp_path: Path) -> None:
    """Filters come before routes, and know the quotas of the routes before."""
    with serve(tmp_path, _limited(100_000)) as hop:
        seen: Counter[tuple[int, str]] = Counter()
        done = threading.Event()

        def ask() -> None:
            while not done.is_set():
                answer = hop.client.get("/busy")
                seen[answer.status_code, answer.headers.get("ratelimit-policy", "uncounted")] += 1

        asking = [threading.Thread(target=ask) for _ in range(2)]
        for each in asking:
            each.start()
        try:
            for number in range(100_001, 100_006):
                (hop.folder / "contracts/svc/v1.yaml").write_text(yaml.safe_dump(_limited(number)))
                wanted = 200, f'"busy";q={number};w=1'
                until(partial(_often, seen, wanted))
        finally:
            done.set()
            for each in asking:
                each.join()
    assert {status for status, _ in seen} == {200}, seen
    assert "uncounted" not in {policy for _, policy in seen}
