"""Version -> points: everything of a contract that a test can show, each with the place where it is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from xds.contract.shown import ShownOperation
from xds.model import Alternative, Mode, Operation, Place, Version


class Kind(StrEnum):
    """What is counted, by OpenAPI's words. The order is that of every table."""

    OPERATION = "operation"
    STATUS = "status"
    PARAMETER = "parameter"
    REQUEST = "request body"
    RESPONSE = "response body"
    SECURITY = "security"
    POLICY = "policy"


GIVEN, LEFT_OUT = "given", "left out"
ALLOWED, DENIED = "allowed", "denied"
NONE_MET = "none met"


@dataclass(frozen=True, slots=True)
class Point:
    """One thing to see. `version` is `service/version`, `operation` an operation's id, `what` the words of its kind, such
    as `query limit given`; `key` is stable as long as the contract calls it the same."""

    version: str
    operation: str
    kind: Kind
    what: str
    place: Place

    @property
    def key(self) -> str:
        return key(self.version, self.operation, self.kind, self.what)


def key(version: str, operation: str, kind: Kind, what: str) -> str:
    """The name of a point in files: `catalog/v1 listItems parameter: query limit given`."""
    return f"{version} {operation} {kind}: {what}"


def points(version: Version, shown: Mapping[Place, ShownOperation]) -> tuple[Point, ...]:
    """The points of a version, operation by operation in the model's order. `shown` is `xds.contract.shown` of it."""
    name = f"{version.service}/{version.name}"
    return tuple(
        Point(name, operation.id, kind, what, place)
        for operation in version.operations
        for kind, what, place in _of(operation, shown.get(operation.place))
    )


def _of(operation: Operation, shown: ShownOperation | None) -> Iterator[tuple[Kind, str, Place]]:
    yield Kind.OPERATION, "", operation.place
    for response in shown.responses if shown else ():
        yield Kind.STATUS, response.status, response.place
    for parameter in operation.parameters:
        named = f"{parameter.location} {parameter.name}"
        yield Kind.PARAMETER, f"{named} {GIVEN}", parameter.place
        if not parameter.required:
            yield Kind.PARAMETER, f"{named} {LEFT_OUT}", parameter.place
    if operation.body is not None:
        for media in operation.body.media:
            yield Kind.REQUEST, media.range, media.place
        if not operation.body.required:
            yield Kind.REQUEST, LEFT_OUT, operation.body.place
    for response in shown.responses if shown else ():
        for content in response.contents:
            yield Kind.RESPONSE, f"{response.status} {content.range}", content.place
    yield from _security(operation, shown)
    if operation.policy.exempt is None and operation.mode is not Mode.OFF:
        place = operation.policy.place if operation.policy.place.file else operation.place
        yield Kind.POLICY, ALLOWED, place
        yield Kind.POLICY, DENIED, place


def _security(operation: Operation, shown: ShownOperation | None) -> Iterator[tuple[Kind, str, Place]]:
    places = shown.security if shown else ()
    for index, alternative in enumerate(operation.security):
        place = places[index] if index < len(places) else operation.place
        yield Kind.SECURITY, worded(alternative), place
    if operation.security:  # also where one asks for nothing: a wrong credential is never anonymity
        yield Kind.SECURITY, NONE_MET, places[0] if places else operation.place


def worded(alternative: Alternative) -> str:
    """An alternative in a line: `oauth(orders:read) and key`; `anonymous` if it asks for nothing."""
    schemes = (c.scheme + (f"({' '.join(c.scopes)})" if c.scopes else "") for c in alternative.credentials)
    return " and ".join(schemes) or "anonymous"
