"""Snapshot -> what is wrong with it as a whole."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from xds.snapshot.resource import Snapshot
from xds.snapshot.types import BY_URL, CLUSTER, LISTENER, short
from xds.snapshot.wire import WireError, fields, text


def problems(snapshot: Snapshot, elsewhere: Collection[str] = ()) -> tuple[str, ...]:
    """One sentence for each thing that would leave a node without a part of its configuration; empty if it is closed.

    `elsewhere` names clusters that nodes have from their bootstrap. Checked: no listeners or no clusters at all (a state of
    the world without them deletes everything), a name that is not the resource's own (two resources would share it), a
    reference to what is missing, a resource that nothing refers to (but for the way to a listener of the node's own, which
    requests may still be on), a part of a type that cannot be looked into.
    """
    found = (*_empty(snapshot), *_names(snapshot), *_missing(snapshot, elsewhere), *_idle(snapshot), *_opaque(snapshot))
    return tuple(dict.fromkeys(found))


def _empty(snapshot: Snapshot) -> Iterator[str]:
    for url in (LISTENER, CLUSTER):
        if not snapshot.of(url):
            yield f"{short(url)}: the snapshot has none"


def _names(snapshot: Snapshot) -> Iterator[str]:
    for url, named in snapshot.resources.items():
        for name, resource in named.items():
            if resource.type_url != url or resource.name != name:
                yield f"{short(url)} {name!r}: filed under another name or type than its own"
            elif url in BY_URL and _own_name(resource.body) != name:
                yield f"{short(url)} {name!r}: calls itself {_own_name(resource.body)!r}"


def _own_name(body: bytes) -> str:
    """The first field of every type that the server knows is the resource's name."""
    try:
        return next((text(value) for number, _, value in fields(body) if number == 1), "")
    except WireError:
        return ""


def _missing(snapshot: Snapshot, elsewhere: Collection[str]) -> Iterator[str]:
    for url, named in snapshot.resources.items():
        for name, resource in named.items():
            for target, wanted in resource.references:
                if wanted not in snapshot.of(target) and not (target == CLUSTER and wanted in elsewhere):
                    yield f"{short(url)} {name!r}: refers to {short(target)} {wanted!r}, which is missing"


def _idle(snapshot: Snapshot) -> Iterator[str]:
    used = {reference for named in snapshot.resources.values() for r in named.values() for reference in r.references}
    for url, named in snapshot.resources.items():
        known = BY_URL.get(url)
        if known is None or known.root:
            continue
        for name, resource in named.items():
            inside = any(kind == LISTENER for kind, _ in resource.references)
            if (url, name) not in used and not inside:
                yield f"{short(url)} {name!r}: nothing refers to it"


def _opaque(snapshot: Snapshot) -> Iterator[str]:
    for url, named in snapshot.resources.items():
        for name, resource in named.items():
            for inner in resource.opaque:
                yield f"{short(url)} {name!r}: holds a {inner}, whose references cannot be seen"
