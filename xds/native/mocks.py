"""`mock: true`, `mock: {status: 404, example: NAME}` -> the example of the contract that Envoy answers with."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xds.native.faults import nearest
from xds.native.feature import Feature, Problem, Site

if TYPE_CHECKING:
    from xds.model import Answer, Content, Example, Operation

MOST = 64 << 10
"""Bytes of an example: it is part of the route."""


@dataclass(frozen=True, slots=True)
class Mock:
    """Which answer, by its status, and which of its examples, by name; None for the first there is."""

    status: int | None = None
    example: str | None = None


@dataclass(frozen=True, slots=True)
class Mocked:
    """What Envoy answers. Without `content` the body is empty."""

    status: int
    answer: Answer
    content: Content | None = None
    example: Example | None = None

    @property
    def body(self) -> str | None:
        """The example as it is sent; None if its media type has no form for a value like that."""
        if self.content is None or self.example is None:
            return ""
        kind, value = self.content.range, self.example.value
        if kind == "application/json" or kind.endswith("+json"):
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return value if isinstance(value, str) else None


def _read(value: Any) -> Mock | None:
    if value is False:
        return None
    return Mock() if value is True else Mock(value.get("status"), value.get("example"))


def mocked(mock: Mock, answers: Sequence[Answer]) -> Mocked | Problem:
    """The answer that is meant, or why there is none."""
    found = [a for a in answers if mock.status is None or a.is_for(mock.status)]
    if mock.status is None:
        found = sorted((a for a in found if a.status[0] == "2"), key=lambda a: not a.is_plain)
    if not found:
        what = "successful answer" if mock.status is None else f"answer with status {mock.status}"
        statuses = ", ".join(a.status for a in answers) or "none"
        return Problem(f"the contract has no {what}", "" if mock.status is None else "/status", f"it has: {statuses}")
    answer = min(found, key=lambda a: not a.is_plain) if mock.status is not None else found[0]
    status = mock.status or (int(answer.status) if answer.is_plain else 200)
    if not answer.contents:
        return Mocked(status, answer) if mock.example is None else _no_example(mock, ())
    pairs = [(content, example) for content in answer.contents for example in content.examples]
    for content, example in pairs:
        if mock.example in (None, example.name):
            return Mocked(status, answer, content, example)
    return _no_example(mock, [example.name for _, example in pairs])


def _no_example(mock: Mock, names: Sequence[str]) -> Problem:
    if mock.example is None:
        return Problem("the answer has no example", help="give its media type an `example`")
    help_ = nearest(mock.example, names) if names else "the answer has no examples"
    return Problem(f"the answer has no example `{mock.example}`", "/example", help_)


def _check(value: Mock | None, operation: Operation, site: Site) -> Iterator[Problem]:
    if value is None:
        return
    if operation.settings["mock"].rule is not None:
        yield Problem("a mock stands in the contract, beside its examples", help="`mock: true` on the operation")
        return
    found = mocked(value, operation.answers)
    if isinstance(found, Problem):
        yield found
        return
    body = found.body
    if body is None:
        kind = found.content.range if found.content else ""
        yield Problem(f"an example of {kind} is a text", help="write the example as it is to be sent")
    elif len(body.encode()) > MOST:
        yield Problem(f"an example of {len(body.encode())} bytes is more than the {MOST >> 10}KiB that a route holds")


def _said(value: Mock) -> str:
    which = f"example {value.example}" if value.example else "an example"
    status = f" of status {value.status}" if value.status else ""
    return f"Envoy answers with {which}{status} of the contract once a request is admitted; the service is not asked"


MOCK = Feature(
    key="mock",
    field="mock",
    schema={
        "description": "answer with an example of the contract: true, or {status: 404, example: gone}",
        "anyOf": [
            {"type": "boolean"},
            {
                "type": "object",
                "minProperties": 1,
                "additionalProperties": False,
                "properties": {
                    "status": {
                        "type": "integer",
                        "minimum": 200,
                        "maximum": 599,
                        "description": "the status of a response of the contract",
                    },
                    "example": {"type": "string", "description": "the name of one of its examples"},
                },
            },
        ],
    },
    read=_read,
    check=_check,
    said=_said,
)
