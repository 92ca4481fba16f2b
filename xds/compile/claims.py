"""Services -> those whose requests are claimed twice, and what is said of it.

Between versions of a service, equal paths are an error unless a request tells which is meant. Between services, whoever answers
a request goes on answering it (`contest`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from xds.contract.trie import Keys
from xds.diagnostics import Diagnostic
from xds.model import Operation, Service, Version
from xds.native.matching import NONE, apart, conditions_of
from xds.source import span

from .outlines import Outlines


def shared_by_versions(
    service: Service, outlines: Outlines, files: Mapping[str, bytes]
) -> Iterator[tuple[str, Diagnostic]]:
    """The first path that two versions of a service have and no request tells apart. Code: `path-collision`."""
    each = [outlines.of(version).keys for version in service.versions] if len(service.versions) > 1 else []
    if sum(map(len, each)) == len(set[Keys]().union(*each)):
        return
    before: dict[Keys, list[tuple[Version, Operation]]] = {}
    for version in service.versions:
        paths = outlines.of(version).paths
        for operation in version.operations:
            others = before.setdefault(paths[operation.path.text][0], [])
            for other, theirs in others:
                if other is not version and not _apart(operation, theirs):
                    yield service.name, collision((version, operation), (other, theirs), files)
                    return
            others.append((version, operation))


def _apart(one: Operation, other: Operation) -> bool:
    """Whether requests for one path of two versions tell which is meant: by method, where either asks for more than that."""
    mine, theirs = conditions_of(one.native), conditions_of(other.native)
    if mine == theirs == NONE:
        return False
    named = mine.version or theirs.version  # then the version is chosen before the method
    return (not named and one.method != other.method) or apart(mine, theirs)


def collision(
    mine: tuple[Version, Operation], theirs: tuple[Version, Operation], files: Mapping[str, bytes]
) -> Diagnostic:
    """Two versions, whosever they are, have one path."""
    (version, operation), (other, taken) = mine, theirs
    message = (
        f"{operation.path.text} of {version.service} {version.name} is also a path of {other.service} {other.name}"
        f" ({taken.path.text})"
    )
    help_ = (
        "give the versions different `servers` paths, or all of them a `version` with one selector, different values and at"
        " most one default, or a `match` that tells them apart; or the services different hosts"
    )
    also = ((span(files, taken.place), "the other one"),)
    return Diagnostic("path-collision", message, span(files, operation.place), help_, also)


def shape(operation: Operation) -> str:
    """A path template with its variables' names taken out: equal shapes match the same paths."""
    segments = ("".join(p if isinstance(p, str) else "{}" for p in s.parts) for s in operation.path.segments)
    return "/".join(segments)
