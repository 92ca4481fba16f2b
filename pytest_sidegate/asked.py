"""Operation -> what the proxy asks of its requests before anybody judges them: lengths, and whether a companion is asked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from pytest_sidegate.credentials import Word
from xds.model import Mode, Operation, Placement, SchemeKind, Version
from xds.streaming import streams

BODY = 1 << 20
"""The limit of a body whose operation names none, in bytes."""


@dataclass(frozen=True, slots=True)
class Asked:
    """An operation as its route has it.

    `companion` says whether the companion is asked, `streamed` that the body goes by unseen, `limit` how large a body may be
    that is held back to be judged, `announced` the largest length that a request may announce, None if any.
    """

    version: Version
    operation: Operation
    companion: bool
    streamed: bool
    limit: int
    announced: int | None

    @property
    def is_held(self) -> bool:
        """Whether somebody holds the body back and counts it."""
        return not self.streamed and (self.companion or self.operation.native.body_limit is not None)

    def by_length(self, length: int | None) -> str | None:
        """The code of a refusal by what a request announces; `length` is None if it does not."""
        if self.announced is not None and (length or 0) > self.announced:
            return "body-too-large"
        if length is None and self.streamed and self.operation.native.body_limit is not None:
            return "length-required"
        return None

    def by_word(self, word: Word) -> str | None:
        """The code of a refusal by credentials; None if the request goes on, perhaps to be refused by the companion."""
        if word.word == "pass" or (word.word == "insufficient-scope" and self._is_later):
            return None
        if word.word in ("insufficient-scope", "keys-unavailable"):
            return word.word
        kinds = {c.kind for a in self.operation.security for c in a.credentials}
        if kinds == {SchemeKind.JWT}:
            return f"token-{word.word}"
        return "credentials-missing" if word.word == "missing" else "credentials-invalid"

    @property
    def _is_later(self) -> bool:
        """Whether scopes are answered for after the contract's checks."""
        return self.companion and self.operation.mode is not Mode.OFF


def asked_of(version: Version, operation: Operation) -> Asked:
    """What is asked of an operation's requests."""
    return _asked(_Once(version, operation))


@dataclass(frozen=True, slots=True, eq=False)
class _Once:
    version: Version
    operation: Operation

    def __hash__(self) -> int:
        return id(self.operation)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Once) and other.operation is self.operation and other.version is self.version


@lru_cache(maxsize=4096)
def _asked(once: _Once) -> Asked:
    version, operation = once.version, once.operation
    companion = operation.plain is not None or any(c.placement is Placement.COMPANION for c in operation.checks)
    body, own = operation.body, operation.native.body_limit
    streamed = body is not None and streams(body, version.schemas)
    judged = body is not None and companion and not streamed
    announced = own if own is not None else body.limit if body is not None and judged else None
    return Asked(version, operation, companion, streamed, body.limit if body else own or BODY, announced)
