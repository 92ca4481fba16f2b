"""Version, what its contract shows -> cases: the requests that the contract's own examples make.

Examples of one name belong together: those of the parameters and of the body make the request, and the response that has one
of that name is its answer. Examples without a name make the operation's plain request, and stand in where a named one lacks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_sidegate.named import named
from pytest_sidegate.wire import Written, written
from xds.contract.shown import Shown, ShownOperation
from xds.model import MediaType, Operation, Place, Version
from xds.native.versions import choice_of


@dataclass(frozen=True, slots=True)
class Case:
    """One request out of examples. `name` is theirs, empty without one; `status` the answer's in the contract (`200`, `2XX`
    or `default`), empty if it has none; `place` where the first example stands, or the operation."""

    version: Version
    operation: Operation
    name: str
    request: Written
    status: str
    place: Place

    @property
    def id(self) -> str:
        """`catalog/v1 listItems page`."""
        return " ".join(filter(None, (f"{self.version.service}/{self.version.name}", self.operation.id, self.name)))


def cases(version: Version, shown: Mapping[Place, ShownOperation]) -> Iterator[Case]:
    """The cases of a version, operation by operation. One that needs a value of which the contract has no example has none."""
    for operation in version.operations:
        if (found := shown.get(operation.place)) is not None:
            yield from _of(version, operation, found)


def case(version: Version, operation: Operation, shown: ShownOperation, name: str = "") -> Case | None:
    """The case of that name, whether or not an example is called so; None if a value is needed that no example gives."""
    values: dict[tuple[str, str], Any] = {}
    used: list[Shown] = []
    for parameter in operation.parameters:
        key = (str(parameter.location), parameter.name)
        example = _choose(shown.parameters.get(key, ()), name, parameter.required)
        if example is not None:
            values[key] = example.value
            used.append(example)
        elif parameter.required:
            return None
    media, body = _body(operation, shown, name)
    if body is not None:
        used.append(body)
    elif operation.body is not None and operation.body.required:
        return None
    plain = written(operation, values, media, body.value if body is not None else None)
    choice = choice_of(version)
    request = plain if choice is None or choice.default else named(plain, choice)
    place = next((each.place for each in used if each.name == name), operation.place)
    return Case(version, operation, name, request, _status(shown, name), place)


def _of(version: Version, operation: Operation, shown: ShownOperation) -> Iterator[Case]:
    listed = [*shown.parameters.values(), *(content.examples for content in shown.bodies)]
    names = dict.fromkeys(example.name for examples in listed for example in examples if example.name)
    for name in names or ("",):
        if (found := case(version, operation, shown, name)) is not None:
            yield found


def _choose(examples: tuple[Shown, ...], name: str, required: bool) -> Shown | None:
    """The example of a name; else the one without a name, or the first if there must be one."""
    by_name = {example.name: example for example in reversed(examples)}
    if found := by_name.get(name) or by_name.get(""):
        return found
    return examples[0] if examples and required else None


def _body(operation: Operation, shown: ShownOperation, name: str) -> tuple[MediaType | None, Shown | None]:
    """The media type whose example has the name, or the first that has any, with the example."""
    media = {entry.range: entry for entry in (operation.body.media if operation.body else ())}
    required = operation.body is not None and operation.body.required
    with_name = [c for c in shown.bodies if any(e.name == name for e in c.examples)]
    for content in (*with_name, *shown.bodies):
        example = _choose(content.examples, name, required)
        if example is not None and content.range in media:
            return media[content.range], example
    return None, None


def _status(shown: ShownOperation, name: str) -> str:
    """The status of the response with an example of the name; else the first success, else the first of all."""
    statuses = [r.status for r in shown.responses]
    if name:
        for response in shown.responses:
            if any(e.name == name for c in response.contents for e in c.examples):
                return response.status
    return next((s for s in statuses if s.startswith("2")), statuses[0] if statuses else "")
