"""What is done for each operation does not look at all the others."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

from tests.projects import compiled, pets
from xds.envoy.kept import _BEFORE, _split
from xds.model import Operation
from xds.native import problems_of_all


class _Counted(tuple[Operation, ...]):
    """Operations, and how often somebody went through them."""

    times = 0

    def __iter__(self) -> Iterator[Operation]:
        type(self).times += 1
        return super().__iter__()


def _operations(count: int) -> _Counted:
    """Each says of its own which methods browsers may send, and how long its answers are kept."""
    own = {"cors": {"origins": ["https://a.test"], "methods": ["PUT"]}, "cache": {"ttl": "5s"}}
    said = {"responses": {"200": {"description": "ok"}}, "x-sidegate": own}
    paths = {f"/{n}": {"get": {"operationId": f"o{n}", **said}, "put": {"responses": {}}} for n in range(count)}
    document = {"openapi": "3.1.0", "info": {"title": "A", "version": "1"}, "security": [], "paths": paths}
    policy = {"x-sidegate": {"policy": "none", "reason": "it is public"}}
    found = compiled(pets(contract=json.dumps(document | policy), policy=None))
    return _Counted(found.gateway.services[0].versions[0].operations)


def test_settings_of_many_operations_are_checked_with_what_is_near() -> None:
    times = []
    for count in (2, 20):
        operations = _operations(count)
        before = _Counted.times
        assert list(problems_of_all(operations)) == []
        times.append(_Counted.times - before)
    assert times[0] == times[1]


def test_a_prefix_of_many_operations_is_cut_in_its_time() -> None:
    digest = b"0123456789abcdef"
    names = tuple(b"pets/v1/operation%d@" % n for n in range(40_000))
    data = b"".join(b"x" + _BEFORE + digest + b"y" + name + digest for name in names) + b"z"
    started = time.process_time()
    found = _split(data, (0,), (digest,), names)
    assert time.process_time() - started < 5, "a look at every name for every piece takes longer than that by far"
    assert found is not None
    assert found.under((digest,)) == data
    other = b"f" * 16
    assert found.under((other,)) == data.replace(digest, other)


def test_a_digest_behind_another_name_is_left_alone() -> None:
    digest = b"0123456789abcdef"
    assert _split(b"pets/v1/other@" + digest, (0,), (digest,), (b"pets/v1/one@",)) is None
    assert _split(digest, (0,), (digest,), (b"pets/v1/one@",)) is None
