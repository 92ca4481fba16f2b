"""Requests -> answers, a few at a time over connections that stay open, each request marked by a number of its own."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tests.waiting import PATIENCE_S

MARK = "x-test-number"
LANES = 3


@dataclass(frozen=True)
class Call:
    """One request as it is written: `number` is its mark, by which the upstream's journal knows it."""

    number: int
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What came back: header names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        """The problem document, or {}."""
        is_problem = self.headers.get("content-type") == "application/problem+json"
        return json.loads(self.body) if is_problem and self.body else {}

    @property
    def errors(self) -> list[tuple[str, str, str]]:
        """(in, pointer, code) of each violation."""
        return [(e["in"], e["pointer"], e["code"]) for e in self.problem.get("errors", [])]


def exchange(port: int, calls: Iterable[Call]) -> dict[int, Answer]:
    """Ask everything of the server on a port of loopback; the answers by number."""
    calls = list(calls)
    with ThreadPoolExecutor(LANES) as lanes:
        found = lanes.map(lambda lane: _lane(port, calls[lane::LANES]), range(LANES))
        return {number: answer for answers in found for number, answer in answers.items()}


def _lane(port: int, calls: list[Call]) -> dict[int, Answer]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    answers = {}
    for call in calls:
        try:
            answers[call.number] = _ask(connection, call)
        except (ConnectionError, http.client.RemoteDisconnected):  # closed after the last answer, which is its right
            connection.close()
            answers[call.number] = _ask(connection, call)
    connection.close()
    return answers


def _ask(connection: http.client.HTTPConnection, call: Call) -> Answer:
    connection.putrequest(call.method, call.target, skip_host=True, skip_accept_encoding=True)
    for name, value in (*call.headers, (MARK, str(call.number))):
        connection.putheader(name, value)
    if call.body or call.method in ("POST", "PUT", "PATCH"):
        connection.putheader("content-length", str(len(call.body)))
    connection.endheaders(call.body or None)
    response = connection.getresponse()
    body = response.read()
    return Answer(response.status, {n.lower(): v for n, v in response.getheaders()}, body)
