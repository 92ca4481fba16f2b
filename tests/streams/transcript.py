"""Transcript text -> steps, and a client that plays them against a machine.

A snapshot is `cds: [a=1]`, `rds: [r=1 -> a b]` (resource r with content 1, which names clusters a and b; elsewhere a target
is `rds/r`). A line of `stream` is one of

    publish NAME                        what the clients shall hold
    > subscribe cds [a, b]              `[]` is the empty list, `[*]` the wildcard; later lists add to the subscription
    > unsubscribe cds [a]
    > resume cds [] holding NAME        the first request on a new stream, from a client that holds that snapshot
    > ack cds                           of the newest response of the type; `ack cds n1` of the one with that nonce
    > nack cds "text"
    < cds [a=1, b=1] gone [c]           a response: all its resources, and what delta says is removed
    new stream

A line that starts with `sotw ` or `delta ` counts for that variant only. Responses follow the line that caused them, and
there are no others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from xds.ads.machine import Machine
from xds.ads.messages import Node, Request, Response
from xds.ads.session import DELTA, SOTW
from xds.snapshot.resource import Resource, Snapshot, version_of
from xds.snapshot.types import BY_SHORT, CLUSTER, short

VARIANTS = {"sotw": SOTW.machine, "delta": DELTA.machine}


def url_of(word: str) -> str:
    return BY_SHORT[word].url if word in BY_SHORT else f"type.googleapis.com/{word}"


def made(word: str, text: str) -> Resource:
    """`r=1 -> a b` of a type."""
    content, _, targets = text.partition("->")
    name, _, version = content.strip().partition("=")
    pairs = (t.partition("/") if "/" in t else ("cds", "/", t) for t in targets.split())
    references = tuple((CLUSTER if kind == "cds" else url_of(kind), target) for kind, _, target in pairs)
    return Resource(url_of(word), name, version, text.encode(), references)


def snapshots(document: Mapping[str, Mapping[str, list[str]]]) -> dict[str, Snapshot]:
    return {
        name: Snapshot({url_of(w): {r.name: r for t in texts for r in (made(w, t),)} for w, texts in types.items()})
        for name, types in document.items()
    }


_LIST = re.compile(r"\[(.*?)\]")


def names(text: str) -> tuple[str, ...]:
    found = _LIST.search(text)
    assert found, text
    return tuple(n.strip() for n in found[1].split(",") if n.strip())


@dataclass
class Player:
    """A client that does what a transcript says, and the machine that it talks to."""

    variant: str
    known: dict[str, Snapshot]
    current: Snapshot | None = None
    machine: Machine = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """A new stream of the same client."""
        refusals = self.machine.refusals if hasattr(self, "machine") else None
        self.machine = VARIANTS[self.variant](self.current, lambda *_: None, refusals)
        self.subscribed: dict[str, list[str]] = {}
        self.nonce: dict[str, str] = {}
        self.seen: dict[str, str] = {}
        self.version: dict[str, str] = {}
        self.received: dict[str, Response] = {}

    def play(self, lines: list[str]) -> None:
        due: Iterator[str] = iter(())
        for line in self._mine(lines):
            if line.startswith("<"):
                assert line == next(due, "nothing"), f"expected {line!r}"
                continue
            assert (more := next(due, None)) is None, f"unexpected {more!r} before {line!r}"
            due = iter([self._shown(response) for response in self._do(line)])
        assert (more := next(due, None)) is None, f"unexpected {more!r} at the end"

    def _mine(self, lines: list[str]) -> Iterator[str]:
        for line in lines:
            word, _, rest = line.partition(" ")
            if word not in VARIANTS:
                yield line
            elif word == self.variant:
                yield rest.strip()

    def _shown(self, response: Response) -> str:
        self.received[response.type_url] = response
        self.nonce[response.type_url] = response.nonce
        gone = f" gone [{', '.join(response.removed)}]" if response.removed else ""
        shown = ", ".join(sorted(f"{r.name}={r.version}" for r in response.resources))
        return f"< {short(response.type_url)} [{shown}]{gone}"

    def _do(self, line: str) -> list[Response]:
        if line == "new stream":
            self.restart()
            return []
        if line.startswith("publish "):
            self.current = self.known[line.split()[1]]
            return self.machine.publish(self.current)
        _, verb, word, *rest = line.split(None, 3)
        request = getattr(self, f"_{verb}")(url_of(word), rest[0] if rest else "")
        return self.machine.feed(request)

    def _request(self, url: str, added: tuple[str, ...] = (), dropped: tuple[str, ...] = (), **more: object) -> Request:
        node = Node("n") if not self.nonce else None
        wanted = self.subscribed.setdefault(url, [])
        wanted[:] = [n for n in dict.fromkeys((*wanted, *added)) if n not in dropped]
        if self.variant == "delta":
            return Request(url, names=added, dropped=dropped, node=node, **more)  # type: ignore[arg-type]
        fields = {"nonce": self.seen.get(url, ""), "version": self.version.get(url, ""), **more}
        return Request(url, names=tuple(wanted), node=node, **fields)  # type: ignore[arg-type]

    def _subscribe(self, url: str, text: str) -> Request:
        return self._request(url, names(text))

    def _unsubscribe(self, url: str, text: str) -> Request:
        return self._request(url, (), names(text))

    def _resume(self, url: str, text: str) -> Request:
        wanted = names(text)
        held = self.known[text.split()[-1]].of(url)
        if wanted:
            held = {n: r for n, r in held.items() if n in wanted}
        if self.variant == "delta":
            return self._request(url, wanted, held={n: r.version for n, r in held.items()})
        self.version[url] = version_of(held)
        return self._request(url, wanted)

    def _ack(self, url: str, text: str) -> Request:
        nonce = text.removeprefix("n") or self.nonce[url]
        if not text:
            self.version[url] = self.received[url].version
        self.seen[url] = nonce
        return self._request(url, nonce=nonce)

    def _nack(self, url: str, text: str) -> Request:
        self.seen[url] = self.nonce[url]
        return self._request(url, nonce=self.nonce[url], error=text.strip('"'))
