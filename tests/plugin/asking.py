"""One request -> what a real gateway answers and what the verdicts say of it, side by side."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pytest_sidegate.verdicts import Verdicts
from tests.features.hop import Hop
from tests.waiting import PATIENCE_S

Pairs = Iterable[tuple[str, str]]


@dataclass(frozen=True)
class Told:
    """What both must agree on; `problem` is without the trace, which only a real request has."""

    status: int
    allow: str | None
    problem: dict[str, Any] | None


def real(hop: Hop, method: str, target: str, headers: Pairs = (), body: bytes = b"") -> Told:
    """The gateway's answer. The target and each header go over the wire as they are."""
    connection = http.client.HTTPConnection("127.0.0.1", hop.gateway.port, timeout=PATIENCE_S)
    pairs = [(name.lower(), value) for name, value in headers]
    try:
        connection.putrequest(method, "/", skip_host=True, skip_accept_encoding=True)
        connection._buffer[0] = f"{method} {target} HTTP/1.1".encode("latin-1")  # http.client takes no odd targets
        for name, value in _whole(pairs, method, body):
            connection.putheader(name, value.encode("latin-1"))
        connection.endheaders(body or None)
        answer = connection.getresponse()
        data = answer.read()
    finally:
        connection.close()
    problem = json.loads(data) if answer.getheader("content-type") == "application/problem+json" and data else None
    return Told(answer.status, answer.getheader("allow"), _traceless(problem))


def _whole(pairs: list[tuple[str, str]], method: str, body: bytes) -> list[tuple[str, str]]:
    names = {name for name, _ in pairs}
    host = [] if "host" in names else [("host", "localhost")]
    sized = {"content-length", "transfer-encoding"} & names or not (body or method in ("POST", "PUT", "PATCH"))
    return [*host, *pairs, *([] if sized else [("content-length", str(len(body)))])]


def told(verdicts: Verdicts, method: str, target: str, headers: Pairs = (), body: bytes = b"") -> Told:
    """What the verdicts say."""
    verdict = verdicts.judge(method, target, headers, body)
    sent = dict(verdict.refusal.headers) if verdict.refusal else {}
    problem = None if method == "HEAD" else verdict.problem
    return Told(verdict.status, sent.get("allow"), _traceless(dict(problem) if problem else None))


def _traceless(problem: dict[str, Any] | None) -> dict[str, Any] | None:
    return {name: value for name, value in problem.items() if name != "traceId"} if problem is not None else None


def disagreements(hop: Hop, verdicts: Verdicts, requests: Iterable[tuple[str, str, Pairs, bytes]]) -> list[Any]:
    """The requests on which the two differ, with what each said."""
    found = []
    for method, target, headers, body in requests:
        headers = list(headers)
        one, other = real(hop, method, target, headers, body), told(verdicts, method, target, headers, body)
        if one != other:
            found.append((f"{method} {target[:120]}", headers, body[:60], one, other))
    return found
