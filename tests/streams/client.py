"""Client: the other side of ADS, as the protocol's text has it, without I/O; for tests and the bench.

Like Envoy it takes all clusters and listeners and asks for the routes that its listeners name; `extra` are names that it
asks for besides. It refuses a response that holds a resource of which `bad` is true: whole, or keeping the good ones
(`lenient`), as delta clients may. It answers what it receives in order, and never looks at the server.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from xds.ads.messages import Node, Request, Response
from xds.snapshot.resource import Resource
from xds.snapshot.types import CLUSTER, LISTENER, ROUTES

Bad = Callable[[Resource], bool]


@dataclass
class Client:
    variant: str
    bad: Bad = lambda _resource: False
    lenient: bool = False
    talkative: bool = True
    node: Node = field(default_factory=lambda: Node("n", "g"))
    held: dict[str, dict[str, Resource]] = field(default_factory=lambda: {CLUSTER: {}, LISTENER: {}, ROUTES: {}})
    extra: set[str] = field(default_factory=set)
    routes: set[str] = field(default_factory=set)
    version: dict[str, str] = field(default_factory=dict)
    nonce: dict[str, str] = field(default_factory=dict)
    started: bool = False
    out: deque[Request] = field(default_factory=deque)
    refused: set[frozenset[tuple[str, str, str]]] = field(default_factory=set)
    doubtful: set[tuple[str, str]] = field(default_factory=set)
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)

    def connect(self) -> None:
        """Opens a new stream, telling what is held already."""
        if any(request.error for request in self.out):
            self.refused.clear()  # the server never heard of it, and may send the same again
        self.out.clear()
        self.nonce = {}
        self.routes = self._wanted()
        for url in (CLUSTER, LISTENER):
            self._send(url, self._first(url))
        self.started = bool(self.routes)
        if self.started:
            self._send(ROUTES, self._first(ROUTES))

    def _first(self, url: str) -> Request:
        names = tuple(sorted(self.routes)) if url == ROUTES else ()
        self.asked.update((url, n) for n in names if n not in self.held[url])
        if self.variant == "delta":
            held = {n: r.version for n, r in self.held[url].items() if url != ROUTES or n in self.routes}
            return Request(url, names=names, held=held)
        return Request(url, names=names, version=self.version.get(url, ""))

    def _send(self, url: str, request: Request) -> None:
        self.out.append(replace(request, node=self.node))

    def _wanted(self) -> set[str]:
        named = {n for r in self.held[LISTENER].values() for url, n in r.references if url == ROUTES}
        return named | self.extra

    def resubscribe(self) -> None:
        """Brings the subscription to routes in line with what the listeners name."""
        wanted = self._wanted()
        if wanted == self.routes:
            return
        added, dropped = wanted - self.routes, self.routes - wanted
        for name in dropped:
            self.held[ROUTES].pop(name, None)
            self.doubtful.discard((ROUTES, name))
        self.routes = wanted
        self.asked.update((ROUTES, n) for n in added)
        if not self.started:
            self.started = True
            self._send(ROUTES, self._first(ROUTES))
        elif self.variant == "delta":
            self._send(ROUTES, Request(ROUTES, names=tuple(sorted(added)), dropped=tuple(sorted(dropped))))
        else:
            self._send(ROUTES, self._standing(ROUTES))

    def _standing(self, url: str, error: str | None = None) -> Request:
        names = tuple(sorted(self.routes)) if url == ROUTES else ()
        return Request(url, names, self.nonce.get(url, ""), self.version.get(url, ""), error)

    def receive(self, response: Response) -> None:
        """Applies or refuses a response, and answers it."""
        url = response.type_url
        self._judge(response)
        self.nonce[url] = response.nonce
        wrong = [r for r in response.resources if self.bad(r)]
        if not wrong or self.lenient:
            self._apply(response, wrong)
        error = self._refuse(response, wrong) if wrong else None
        if error is None:
            self.version[url] = response.version
        if self.variant == "delta":
            self._send(url, Request(url, nonce=response.nonce, error=error))
        else:
            self._send(url, self._standing(url, error))
        self.resubscribe()

    def _apply(self, response: Response, wrong: list[Resource]) -> None:
        held = self.held[response.type_url]
        good = {r.name: r for r in response.resources if r not in wrong}
        if self.variant == "sotw" and response.type_url != ROUTES:
            for name in held.keys() - {r.name for r in response.resources}:
                del held[name]
        held.update((n, r) for n, r in good.items() if response.type_url != ROUTES or n in self.routes)
        for name in response.removed:
            held.pop(name, None)

    def _refuse(self, response: Response, wrong: list[Resource]) -> str:
        url = response.type_url
        fresh = {(r.name, r.version) for r in response.resources}
        self.doubtful |= {(url, n) for n in (*(n for n, _ in fresh), *response.removed)}
        if self.talkative:
            self.refused |= {frozenset({(url, r.name, r.version) for r in wrong})}
            return "cannot take " + ", ".join(r.name for r in wrong)
        self.refused.add(frozenset((url, *pair) for pair in fresh))
        return "no"

    def _judge(self, response: Response) -> None:
        """Notes what the server should not have sent."""
        url = response.type_url
        sent = {(url, r.name, r.version) for r in response.resources}
        self.complaints += [f"refused before: {sorted(r)}" for r in self.refused if r <= sent]
        whole = self.variant == "sotw" and url != ROUTES
        for r in response.resources:
            held = self.held[url].get(r.name)
            wanted = (url, r.name) in self.doubtful or self.asked[url, r.name] > 0
            if not whole and held is not None and held.version == r.version and not wanted:
                self.complaints.append(f"sent what is held: {url} {r.name}={r.version}")
            self.asked[url, r.name] = max(0, self.asked[url, r.name] - 1)
            self.doubtful.discard((url, r.name))
        if whole and not response.resources:
            self.complaints.append(f"an empty state of the world: {url}")

    def unbacked(self) -> set[str]:
        """Clusters that what is held names and that are not held."""
        named = {
            n for url in (LISTENER, ROUTES) for r in self.held[url].values() for u, n in r.references if u == CLUSTER
        }
        return named - self.held[CLUSTER].keys()
