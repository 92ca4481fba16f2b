"""Contract -> an outcome for each of its examples: is it a value that its own schema allows?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from xds.contract.shown import Shown, ShownOperation
from xds.model import Operation, Place, Version
from xds.policy.unit_tests import Result
from xds.source import excerpt, span

from .outcome import Outcome, Suite

Files = Mapping[str, bytes]


def judged(version: Version, shown: Mapping[Place, ShownOperation], files: Files) -> Iterator[Outcome]:
    """The examples of a version, operation by operation; one that several operations refer to is judged once."""
    done: set[Place] = set()
    for operation in version.operations:
        for where, example in _examples(shown.get(operation.place)):
            if example.place not in done:
                done.add(example.place)
                yield _outcome(version, operation, where, example, files)


def _examples(shown: ShownOperation | None) -> Iterator[tuple[str, Shown]]:
    if shown is None:
        return
    for (location, name), examples in shown.parameters.items():
        yield from ((f"{location} {name}", each) for each in examples)
    for content in shown.bodies:
        yield from ((content.range, each) for each in content.examples)
    for response in shown.responses:
        for name, examples in response.headers.items():
            yield from ((f"{response.status} header {name}", each) for each in examples)
        for content in response.contents:
            yield from ((f"{response.status} {content.range}", each) for each in content.examples)


def _outcome(version: Version, operation: Operation, where: str, example: Shown, files: Files) -> Outcome:
    name = " ".join(filter(None, (operation.name, where, example.name)))
    group, place = f"{version.service}/{version.name}", span(files, example.place)
    if not example.broken:
        return Outcome(Suite.EXAMPLES, group, name, place)
    first = example.broken[0]
    words = f"the example breaks its schema{f' at {first.pointer}' if first.pointer else ''}: {first.message}"
    detail: list[str] = []
    for broken in example.broken:
        at = span(files, broken.schema)
        line = (excerpt(files, at) or "").strip()
        detail.append(f"{broken.pointer or '(whole)'}: {broken.message}\n  {at}  {line[:160]}")
    return Outcome(Suite.EXAMPLES, group, name, place, Result.FAIL, words, "\n".join(detail))
