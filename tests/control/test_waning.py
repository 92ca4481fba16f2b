"""What nobody needs any more is let go of: digests that no route can name, groups without nodes; what fails is one group's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from tests.control.test_publish import NEWER, TOYS, Desk
from tests.projects import CONTRACT, pets, tree
from tests.waiting import soon
from xds.address import Address
from xds.ads.identity import Identity
from xds.ads.messages import Node
from xds.ads.server import AdsServer
from xds.ads.session import DELTA
from xds.control.groups import EVERYTHING
from xds.control.stand import ANYWHERE, Stand
from xds.handshake import KEPT
from xds.snapshot.types import LISTENER, ROUTES
from xds.snapshot.wire import field, fields


class Proxy:
    """A proxy's stream as gRPC has it for the server, without a socket; its cluster is the name of its group."""

    def __init__(self, ads: AdsServer, group: str = EVERYTHING, *, accepts: bool = True) -> None:
        self.accepts, self.given = accepts, 0
        self._said: asyncio.Queue[bytes | None] = asyncio.Queue()
        node = field(1, field(1, f"of {group}") + field(2, group))
        for url, name in ((LISTENER, "*"), (ROUTES, "edge")):
            self._said.put_nowait(node + field(2, url) + field(3, name))
        self._unanswered: list[bytes] = []
        self._task = asyncio.create_task(ads._stream(DELTA, self._requests(), self))

    async def _requests(self) -> AsyncIterator[bytes]:
        while (said := await self._said.get()) is not None:
            yield said

    def peer(self) -> str:
        return "ipv4:10.0.0.1:1"

    def auth_context(self) -> dict[str, Any]:
        return {}

    async def write(self, data: bytes) -> None:
        self.given += 1
        self._unanswered.append(data)
        if self.accepts:
            self.accept()

    async def abort(self, code: Any, reason: str) -> None:
        pass

    def accept(self) -> None:
        """Accept what came."""
        self.accepts = True
        for data in self._unanswered:
            values = {n: v for n, _, v in fields(data) if n in (4, 5)}
            self._said.put_nowait(field(2, values[4]) + field(6, values[5]))
        self._unanswered.clear()

    async def leave(self) -> None:
        self._said.put_nowait(None)
        await self._task


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 300))


def report(desk: Desk, *held: dict[str, str], **more: str) -> None:
    """Of a companion that lives, however slow the machine is."""
    desk.report(*held, **more, ago=-1e6)


def grouped() -> Desk:
    """A desk whose nodes say their group."""
    desk = Desk()
    desk.ads._group_of = lambda node: node.cluster
    return desk


def test_digests_are_let_go_of_however_late_a_proxy_answers() -> None:
    async def test() -> None:
        desk = grouped()
        old = desk.want(pets()).digests
        report(desk, old)
        proxy = Proxy(desk.ads)
        await soon(lambda: not desk.ads.missing(EVERYTHING))
        proxy.accepts, given = False, proxy.given
        new = desk.want(NEWER).digests
        report(desk, new, old)
        desk.publisher._announcing.cancel()  # nobody waits for it any longer
        both = {name: [new[name], old[name]] for name in old}
        await soon(lambda: proxy.given > given)
        desk.publisher.sweep()
        assert desk.publisher.needed(EVERYTHING) == both, "it may still name the old one"
        told = []
        desk.publisher.on_use = told.append
        proxy.accept()
        await soon(lambda: not desk.ads.missing(EVERYTHING))
        desk.publisher.sweep()
        assert desk.publisher.needed(EVERYTHING) == {name: [new[name]] for name in new}
        assert told == [EVERYTHING]
        await proxy.leave()

    run(test)


@pytest.mark.parametrize("connected", [True, False])
def test_a_replica_without_proxies_needs_no_more_than_companions_offer(
    connected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xds.control.waning.ALONE_S", -1.0)

    async def test() -> None:
        desk = grouped()
        proxy = Proxy(desk.ads, accepts=False) if connected else None
        await soon(lambda: desk.ads.nodes(EVERYTHING) == connected)
        known: list[dict[str, str]] = []
        for limit in range(50, 53 + KEPT):
            known.insert(0, desk.want(pets(contract=CONTRACT.replace("maximum: 100", f"maximum: {limit}"))).digests)
            report(desk, *known)
        desk.publisher.sweep()
        needed = [each["pets/v1"] for each in (known if connected else known[:KEPT])]
        assert desk.publisher.needed(EVERYTHING) == {"pets/v1": needed}
        if proxy:
            await proxy.leave()

    run(test)


def _stand(number: int) -> Stand:
    return Stand(listen=Address("127.0.0.1", 1000 + number))


def test_places_that_nobody_stands_in_any_more_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xds.control.publish.STANDS", 3)

    async def test() -> None:
        desk = grouped()
        digests = desk.want(pets()).digests
        report(desk, digests, service="pets")
        keys = [desk.publisher.join("pets", stand) for stand in (ANYWHERE, *map(_stand, range(2)))]
        proxies = [Proxy(desk.ads, key) for key in keys]
        await soon(lambda: all(desk.ads.nodes(key) for key in keys))
        with pytest.raises(ValueError, match="more than"):
            desk.publisher.join("pets", _stand(3))
        await proxies[1].leave()
        key = desk.publisher.join("pets", _stand(3))
        assert (desk.ads.snapshot(key) is None, desk.ads.snapshot(keys[1])) == (False, None)
        assert keys[1] not in desk.publisher.groups
        for proxy in (proxies[0], *proxies[2:]):
            await proxy.leave()

    run(test)


def test_groups_without_nodes_and_companions_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        desk = grouped()
        digests = desk.want({**pets(), **TOYS}).digests
        for node, service in (("p", "pets"), ("t", "toys"), ("e", EVERYTHING)):
            report(desk, digests, node=node, service=service)
            desk.publisher.join(service)
        away, there = (desk.publisher.join("pets", _stand(n)) for n in range(2))
        proxy = Proxy(desk.ads, there)
        await soon(lambda: desk.ads.nodes(there))
        desk.publisher.leave(desk.publisher.companions["toys/t"])
        desk.publisher.sweep()
        assert {"toys", away} <= desk.publisher.groups.keys(), "they may come back in a moment"
        monkeypatch.setattr("xds.control.waning.FORGET_S", -1.0)
        desk.publisher.sweep()
        assert desk.publisher.groups.keys() == {EVERYTHING, "pets", there}
        assert desk.publisher._prepared.keys() == desk.ads._history.keys() == desk.publisher.groups.keys()
        report(desk, digests, node="t", service="toys")
        desk.publisher.join("toys")
        assert desk.served("toys") == {"toys/v1": digests["toys/v1"]}
        await proxy.leave()

    run(test)


def test_what_fails_for_one_group_is_not_cleared_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        desk = Desk()
        desk.publisher.join("pets")
        wanted = desk.want({**pets(), **TOYS}).digests
        desk.publisher.join("toys")
        lowered = desk.publisher._lowered

        def some(group: Any, gateway: Any) -> Any:
            if group.service == "pets":
                raise LookupError("unexpected")
            return lowered(group, gateway)

        monkeypatch.setattr(type(desk.publisher), "_lowered", lambda _, *given: some(*given))
        for service in ("pets", "toys"):
            report(desk, wanted, node=service, service=service)
        assert desk.publisher.problems("pets") == ("LookupError: unexpected",)
        assert desk.publisher.problems("toys") == desk.publisher.problems(EVERYTHING) == ()
        monkeypatch.undo()
        report(desk, wanted, node="pets", service="pets")
        assert desk.publisher.problems("pets") == ()

    run(test)


def test_who_may_no_longer_be_a_node_is_given_nothing_of_what_comes() -> None:
    """The settings, or the namespace that a service comes from now, shut it out before anything is published by them."""

    async def test() -> None:
        desk, out = grouped(), False

        def refusal(node: Node, identity: Identity | None) -> str:
            return "it may not" if out else ""

        desk.ads._refusal = refusal
        compilation = desk.compiler.compile(tree(pets()))
        report(desk, compilation.digests)
        proxy = Proxy(desk.ads)
        await soon(lambda: desk.ads.nodes(EVERYTHING))
        out = True
        desk.publisher.want(compilation, 0.0)
        assert desk.ads.snapshot(EVERYTHING) is not None
        await asyncio.wait([proxy._task])
        assert proxy.given == 0

    run(test)
