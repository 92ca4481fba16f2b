"""What a companion takes of several replicas: never what is known to be older, and what one of them says where none is."""

from __future__ import annotations

import asyncio
import json
import time
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from sidecar.central import Central
from sidecar.offers import Offer, chosen
from sidecar.received import AGAIN_S, BEHIND_S, Received
from tests.waiting import soon
from xds.packs.archive import packed

A1, A2, B1, B2 = Offer("a", "r1", 1), Offer("a", "r2", 2), Offer("b", "r1", 1), Offer("b", "r2", 2)


@pytest.mark.parametrize(
    ("held", "offers", "expected"),
    [
        (Offer(), [], None),
        (Offer(), [Offer("a", ""), B1], B1),
        (Offer(), [A1, B2], B2),
        (A1, [A1, B2], B2),  # whoever has the newer
        (A2, [A2, B1], None),  # what is held is still there
        (A2, [B2], None),  # another's, and the same
        (A2, [B1], B1),  # all that there is, though older: it is for the caller to wait
        (A2, [Offer("a", "r1", 3), B2], Offer("a", "r1", 3)),  # back to an earlier content is a change as any
        (
            Offer("a", "r1"),
            [Offer("a", "r2"), Offer("b", "r1")],
            Offer("a", "r2"),
        ),  # folders: of the one that is followed
        (Offer("a", "r2"), [Offer("a", "r2"), Offer("b", "r1")], None),
        (Offer("a", "r2"), [Offer("b", "r1"), Offer("c", "r2")], Offer("b", "r1")),
    ],
)
def test_what_is_taken_next(held: Offer, offers: list[Offer], expected: Offer | None) -> None:
    assert chosen(held, offers) == expected


def received(folder: Path, revision: str, order: int) -> Received:
    """One that holds sources out of its folder."""
    content = b64encode(packed({"contracts/pets/v1.yaml": b"openapi: 3.0.3"})).decode()
    document: dict[str, Any] = {"env": None, "members": {}, "sources": content, "revision": revision, "order": order}
    (folder / "sources.json").write_text(json.dumps(document))
    made = Received(Central.at("127.0.0.1:1", None, "node", "pets"), folder)
    assert made._from_disk()
    return made


def test_older_sources_are_waited_out_also_after_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replica that is behind comes to where others were, or is all that there is: then it counts, after a minute."""
    clock = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    held = received(tmp_path, "r5", 5)
    behind = Offer("b", "r4", 4)
    assert held._next([behind]) is None
    clock[0] += BEHIND_S - 1
    assert held._next([behind]) is None
    assert held._next([Offer("b", "r6", 6)]) == Offer("b", "r6", 6)
    assert held._next([behind]) is None, "it was there: the minute begins anew"
    clock[0] += BEHIND_S + 1
    assert held._next([behind]) == behind


def test_what_has_no_order_is_taken_as_it_comes(tmp_path: Path) -> None:
    assert received(tmp_path, "r5", 0)._next([Offer("b", "r4")]) == Offer("b", "r4")
    assert received(tmp_path, "r5", 5)._next([Offer("b", "r4")]) == Offer("b", "r4"), "folders now, Kubernetes before"


def test_who_gets_no_sources_asks_less_and_less_often(tmp_path: Path) -> None:
    """A thousand companions that failed at once are not to come back at once, time and again."""
    asked: list[float] = []

    class Away(Central):
        def __init__(self) -> None:
            """Of nobody: no address is looked up, and no connection made."""

        async def offers(self) -> list[Offer]:
            asked.append(time.monotonic())
            raise ConnectionError("away")

    async def test() -> None:
        made = Received(Away(), tmp_path)
        task = asyncio.create_task(anext(made.changes()))
        await soon(lambda: len(asked) >= 4)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(test())
    assert asked[3] - asked[0] >= (AGAIN_S + 2 * AGAIN_S + 4 * AGAIN_S) / 2
