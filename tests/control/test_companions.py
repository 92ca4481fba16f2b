"""Companions over streams: what they are told and when, who is gone, and who is not let in. Real sockets, no proxy."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from sidecar.central import Central
from sidecar.lane import FIRST_S
from tests.projects import CONTRACT, SETTINGS, pets, write
from tests.waiting import soon
from xds import handshake
from xds.ads.identity import Identity
from xds.control.companions import SIGNS, Companions
from xds.control.follower import Follower
from xds.control.groups import ALIVE_S, EVERYTHING, companion_of
from xds.control.plane import ControlPlane
from xds.envoy import Profile
from xds.packs.archive import packed
from xds.source.packs import INDEX

PROFILE = Profile(("127.0.0.1", 1), ("127.0.0.1", 2))
NEWER = CONTRACT.replace("maximum: 100", "maximum: 50")


@asynccontextmanager
async def running(root: Path, **more: Any) -> AsyncIterator[ControlPlane]:
    plane = ControlPlane(root, PROFILE, ads="127.0.0.1:0", on_event=lambda event: None, **more)
    await plane.start()
    plane._tasks[0].cancel()  # what changes is compiled when a test says so
    try:
        yield plane
    finally:
        await plane.stop()


def held(plane: ControlPlane) -> dict[str, Any]:
    """The report of a companion that holds all that is wanted."""
    digests = {name: [digest] for name, digest in plane.publisher.wanted.digests.items()}
    return {"service": "", "digests": digests, "revisions": {}, "admin": "http://127.0.0.1:9", "problems": []}


async def send(central: Central, report: Mapping[str, Any]) -> Mapping[str, Any]:
    """As the companion does: again if no answer came in time, as from a machine that loads everything for the first time."""
    while True:
        try:
            return await central.send(report)
        except ConnectionError:
            await asyncio.sleep(0.1)


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 120))  # type: ignore[arg-type]


def test_a_companion_is_told_at_once_and_says_only_what_is_new(tmp_path: Path) -> None:
    root = write(tmp_path / "project", pets())

    async def test() -> None:
        async with running(root) as plane:
            central = Central.at(plane.address, None, "one")
            said = await send(central, held(plane))
            assert said["needed"] == held(plane)["digests"]
            assert said["wanted"] == plane.publisher.wanted.digests
            (known,) = plane.publisher.companions.values()
            assert (known.node, known.admin) == ("one", ""), "nobody asks a companion elsewhere"
            (lane,) = central._lanes.values()
            await soon(lambda: lane.said["sources"]["revision"])  # type: ignore[index]
            (offer,) = await central.offers()
            (root / "contracts/pets/v1.yaml").write_text(NEWER)
            await plane.refresh()
            await soon(lambda: lane.said["sources"]["revision"] != offer.revision)  # type: ignore[index]
            (newer,) = await central.offers()
            document = await central.sources(newer.target)
            assert document["revision"] == newer.revision
            (follower,) = plane.companions._all()
            before = follower.taken
            assert (await send(central, held(plane)))["wanted"] == plane.publisher.wanted.digests
            again = await send(central, held(plane))
            assert (follower.taken, set(again)) == (
                before + 1,
                {"taken", "every", "needed", "wanted", "withheld", "sources"},
            )
            await central.close()

    run(test)


def test_who_says_goodbye_is_gone_and_who_breaks_off_has_a_moment(tmp_path: Path) -> None:
    async def test() -> None:
        async with running(write(tmp_path / "project", pets())) as plane:
            polite, rude = (Central.at(plane.address, None, node) for node in ("polite", "rude"))
            for each in (polite, rude):
                await send(each, held(plane))
            assert [c.node for c in plane.publisher.living(EVERYTHING)] == ["polite", "rude"]
            await polite.close()
            await soon(lambda: [c.node for c in plane.publisher.living(EVERYTHING)] == ["rude"])
            await rude._shut([*rude._lanes])
            await soon(lambda: not [*plane.companions._all()])
            known = plane.publisher.companions["rude"]
            assert known.patience == ALIVE_S
            assert known.lives(known.seen + ALIVE_S - 0.1)
            assert not known.lives(known.seen + ALIVE_S)

    run(test)


def test_a_publication_waits_for_who_is_there_and_goes_on_without_who_left(tmp_path: Path) -> None:
    root = write(tmp_path / "project", pets())

    async def test() -> None:
        async with running(root) as plane:
            one, two = (Central.at(plane.address, None, node) for node in ("one", "two"))
            for each in (one, two):
                await send(each, held(plane))
            (root / "contracts/pets/v1.yaml").write_text(NEWER)
            await plane.refresh()
            wanted = plane.publisher.wanted.digests
            await send(one, held(plane))
            assert plane.publisher.groups[EVERYTHING].digests != wanted
            await two.close()
            await soon(lambda: plane.publisher.groups[EVERYTHING].digests == wanted)
            await one.close()

    run(test)


def test_signs_of_life_are_as_many_as_can_be_heard(tmp_path: Path) -> None:
    async def test() -> None:
        async with running(write(tmp_path / "project", pets())) as plane:
            desk = plane.companions
            lines = [desk.open({"node": f"n{n}", "service": ""}, None, "x") for n in range(5 * SIGNS)]
            assert desk.every() == 5
            lines[0].receive({"report": held(plane)})
            assert json.loads(await lines[0].news())["every"] == 5
            assert plane.publisher.companions["n0"].patience == handshake.MISSED * 5
            seen = plane.publisher.companions["n0"].seen
            lines[0].receive({})
            assert plane.publisher.companions["n0"].seen > seen
            for line in lines[SIGNS:]:
                line.close()
            assert desk.every() == handshake.EVERY_S
            lines[0].receive({})
            assert json.loads(await lines[0].news())["every"] == handshake.EVERY_S, "told with its next sign of life"

    run(test)


def test_who_is_told_to_say_something_more_often_does_so_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xds.control.companions.EVERY_S", 0.1)

    async def test() -> None:
        async with running(write(tmp_path / "project", pets())) as plane:
            desk, central = plane.companions, Central.at(plane.address, None, "one")
            desk._count += 1_000_000 * SIGNS
            await send(central, held(plane))
            (follower,) = desk._all()
            desk._count -= 1_000_000 * SIGNS
            follower.wake()
            (lane,) = central._lanes.values()
            await soon(lambda: lane.said["every"] == 1)  # type: ignore[index]
            told = plane.publisher.companions["one"].seen
            await soon(lambda: plane.publisher.companions["one"].seen > told)
            await central.close()

    run(test)


def test_who_is_refused_after_it_was_told_something_comes_less_and_less_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, opens = [], Companions.open

    def counted(*given: Any) -> Follower:
        opened.append(time.monotonic())
        return opens(*given)

    monkeypatch.setattr(Companions, "open", counted)

    async def test() -> None:
        async with running(write(tmp_path / "project", pets())) as plane:
            central = Central.at(plane.address, None, "one")
            with pytest.raises(ConnectionError):
                await central.send({"digests": {}, "revisions": []})
            await soon(lambda: len(opened) >= 4)
            pauses = 2 * FIRST_S, 4 * FIRST_S, 8 * FIRST_S
            assert opened[3] - opened[0] >= sum(pauses) / 2
            assert not plane.publisher.companions
            await central.close()

    run(test)


def test_who_comes_back_is_told_what_is_needed_by_now(tmp_path: Path) -> None:
    async def test() -> None:
        async with running(write(tmp_path / "project", pets())) as plane:
            line = plane.companions.open({"node": "n", "service": ""}, None, "x")
            line.receive({"report": held(plane)})
            assert b'"old"' not in plane.companions.body(EVERYTHING)
            line.close()
            plane.publisher.groups[EVERYTHING].in_use["pets/v1"] = ("old",)
            plane.companions.tell(EVERYTHING)
            line = plane.companions.open({"node": "n", "service": ""}, None, "x")
            assert json.loads(await line.news())["needed"] == {"pets/v1": ["old"]}
            line.close()

    run(test)


def test_an_old_line_says_nothing_of_a_companion_that_came_anew(tmp_path: Path) -> None:
    async def test() -> None:
        async with running(write(tmp_path / "project", pets())) as plane:
            old, new = (plane.companions.open({"node": "n", "service": ""}, None, "x") for _ in range(2))
            for line in (old, new):
                line.receive({"report": held(plane)})
            old.receive({"bye": True})
            old.close()
            assert plane.publisher.companions["n"] is new.companion
            assert plane.publisher.living(EVERYTHING)

    run(test)


def test_who_has_two_lines_lives_as_long_as_one_of_them(tmp_path: Path) -> None:
    """Names may lead to one replica by several addresses; the line that reported last may be the one that breaks."""

    async def test() -> None:
        async with running(write(tmp_path / "project", pets())) as plane:
            desk, known = plane.companions, plane.publisher.companions
            one, two, elsewhere = (desk.open({"node": n, "service": ""}, None, "x") for n in ("n", "n", "m"))
            for line in (one, two, elsewhere):
                line.receive({"report": held(plane)})
            assert known["n"] is two.companion
            two.close()
            assert known["n"] is one.companion
            assert two.companion is not None
            assert known["n"].digests == two.companion.digests
            seen = known["n"].seen
            one.receive({})
            assert known["n"].seen > seen, "its signs of life count now"
            one.receive({"bye": True})
            one.close()
            assert known.keys() == {"m"}

    run(test)


def test_a_line_that_says_nothing_any_more_is_no_sign_of_life(tmp_path: Path) -> None:
    async def test() -> None:
        async with running(write(tmp_path / "project", pets())) as plane:
            old, new = (plane.companions.open({"node": "n", "service": ""}, None, "x") for _ in range(2))
            for line in (old, new):
                line.receive({"report": held(plane)})
            old.heard -= ALIVE_S
            new.close()
            assert plane.publisher.companions["n"] is new.companion
            assert plane.publisher.companions["n"].patience == ALIVE_S

    run(test)


@pytest.mark.parametrize("sent", [b"no json", b"[]", b"{}", b'{"node": "n"}'])
def test_what_is_no_companion_is_told_so(tmp_path: Path, sent: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with (
            running(write(tmp_path / "project", pets())) as plane,
            grpc.aio.insecure_channel(plane.address) as over,
        ):
            call = over.stream_stream(f"/{handshake.SERVICE}/{handshake.FOLLOW}")()
            await call.write(sent)
            assert await call.code() == grpc.StatusCode.INVALID_ARGUMENT
            assert not [*plane.companions._all()]

    with caplog.at_level(logging.WARNING, "sidegate"):
        run(test)
    assert [r.exc_info is not None for r in caplog.records if "not understood" in r.message] == [True]


@pytest.mark.parametrize(
    "wrong",
    [
        {"revisions": {"pets": []}},
        {"revisions": []},
        {"digests": {"pets/v1": "abc"}},
        {"digests": {"pets/v1": [1]}},
        {"problems": "none"},
        {"seconds": float("nan")},
        {"seconds": "1"},
        {"seconds": True},
        {"seconds": -1},
    ],
)
def test_a_report_that_is_none_is_kept_nowhere(wrong: dict[str, Any]) -> None:
    """Over a stream nothing has looked at it before; `PUT /companions/{node}` is judged by its contract."""
    good = {"admin": "", "digests": {"pets/v1": ["a"]}, "revisions": {"pets": "r"}, "seconds": 0.5, "problems": ["x"]}
    known = companion_of("n", "pets", good)
    assert (known.digests, known.revisions, known.problems) == ({"pets/v1": ("a",)}, {"pets": "r"}, ("x",))
    with pytest.raises((ValueError, TypeError, AttributeError)):
        companion_of("n", "pets", {**good, **wrong})


def test_who_never_says_who_it_is_is_sent_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xds.ads.reports.FIRST_S", 0.1)

    async def test() -> None:
        async with (
            running(write(tmp_path / "project", pets())) as plane,
            grpc.aio.insecure_channel(plane.address) as over,
        ):
            call = over.stream_stream(f"/{handshake.SERVICE}/{handshake.FOLLOW}")()
            assert await call.code() == grpc.StatusCode.DEADLINE_EXCEEDED

    run(test)


def test_a_wrong_certificate_is_logged_once_a_peer_and_ends_lines(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    right, wrong = (Identity((f"spiffe://c/ns/shop/sa/{name}",)) for name in ("pets", "toys"))

    async def test() -> None:
        async with running(write(tmp_path / "project", pets())) as plane:
            line = plane.companions.open({"node": "n", "service": "pets"}, wrong, "ipv4:10.0.0.1:1")
            line.receive({"report": held(plane)})
            assert "pets/n" in plane.publisher.companions
            plane.admission.secured = object()
            await plane.companions.compiled()
            while True:
                try:
                    await line.news()
                except PermissionError:
                    break
            with pytest.raises(PermissionError):
                line.receive({})
            line.close()
            assert "pets/n" not in plane.publisher.companions, "nobody waits for it"
            plane.companions.open({"node": "n", "service": "pets"}, right, "ipv4:10.0.0.1:1").close()
            for port in range(9):
                with pytest.raises(PermissionError):
                    plane.companions.open({"node": "n", "service": "pets"}, wrong, f"ipv4:10.0.0.1:{port}")
            with pytest.raises(PermissionError):
                await plane.companions.hand("pets", wrong, "ipv4:10.0.0.2:1")

    with caplog.at_level(logging.WARNING, "sidegate"):
        run(test)
    assert [r.args[0] for r in caplog.records if "is refused" in r.message] == ["ipv4:10.0.0.1:0", "ipv4:10.0.0.2:1"]  # type: ignore[index]


def test_sources_have_the_order_of_kubernetes(tmp_path: Path) -> None:
    """The state in which a service's sources came to be what they are; others' changes are none of its own."""
    files, folder = {name: text.encode() for name, text in pets().items()}, tmp_path / "packs"
    own, shared = SETTINGS.splitlines()[:2], SETTINGS.splitlines()[2]
    files["sidegate.yaml"] = "\n".join(own).encode()
    toys = {"contracts/toys/v1.yaml": CONTRACT.replace("/pets/v1", "/toys/v1").encode()}
    folder.mkdir()

    def put(state: int, **packs: Mapping[str, bytes]) -> None:
        for name, content in packs.items():
            (folder / f"{name}.zip").write_bytes(packed(dict(sorted(content.items()))))
        index = {"packs": {}, "sources": [], "seen": {"shop": "7", "*": str(state)}}
        (folder / INDEX).write_text(json.dumps(index))

    async def test() -> None:
        put(100, pets=files)
        async with running(write(tmp_path / "project", {"sidegate.yaml": shared}), packs=[folder]) as plane:
            line = plane.companions.open({"node": "n", "service": "pets"}, None, "x")

            async def offered() -> dict[str, Any]:
                await plane.refresh()
                offer: dict[str, Any] = plane.companions.handouts.offer("pets")
                return offer

            first = await offered()
            assert plane.publisher.wanted.diagnostics == ()
            assert first["order"] == 100
            put(120, toys=toys)
            assert await offered() == first
            put(130, pets={**files, "contracts/pets/v1.yaml": NEWER.encode()})
            second = await offered()
            assert (second["order"], second["revision"] == first["revision"]) == (130, False)
            given = await plane.companions.hand("pets", None, "x")
            assert json.loads(given)["order"] == 130
            assert await plane.companions.hand("pets", None, "y") is given, "made once for all"
            line.close()

    run(test)
