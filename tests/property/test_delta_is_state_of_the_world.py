"""Law: whatever the order of changes, answers, refusals and reconnections, both variants end at the snapshot.

On the way nothing is sent that the client holds, nothing that it refused, no empty state of the world, and no route before
the clusters that it names.
"""

from __future__ import annotations

from collections import deque

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.streams.client import Client
from tests.streams.transcript import snapshots as spelled
from xds.ads.machine import Machine
from xds.ads.messages import Response
from xds.ads.session import DELTA, SOTW
from xds.snapshot.resource import Snapshot
from xds.snapshot.types import CLUSTER, LISTENER, ROUTES

MACHINES = {"sotw": SOTW.machine, "delta": DELTA.machine}
CLUSTERS, TABLES, LISTENERS = ("c0", "c1", "c2", "c3"), ("r0", "r1", "r2"), ("l0", "l1")
BAD = "bad"

Spelled = dict[str, list[str]]


@st.composite
def snapshots(draw: st.DrawFn, good: bool = False) -> Spelled:
    """Closed snapshots over a few names, as transcripts spell them; clients refuse what has the content `bad`."""
    content = st.sampled_from(["1", "2"] if good else ["1", "2", BAD])
    clusters = draw(st.lists(st.sampled_from(CLUSTERS), min_size=1, unique=True))
    tables = draw(st.lists(st.sampled_from(TABLES), min_size=1, unique=True))
    listeners = draw(st.lists(st.sampled_from(LISTENERS), min_size=1, unique=True))

    def made(name: str, targets: list[str]) -> str:
        chosen = sorted(draw(st.lists(st.sampled_from(targets), min_size=1, max_size=2, unique=True)))
        return f"{name}={draw(content)}-{'-'.join(chosen).replace('rds/', '')} -> {' '.join(chosen)}"

    return {
        "cds": [f"{n}={draw(content)}" for n in clusters],
        "lds": [made(n, [f"rds/{t}" for t in tables]) for n in listeners],
        "rds": [made(n, clusters) for n in tables],
    }


steps = st.lists(
    st.one_of(
        snapshots(),
        st.sampled_from(["up", "up", "down", "down", "reconnect"]),
        st.tuples(st.just("extra"), st.sampled_from((*TABLES, "none"))),
    ),
    max_size=25,
)


class Pair:
    """A client, a machine and what is on the wire between them."""

    def __init__(self, variant: str, lenient: bool, talkative: bool) -> None:
        self.client = Client(variant, lambda r: r.version.startswith(BAD), lenient, talkative)
        self.history: list[Snapshot] = []
        self.machine: Machine | None = None
        self.wire: deque[Response] = deque()
        self.client.connect()

    def _recall(self, url: str, version: str) -> object:
        return next((s.of(url) for s in reversed(self.history) if s.version(url) == version), None)

    def step(self, step: object) -> None:
        if isinstance(step, dict):
            self.history.append(spelled({"it": step})["it"])
            if self.machine:
                self.wire += self.machine.publish(self.history[-1])
        elif step == "up":
            self.up()
        elif step == "down":
            self.down()
        elif step == "reconnect":
            self.wire.clear()
            self.refusals = self.machine.refusals if self.machine else None
            self.machine = None
            self.client.connect()
        elif isinstance(step, tuple):
            self.client.extra ^= {step[1]}
            self.client.resubscribe()

    def up(self) -> None:
        if self.client.out:
            if self.machine is None:
                now = self.history[-1] if self.history else None
                refusals = getattr(self, "refusals", None)
                self.machine = MACHINES[self.client.variant](now, self._recall, refusals)  # type: ignore[arg-type]
            self.wire += self.machine.feed(self.client.out.popleft())

    def down(self) -> None:
        if self.wire:
            self.client.receive(self.wire.popleft())
            assert not self.client.complaints

    def rest(self) -> None:
        """Lets everything on the wire arrive."""
        for _ in range(500):
            if not self.client.out and not self.wire:
                return
            self.up()
            self.down()
        raise AssertionError("the two never stop talking")


@settings(max_examples=150, deadline=None)
@given(steps=steps, last=snapshots(good=True), lenient=st.booleans(), talkative=st.booleans())
def test_both_variants_end_at_the_snapshot(steps: list[object], last: Spelled, lenient: bool, talkative: bool) -> None:
    for variant in MACHINES:
        pair = Pair(variant, lenient, talkative)
        for step in steps:
            pair.step(step)
            if not lenient:  # else a client may take a part of what it refuses
                assert not pair.client.unbacked(), variant
        pair.step(last)
        pair.rest()
        client, end = pair.client, pair.history[-1]
        assert pair.machine
        assert client.held[CLUSTER] == end.of(CLUSTER), variant
        assert client.held[LISTENER] == end.of(LISTENER), variant
        held = client.held[ROUTES]
        if variant == "sotw":  # has no way to take away routes that a client still asks for
            held = {n: r for n, r in held.items() if n in end.of(ROUTES)}
        assert held == {n: r for n, r in end.of(ROUTES).items() if n in client.routes}, variant
        assert pair.machine.settled(), variant
