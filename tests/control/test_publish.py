"""A digest goes out once the companions hold it, never before, and never an empty snapshot over a full one."""

from __future__ import annotations

import asyncio
import dataclasses
import time

import pytest

from tests.projects import CONTRACT, SETTINGS, pets, tree
from xds.ads.server import AdsServer
from xds.compile import Compilation, Compiler
from xds.control.events import Diagnosed, PolicyLive
from xds.control.groups import EVERYTHING, Companion
from xds.control.publish import Publisher
from xds.envoy import Profile
from xds.envoy.names import local_limit
from xds.native.rates import PER_GATEWAY
from xds.snapshot.types import EXTENSION

TOYS = {
    "contracts/toys/v1.yaml": CONTRACT.replace("/pets/v1", "/toys/v1"),
    "sidegate.yaml": SETTINGS.replace("pets: {", 'toys: {upstream: "http://127.0.0.1:9"}, pets: {', 1),
}


class Desk:
    """A publisher with the events it sent."""

    def __init__(self) -> None:
        self.events = []
        self.ads = AdsServer(lambda node: EVERYTHING)
        profile = Profile(("127.0.0.1", 1), ("127.0.0.1", 2))
        self.publisher = Publisher(profile, self.ads, self.events.append)
        self.publisher.join(EVERYTHING)
        self.compiler = Compiler()

    def want(self, files) -> Compilation:
        compilation = self.compiler.compile(tree(files), self.publisher.wanted)
        self.publisher.want(compilation, time.monotonic())
        return compilation

    def report(self, *digests: dict[str, str], node="one", service=EVERYTHING, revision="r", ago=0.0):
        held = {}
        for each in digests:
            for name, digest in each.items():
                held[name] = (*held.get(name, ()), digest)
        seen = time.monotonic() - ago
        self.publisher.report(Companion(node, service, "http://x", held, {"pets": revision}, seen))

    def served(self, service=EVERYTHING):
        group = self.publisher.groups[service].gateway
        return {f"{v.service}/{v.name}": v.digest for s in group.services for v in s.versions}


def desk(test):
    """Run a test in an event loop, with a desk."""

    def run():
        async def inside():
            test(Desk())

        asyncio.run(inside())

    run.__name__ = test.__name__
    return run


NEWER = pets(contract=CONTRACT.replace("maximum: 100", "maximum: 50"))


@desk
def test_nothing_before_a_companion_reports(desk):
    desk.want(pets())
    assert desk.served() == {}
    assert desk.ads.snapshot(EVERYTHING) is None


@desk
def test_a_digest_waits_for_its_companion(desk):
    old = desk.want(pets()).digests
    desk.report(old)
    assert desk.served() == old
    new = desk.want(NEWER).digests
    assert desk.served() == old != new
    desk.report(new, old)
    assert desk.served() == new


@desk
def test_it_waits_for_every_living_companion(desk):
    digests = desk.want(pets()).digests
    desk.report({}, node="two")
    desk.report(digests, node="one")
    assert desk.served() == {}
    desk.report(digests, node="two")
    assert desk.served() == digests
    new = desk.want(NEWER).digests
    desk.report(digests, node="two", ago=60)  # gone: it holds up nothing
    desk.report(new, digests, node="one")
    assert desk.served() == new


@desk
def test_a_companion_that_went_away_holds_up_nothing_for_long(desk):
    digests = desk.want(pets()).digests
    desk.report({}, node="two")
    desk.report(digests, node="one")
    assert desk.served() == {}
    gone = desk.publisher.companions["two"]
    desk.publisher.companions["two"] = dataclasses.replace(gone, seen=gone.seen - 60)
    desk.report(digests, node="one")  # the next report, equal to the last
    assert desk.served() == digests


@desk
def test_a_builder_that_fails_takes_nothing_away(desk):
    digests = desk.want(pets()).digests
    desk.report(digests)
    snapshot = desk.ads.snapshot(EVERYTHING)
    desk.publisher.profile = None  # what no builder expects
    new = desk.want(NEWER).digests
    desk.report(new)
    assert desk.ads.snapshot(EVERYTHING) is snapshot
    assert desk.served() == digests
    assert desk.publisher.problems(EVERYTHING)


@desk
def test_services_go_out_one_by_one(desk):
    old = desk.want(pets()).digests
    desk.report(old)
    both = desk.want({**NEWER, **TOYS}).digests
    desk.report(old, {"toys/v1": both["toys/v1"]})
    assert desk.served() == {**old, "toys/v1": both["toys/v1"]}


@desk
def test_no_empty_snapshot_over_a_full_one(desk):
    digests = desk.want(pets()).digests
    desk.report(digests)
    snapshot = desk.ads.snapshot(EVERYTHING)
    desk.publisher.want(Compilation(), time.monotonic())
    assert desk.served() == digests
    assert desk.ads.snapshot(EVERYTHING) is snapshot


@desk
def test_a_policy_edit_sends_nothing(desk):
    files = pets()
    digests = desk.want(files).digests
    desk.report(digests, revision="one")
    snapshot = desk.ads.snapshot(EVERYTHING)
    edited = {**files, "policies/pets/authz.rego": files["policies/pets/authz.rego"] + "# a word\n"}
    assert desk.want(edited).digests == digests
    desk.report(digests, revision="two")
    assert desk.ads.snapshot(EVERYTHING) is snapshot
    assert [e.revision for e in desk.events if isinstance(e, PolicyLive)] == ["two"]


@desk
def test_a_group_of_one_service_gets_that_service_only(desk):
    digests = desk.want({**pets(), **TOYS}).digests
    desk.publisher.join("toys")
    desk.report(digests, node="t", service="toys")
    assert desk.served("toys") == {"toys/v1": digests["toys/v1"]}
    assert desk.served() == {}


@desk
def test_diagnostics_are_told_once(desk):
    broken = pets(contract=CONTRACT.replace("type: integer", "type: integr"))
    desk.want(broken)
    desk.want(broken)
    told = [e for e in desk.events if isinstance(e, Diagnosed)]
    assert len(told) == 1
    assert told[0].refused == {"pets"}
    assert told[0].serving == frozenset()


@pytest.mark.parametrize("paths", [("/pets/v1", "/pets/v1"), ("/{a}/v1", "/{b}/v1")])
def test_who_serves_a_path_keeps_it(paths):
    """Two services cannot claim one path; the one that is served already wins, whatever the names."""
    first, second = (
        CONTRACT.replace("url: /pets/v1", f'url: "{p}", variables: {{a: {{default: x}}, b: {{default: x}}}}')
        for p in paths
    )
    settings = 'services: {pets: {upstream: "http://127.0.0.1:9"}, ants: {upstream: "http://127.0.0.1:9"}}\n'
    settings += SETTINGS.split("\n", 1)[1]
    files = pets(contract=first, settings=settings)
    compiler = Compiler()
    before = compiler.compile(tree(files))
    assert set(before.digests) == {"pets/v1"}
    after = compiler.compile(tree({**files, "contracts/ants/v1.yaml": second}), before)
    assert set(after.digests) == {"pets/v1"}
    assert after.refused == {"ants"}
    [collision] = [d for d in after.diagnostics if d.code == "path-collision"]
    assert collision.span.file == "contracts/ants/v1.yaml"
    assert collision.span.line > 1
    assert collision.related[0][0].file == "contracts/pets/v1.yaml"


@desk
def test_what_routes_may_name_is_needed(desk):
    old = desk.want(pets()).digests
    desk.report(old)
    assert desk.publisher.needed(EVERYTHING) == {name: [digest] for name, digest in old.items()}
    new = desk.want(NEWER).digests
    desk.report(new, old)
    needed = desk.publisher.needed(EVERYTHING)
    assert needed == {name: [new[name], old[name]] for name in old}, "no proxy has said that it took the new one"


@desk
def test_services_that_nobody_has_make_no_groups(desk):
    desk.want(pets())
    for number in range(5000):
        desk.publisher.join(f"made-up-{number}")
    assert set(desk.publisher.groups) == {EVERYTHING}
    desk.publisher.join("toys")


def _limited(limit: int) -> dict[str, str]:
    rate = f"rateLimits: [{{name: a, limit: {limit}, per: day}}]"
    return pets(contract=CONTRACT.replace("a public page}", f"a public page, {rate}}}"))


@desk
def test_a_filter_knows_the_quotas_of_the_routes_before(desk):
    """Filters come before routes; a route whose quota its filter does not know is refused."""
    bodies = []
    for files in (_limited(5), _limited(6), _limited(6) | TOYS, _limited(7), _limited(6)):
        desk.report(desk.want(files).digests)
        snapshot = desk.publisher.groups[EVERYTHING].snapshot
        name = next(name for name in snapshot.of(EXTENSION) if name.endswith(local_limit(PER_GATEWAY)))
        bodies.append(snapshot.of(EXTENSION)[name].body)
    known = [{number for number in (5, 6, 7) if b"%d/day" % number in body} for body in bodies]
    assert known == [{5}, {5, 6}, {5, 6}, {6, 7}, {6, 7}]
    assert bodies[1] == bodies[2], "what has nothing to do with quotas begins no count anew"


def test_what_breaks_while_the_next_is_chosen_is_told_and_nothing_more(monkeypatch):
    def breaks(*_):
        raise LookupError("unexpected")

    async def test():
        d = Desk()
        wanted = d.want(pets()).digests
        monkeypatch.setattr("xds.control.publish.next_for", breaks)
        d.report(wanted)
        assert d.publisher.problems(EVERYTHING) == ("LookupError: unexpected",)

    asyncio.run(test())
