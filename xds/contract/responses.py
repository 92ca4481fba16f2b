"""Responses Object -> Answers: statuses, media types and examples, for the features that answer in the service's place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from xds.contract.schemas import Lowering
from xds.model import Answer, Content, Example
from xds.native import Setting
from xds.native.feature import Problem
from xds.native.mocks import MOCK, mocked
from xds.native.streams import EVENTS

from .node import Node
from .scope import Scope

ASKING = frozenset(("mock", "errors"))
"""The features that read answers: of other operations they are not looked at."""

_STATUS = re.compile(r"[1-5](?:[0-9]{2}|XX)|default")


def parse(operation: Node, scope: Scope) -> tuple[Answer, ...]:
    """What an operation answers, in the order of the contract."""
    responses = scope.report.mapping(operation, "responses")
    found = [_answer(status, child, scope) for status, child in responses.members()] if responses is not None else []
    return tuple(answer for answer in found if answer is not None)


def events(operation: Node, scope: Scope) -> bool:
    """Whether one of an operation's answers is an event stream. Looks at every operation, and at as little as it can."""
    written = operation.value.get("responses") if isinstance(operation.value, dict) else None
    if not isinstance(written, dict):
        return False
    return any(_of_events(_content_of(status, value, operation, scope)) for status, value in written.items())


def _content_of(status: str, value: Any, operation: Node, scope: Scope) -> Any:
    if isinstance(value, dict) and "$ref" in value and not status.startswith("x-"):
        responses = operation.get("responses")
        child = responses.get(status) if responses is not None else None
        node = scope.object(child, "a response") if child is not None else None
        value = node.value if node is not None else None
    return value.get("content") if isinstance(value, dict) else None


def _of_events(content: Any) -> bool:
    return isinstance(content, dict) and any(key.partition(";")[0].strip().lower() == EVENTS for key in content)


def _answer(status: str, child: Node, scope: Scope) -> Answer | None:
    if status.startswith("x-"):
        return None
    if not _STATUS.fullmatch(status):
        scope.report.add("wrong-type", f"{status!r} is no status", child, "200, 4XX or default")
        return None
    node = scope.object(child, "a response")
    content = scope.report.mapping(node, "content") if node is not None else None
    entries = content.members() if content is not None else ()
    contents = tuple(found for key, entry in entries if (found := _content(key, entry, scope)) is not None)
    return Answer(status, contents)


def _content(key: str, entry: Node, scope: Scope) -> Content | None:
    node = scope.object(entry, "a media type")
    if node is None:
        return None
    return Content(key.partition(";")[0].strip().lower(), tuple(_examples(node, scope)), node.place)


def _examples(node: Node, scope: Scope) -> Iterator[Example]:
    if (single := node.get("example")) is not None:
        yield Example("", single.value, single.place)
    named = scope.report.mapping(node, "examples")
    for name, child in named.members() if named is not None else ():
        example = scope.object(child, "an example")
        value = (example.get("value") or example.get("dataValue")) if example is not None else None
        if value is not None:
            yield Example(name, value.value, value.place)
    schema = node.get("schema")
    schema = scope.follow(schema) if schema is not None and type(schema.value) is dict else None
    if schema is not None and (own := schema.get("example")) is not None:
        yield Example("", own.value, own.place)
    several = schema.get("examples") if schema is not None else None
    for item in several.items() if several is not None else ():
        yield Example("", item.value, item.place)


def check(operation: Node, setting: Setting, answers: tuple[Answer, ...], scope: Scope) -> None:
    """Findings for a mock whose example is none of its schema's values."""
    mock = MOCK.read(setting.value)
    found = mocked(mock, answers) if mock is not None else None
    if found is None or isinstance(found, Problem) or found.content is None or found.example is None:
        return
    node = _schema(operation, found.answer.status, found.content, scope)
    if node is not None:
        for problem in _broken(node, found.example.value, scope):
            where = f" at {problem[0]}" if problem[0] else ""
            message = f"the example breaks the schema of its media type{where}: {problem[1]}"
            scope.report.add("example-invalid", message, found.example.place, None, [(node, "the schema")])


def _schema(operation: Node, status: str, content: Content, scope: Scope) -> Node | None:
    responses = operation.get("responses")
    child = responses.get(status) if responses is not None else None
    answer = scope.object(child, "a response") if child is not None else None
    entries = answer.get("content") if answer is not None else None
    for _, entry in entries.members() if entries is not None else ():
        media = scope.follow(entry)
        if media is not None and media.place == content.place:
            return media.get("schema")
    return None


def _broken(schema: Node, value: Any, scope: Scope) -> list[tuple[str, str]]:
    """Pointer and message of the first few things that are wrong with a value of a response."""
    import jsonschema_rs as engine

    lowering = Lowering(scope.library, scope.dialect, hides="writeOnly")
    touched = set(scope.library.touched)
    uri = lowering.reference(schema).uri
    lowering.drain()
    scope.library.touched = touched.union(*(one.files for one in lowering.done.values()))
    known = engine.Registry(list(lowering.resources().items()), draft=engine.Draft202012)
    try:
        validator = engine.Draft202012Validator(
            {"$ref": uri}, registry=known, validate_formats=True, pattern_options=engine.RegexOptions()
        )
    except (engine.ValidationError, engine.ReferencingError, ValueError) as error:
        return [("", f"the schema cannot be checked: {error}"[:300])]
    errors = (error for error, _ in zip(validator.iter_errors(value), range(3), strict=False))
    return [("".join(f"/{step}" for step in error.instance_path), error.message[:200]) for error in errors]
