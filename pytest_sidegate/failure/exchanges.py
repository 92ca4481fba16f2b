"""What a test asked, and what it was answered -> the sections of its failure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from pytest_sidegate.verdicts import Verdict

from .sections import Asked, Section, sections

if TYPE_CHECKING:
    from pytest_sidegate.client import Exchange
    from pytest_sidegate.frame import Sent
    from pytest_sidegate.responses import Answered, Finding
    from pytest_sidegate.upstream import Received

Files = Mapping[str, bytes]

MOST_BODY = 2000
"""Characters of an answer's body that are shown."""

_SECRET = ("set-cookie",)
"""Headers of answers that hold credentials."""


def of_verdict(verdict: Verdict, sent: Sent, files: Files) -> tuple[Section, ...]:
    """The sections of a request that was judged, and that nobody sent."""
    target = sent.target
    path = target.path + (f"?{target.query}" if target.query is not None else "")
    return sections(Asked(sent.method, path, sent.headers, sent.body), verdict, files)


def of_exchange(exchange: Exchange, files: Files) -> tuple[Section, ...]:
    """The sections of a request that was answered."""
    request = exchange.request
    asked = Asked(request.method, request.path, request.headers, request.body, exchange.base)
    places = [finding.place for finding in exchange.findings]
    answered = _answer(exchange.answer, exchange.findings)
    return sections(asked, exchange.verdict, files, answered, places, exchange.operation)


def of_received(received: Received, files: Files) -> tuple[Section, ...]:
    """The sections of a request that the stubbed service answered as it must not."""
    request = received.request
    asked = Asked(request.method, request.path, request.headers, request.body)
    places = [finding.place for finding in received.findings]
    return sections(asked, None, files, _answer(received.answer, received.findings), places, received.operation)


def _answer(answer: Answered, findings: Iterable[Finding]) -> list[str]:
    """Status, headers, the beginning of the body, and what is wrong."""
    lines = [str(answer.status or "no answer")]
    lines += [f"{name}: {'***' if name in _SECRET else value}" for name, value in answer.headers]
    if answer.body:
        text = answer.body[: 4 * MOST_BODY].decode(errors="replace")
        lines += ["", text[:MOST_BODY] + ("..." if len(text) > MOST_BODY else "")]
    wrong = [f"wrong: {finding}" for finding in findings]
    return [*lines, *([""] if wrong else []), *wrong]
