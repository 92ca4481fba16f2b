"""Versions of a service -> a warning where they differ in the pages that may ask: a preflight names no version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from xds.diagnostics import Diagnostic
from xds.model import Operation, Version
from xds.native.cors import cors_of
from xds.native.versions import choice_of
from xds.source import span

from .claims import shape


def consents(versions: Sequence[Version], files: Mapping[str, bytes]) -> Iterator[Diagnostic]:
    """One warning for all operations of a service whose preflights are granted to fewer pages than one version says.

    Only where a header chooses the version: a preflight has the query of its request, and its path.
    """
    met: dict[tuple[str, str], Operation] = {}
    differing: list[tuple[Operation, Operation]] = []
    for version in versions:
        choice = choice_of(version)
        if choice is None or choice.varies is None:
            continue
        for operation in version.operations:
            other = met.setdefault((shape(operation), operation.method), operation)
            if _pages(other) != _pages(operation):
                differing.append((other, operation))
    if differing:
        one, other = differing[0]
        more = f" (and {len(differing) - 1} more)" if len(differing) > 1 else ""
        message = (
            f"the versions of {one.method} {one.path.text}{more} differ in `cors`, and a preflight names no version"
        )
        help_ = "pages may ask for what all versions of the path and method let them; give them the same `cors`"
        at, also = span(files, other.place), ((span(files, one.place), "the other version"),)
        yield Diagnostic("cors-versions", message, at, help_, also)


def _pages(operation: Operation) -> object:
    own = cors_of(operation)
    return own and (own.origins, own.credentials)
