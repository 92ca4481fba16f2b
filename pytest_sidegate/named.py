"""A request of an operation, how its version is named -> the same request, naming that version.

Versions that share paths are told apart by a header, a query parameter or `Accept`: without it a request is another's.
"""

from __future__ import annotations

from dataclasses import replace

from pytest_sidegate.wire import Written
from xds.native.versions import SLOT, Choice, Kind


def named(request: Written, choice: Choice | None) -> Written:
    """The request with the choice in it, in place of whatever stood there."""
    if choice is None:
        return request
    bare = unnamed(request, choice)
    if choice.kind is Kind.QUERY:
        joint = "&" if "?" in bare.path else "?"
        return replace(bare, path=f"{bare.path}{joint}{choice.name}={choice.value}")
    return replace(bare, headers=(*bare.headers, header_of(choice)))


def unnamed(request: Written, choice: Choice | None) -> Written:
    """The request without what names a version."""
    if choice is None:
        return request
    if choice.kind is Kind.QUERY:
        path, _, query = request.path.partition("?")
        kept = "&".join(part for part in query.split("&") if part and part.partition("=")[0] != choice.name)
        return replace(request, path=f"{path}?{kept}" if kept else path)
    name = header_of(choice)[0]
    return replace(request, headers=tuple(pair for pair in request.headers if pair[0].lower() != name))


def header_of(choice: Choice) -> tuple[str, str]:
    """The header that names a version, where one does."""
    if choice.kind is Kind.MEDIA_TYPE:
        return "accept", choice.name.replace(SLOT, choice.value)
    return choice.name, choice.value
