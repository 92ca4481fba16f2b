"""The server's socket: many streams, silent ones, hostile ones, and those that come back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from tests.ads.serving import serving
from tests.streams.transcript import snapshots
from tests.waiting import PATIENCE_S, soon
from xds.ads.events import Connected, Disconnected, Event
from xds.ads.server import SERVICE, AdsServer, EmptySnapshot
from xds.ads.session import Pace
from xds.snapshot import Resource, Snapshot
from xds.snapshot.types import CLUSTER, LIMITS, LISTENER, ROUTES
from xds.snapshot.wire import element, field, fields

ONE, TWO = snapshots(
    {
        "one": {"cds": ["a=1"], "lds": ["edge=1 -> rds/r"], "rds": ["r=1 -> a"]},
        "two": {"cds": ["a=2", "b=1"], "lds": ["edge=1 -> rds/r"], "rds": ["r=2 -> a b"]},
    }
).values()


class Wire:
    """One raw delta stream."""

    def __init__(self, call: Any, name: str) -> None:
        self.call, self.name = call, name

    async def send(self, url: str, *more: bytes, node: str = "") -> None:
        await self.call.write(field(1, field(1, node or self.name) + field(2, "g")) + field(2, url) + b"".join(more))

    async def read(self) -> dict[int, Any]:
        data = await asyncio.wait_for(self.call.read(), PATIENCE_S)
        assert data is not grpc.aio.EOF, await self.call.details()
        out: dict[int, Any] = {}
        for number, _, value in fields(data):
            out[number] = [*out.get(number, ()), value] if number in (2, 6) else value.decode()
        return out

    async def follow(self, *wanted: tuple[str, str]) -> None:
        """Asks for types (and a name) and accepts what comes, until cancelled."""
        for url, name in wanted:
            await self.send(url, field(3, name))
        async for data in self.call:
            values = {n: v for n, _, v in fields(data) if n in (4, 5)}
            await self.call.write(field(2, values[4]) + field(6, values[5]))


@asynccontextmanager
async def server(address: str = "127.0.0.1:0", **options: Any) -> AsyncIterator[tuple[AdsServer, str, list[Event]]]:
    events: list[Event] = []
    ads = AdsServer(lambda node: node.cluster, events.append, **options)
    where = await ads.start(address)
    try:
        yield ads, where, events
    finally:
        await ads.stop(0)


@asynccontextmanager
async def stream(address: str, name: str = "n", method: str = "DeltaAggregatedResources") -> AsyncIterator[Wire]:
    async with grpc.aio.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        call = channel.stream_stream(f"/{SERVICE}/{method}")()
        yield Wire(call, name)
        call.cancel()


def test_an_empty_snapshot_is_refused_and_changes_nothing() -> None:
    async def run() -> None:
        async with server() as (ads, _, _):
            ads.publish("g", ONE)
            for empty in (Snapshot({}), Snapshot({CLUSTER: {}, LISTENER: {}}), Snapshot({LISTENER: ONE.of(LISTENER)})):
                with pytest.raises(EmptySnapshot):
                    ads.publish("g", empty)
            assert ads.snapshot("g") is ONE

    asyncio.run(run())


def test_a_node_of_an_unknown_group_gets_nothing_and_is_reported() -> None:
    async def run() -> None:
        async with server() as (ads, address, events), stream(address) as wire:
            ads.publish("other", ONE)
            await wire.send(CLUSTER)
            await soon(lambda: events)
            assert isinstance(events[0], Connected)
            assert (events[0].group, events[0].served) == ("g", False)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(wire.call.read(), 0.3)
            assert await ads.live("g", 0) == ("nothing was published for group 'g'",)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ([b"\xff\xff\xff"], "INVALID_ARGUMENT"),
        ([field(2, CLUSTER)], "INVALID_ARGUMENT"),
        ([field(1, field(1, "n")) + field(2, "")], "INVALID_ARGUMENT"),
        (
            [field(1, field(1, "n")) + field(2, CLUSTER), field(1, field(1, "m")) + field(2, CLUSTER)],
            "INVALID_ARGUMENT",
        ),
        (
            [field(1, field(1, "n")) + field(2, "t") + b"".join(field(3, f"{i}") for i in range(100_001))],
            "RESOURCE_EXHAUSTED",
        ),
        ([field(1, field(1, "n")) + field(2, f"t{i}") for i in range(40)], "RESOURCE_EXHAUSTED"),
        ([b"\x0a\xff\xff\xff\xff\x0f"], "INVALID_ARGUMENT"),
    ],
    ids=["noise", "no-node", "no-type", "another-node", "names", "types", "length"],
)
def test_a_stream_that_breaks_the_protocol_ends_alone(sent: list[bytes], status: str) -> None:
    async def run() -> None:
        async with server() as (ads, address, events), stream(address) as wire, stream(address, "good") as good:
            told = {status}
            try:
                for data in sent:
                    await wire.call.write(data)
            except grpc.aio.AioRpcError:
                # The server ended the stream while there was still something to say: gRPC's client then has its own word.
                told.add("INTERNAL")
            assert (await asyncio.wait_for(wire.call.code(), PATIENCE_S)).name in told
            await soon(lambda: any(isinstance(e, Disconnected) and e.reason for e in events))
            ads.publish("g", ONE)
            await good.send(CLUSTER)
            assert (await good.read())[4] == CLUSTER

    asyncio.run(run())


def test_a_client_that_answers_nothing_is_dropped_and_others_are_not() -> None:
    async def run() -> None:
        async with (
            server(answer_timeout=2) as (ads, address, events),
            stream(address, "silent") as silent,
            stream(address) as good,
        ):
            ads.publish("g", ONE)
            await silent.send(CLUSTER)
            task = asyncio.create_task(good.follow((CLUSTER, ""), (LISTENER, ""), (ROUTES, "r")))
            await soon(lambda: any(isinstance(e, Disconnected) and "neither accepted" in e.reason for e in events))
            assert (await silent.read())[4] == CLUSTER  # what was sent before can still be read, then comes the status
            assert (await asyncio.wait_for(silent.call.code(), PATIENCE_S)).name == "DEADLINE_EXCEEDED"
            await asyncio.sleep(2.5)
            ads.publish("g", TWO)
            assert await ads.live("g", PATIENCE_S) == ()
            assert [c.node.id for c in ads.clients()] == ["n"]
            task.cancel()

    asyncio.run(run())


def test_a_client_that_never_reads_is_dropped_though_much_is_due() -> None:
    big = Resource(CLUSTER, "a", "1", b"x" * 30_000_000)

    async def run() -> None:
        async with server(write_timeout=0.5) as (ads, address, events), stream(address, "deaf") as deaf:
            ads.publish("g", Snapshot({CLUSTER: {"a": big}, LISTENER: ONE.of(LISTENER)}))
            await deaf.send(CLUSTER)
            await soon(lambda: any(isinstance(e, Disconnected) and "read nothing" in e.reason for e in events))
            assert ads.clients() == ()

    asyncio.run(run())


def test_a_stream_killed_again_and_again_is_sent_nothing_twice() -> None:
    async def run() -> None:
        async with server() as (ads, address, _):
            ads.publish("g", ONE)
            async with stream(address) as wire:
                await wire.send(CLUSTER)
                assert len((await wire.read())[2]) == 1
            held = element(5, field(1, "a") + field(2, "1"))
            for _ in range(10):
                async with stream(address) as wire:
                    await wire.send(CLUSTER, held)
                    with pytest.raises(TimeoutError):
                        await asyncio.wait_for(wire.call.read(), 0.05)
            ads.publish("g", TWO)
            async with stream(address) as wire:
                await wire.send(CLUSTER, held)
                assert len((await wire.read())[2]) == 2

    asyncio.run(run())


def test_a_restart_with_equal_files_sends_nothing() -> None:
    async def run() -> None:
        for round_ in range(2):
            async with server() as (ads, address, _), stream(address) as wire:
                ads.publish("g", Snapshot(dict(ONE.resources)))
                await wire.send(CLUSTER, element(5, field(1, "a") + field(2, "1")) if round_ else b"")
                if round_ == 0:
                    assert (await wire.read())[1] == ONE.version(CLUSTER)
                    continue
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(wire.call.read(), 0.3)

    asyncio.run(run())


def test_a_unix_socket(tmp_path: Path) -> None:
    async def run() -> None:
        async with server(f"unix:{tmp_path}/ads") as (ads, address, _), stream(address) as wire:
            ads.publish("g", ONE)
            await wire.send(CLUSTER)
            assert (await wire.read())[4] == CLUSTER

    asyncio.run(run())


def test_a_taken_port_is_an_error() -> None:
    async def run() -> None:
        async with server() as (_, address, _):
            with pytest.raises(OSError, match="cannot listen on"):
                await AdsServer(lambda node: node.cluster).start(address)

    asyncio.run(run())


def test_a_hundred_clients_at_once_hold_a_change() -> None:
    async def run() -> None:
        async with server() as (ads, address, _):
            ads.publish("g", ONE)
            async with grpc.aio.insecure_channel(address) as channel:
                calls = [channel.stream_stream(f"/{SERVICE}/DeltaAggregatedResources")() for _ in range(100)]
                wanted = ((CLUSTER, ""), (LISTENER, ""), (ROUTES, "r"))
                tasks = [asyncio.create_task(Wire(c, f"n{i}").follow(*wanted)) for i, c in enumerate(calls)]
                await soon(lambda: len([c for c in ads.clients() if c.live]) == 100)
                ads.publish("g", TWO)
                assert await ads.live("g", PATIENCE_S) == ()
                assert {c.types[ROUTES].acked for c in ads.clients()} == {TWO.version(ROUTES)}
                for task in tasks:
                    task.cancel()

    asyncio.run(run())


def test_a_slow_reader_keeps_its_place_for_a_moment_only() -> None:
    async def run() -> None:
        pace = Pace(places=1, large=1, seconds=0.1)
        stuck, sent = asyncio.Event(), []

        async def slow(_data: bytes) -> None:
            await stuck.wait()

        async def quick(data: bytes) -> None:
            sent.append(data)

        blocked = asyncio.create_task(pace.write(slow, lambda: b"big", 3))
        await asyncio.sleep(0)
        for n in range(3):
            await asyncio.wait_for(pace.write(quick, lambda n=n: b"%d" % n, 3), PATIENCE_S)
        assert sent == [b"0", b"1", b"2"]
        stuck.set()
        await blocked

    asyncio.run(run())


@pytest.mark.parametrize("turns", range(5))
def test_whoever_waits_for_proxies_can_be_stopped_at_any_moment(turns: int) -> None:
    """Also in the one in which something comes: a process that is told to end would wait for the rest of the time."""

    async def run() -> None:
        async with server() as (ads, _, _events):
            ads.publish("g", ONE)
            waiting = asyncio.create_task(ads.live("g", 600))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            ads.publish("g", TWO)
            for _ in range(turns):
                await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait([waiting], timeout=30)
            assert waiting.cancelled()

    asyncio.run(run())


def test_who_is_given_limits_only_needs_no_listener_and_is_no_proxy() -> None:
    """The rate limit service holds all that it may ask for; whether proxies hold theirs is not asked of it."""

    def types_of(node: Any) -> frozenset[str] | None:
        return frozenset({LIMITS}) if node.id == "ratelimit" else None

    async def run() -> None:
        limits = Snapshot({**ONE.resources, LIMITS: {"d": Resource(LIMITS, "d", "1", b"d")}})
        async with server(types_of=types_of) as (ads, address, _), stream(address, "ratelimit") as wire:
            ads.publish("g", limits)
            following = asyncio.ensure_future(wire.follow((LIMITS, "*")))
            await soon(lambda: ads.clients() and ads.clients()[0].live)
            assert await ads.live("g", 0) == ("no node of group 'g' is connected",)
            async with stream(address, "proxy") as other:
                proxy = asyncio.ensure_future(other.follow((CLUSTER, "*"), (LISTENER, "*"), (ROUTES, "r")))
                assert await ads.live("g", PATIENCE_S) == ()
                proxy.cancel()
            following.cancel()

    asyncio.run(run())


def test_a_look_at_streams_that_fails_is_not_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[float] = []

    def breaks(_server: AdsServer, now: float) -> None:
        looks.append(now)
        raise LookupError("unexpected")

    monkeypatch.setattr(AdsServer, "_swept", breaks)
    with serving(answer_timeout=0.04) as s:
        s.wait(lambda: len(looks) > 1, 120)
