"""A case: exact bytes and what must come of them; and the few words that keep tables of cases readable."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.blackbox.http1 import Exchange

if TYPE_CHECKING:
    from tests.blackbox.world import World

CLOSE = 0
"""In a set of statuses: the connection is closed cleanly without an answer."""

BAD = frozenset({400, 404})
PUBLIC, READER, ADMIN = "", "reader", "admin"

Script = Callable[["World"], Exchange]


@dataclass(frozen=True)
class Case:
    """One row.

    `send` is the bytes of one connection, or a script that makes an exchange of its own; `@reader@`, `@admin@` and
    `@trace@` in bytes become tokens and a trace id. `status` are the right answers; `code` the problem's first code (or
    one of several), `pointer` one of its pointers. `same_as` are bytes that must get the same decision. `allowed` says
    whether the upstream sees the request: None means as the status has it, below 400 once, else never. `within` is in
    seconds. `untraced` says why no span can exist (the codec refuses before a request is there). `check` looks further.
    """

    id: str
    send: bytes | Script
    status: Iterable[int]
    code: str | tuple[str, ...] | None = None
    pointer: str | None = None
    same_as: bytes | None = None
    allowed: bool | None = None
    within: float = 5.0
    untraced: str = ""
    check: Callable[[World, Exchange], None] | None = None
    method: str = "GET"
    grows: int = 64 << 20

    def __str__(self) -> str:
        return self.id


def request(
    target: str | bytes, method: str = "GET", token: str = READER, headers: Iterable[str | bytes] = (), body: bytes = b"",
    *, host: str = "gateway.test", length: bool | None = None,
) -> bytes:  # fmt: skip
    """One HTTP/1.1 request; text is written as Latin-1, byte for byte. `length` forces or forbids Content-Length."""
    lines = [b" ".join([method.encode(), _bytes(target), b"HTTP/1.1"]), b"Host: " + host.encode()]
    lines += [b"Authorization: Bearer @" + token.encode() + b"@"] if token else []
    lines += [b"traceparent: 00-@trace@-00f067aa0ba902b7-01", *map(_bytes, headers)]
    if length or (length is None and (body or method in ("POST", "PUT", "PATCH"))):
        lines += [b"Content-Length: %d" % len(body)]
    return b"\r\n".join([*lines, b"", b""]) + body


def post(value: Any, target: str = "/v1/items", media: str = "application/json", token: str = READER) -> bytes:
    """A POST of JSON: of a value, or of bytes as they are."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return request(target, "POST", token, [f"Content-Type: {media}"] if media else [], body)


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")


ITEM: dict[str, Any] = {"name": "Lamp", "price": 12.5, "qty": 1, "tags": ["a"]}


def item(**members: Any) -> dict[str, Any]:
    """The reference item with members changed."""
    return {**ITEM, **members}


def rows(cases: Iterable[Case]) -> Any:
    """A parametrize mark over the cases, named by their ids."""
    import pytest

    listed = list(cases)
    assert len({c.id for c in listed}) == len(listed), "two cases have one id"
    return pytest.mark.parametrize("case", listed, ids=str)
