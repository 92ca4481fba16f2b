"""Client, Event: who is connected, what they hold, and what happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xds.ads.messages import Node


@dataclass(frozen=True, slots=True)
class Holding:
    """One type of one client. Versions are those of the whole type; `nacked` is the refused version and the message.

    `names` counts explicit names, `wildcard` says all; `settled` that the client holds what it shall; `withheld` names
    resources that are not sent because the client refused them or what they name. `since` is when it last answered, in
    seconds of the Unix epoch.
    """

    sent: str
    acked: str
    nacked: tuple[str, str] | None
    names: int
    wildcard: bool
    settled: bool
    withheld: tuple[str, ...]
    since: float


@dataclass(frozen=True, slots=True)
class Client:
    """One stream. `variant` is `delta` or `sotw`; `live` says that all that it asked for of the snapshot is ACKed."""

    node: Node
    peer: str
    group: str
    variant: str
    since: float
    live: bool
    types: Mapping[str, Holding]


@dataclass(frozen=True, slots=True)
class Connected:
    """A node opened a stream. `served` is False if its group has no snapshot: it gets nothing, which is not an empty set."""

    node: Node
    peer: str
    group: str
    served: bool


@dataclass(frozen=True, slots=True)
class Disconnected:
    """A stream ended; `reason` is empty if the client ended it."""

    node: Node | None
    peer: str
    reason: str


@dataclass(frozen=True, slots=True)
class Denied:
    """A node was refused what it asked to be; nothing was sent to it."""

    node: Node
    peer: str
    reason: str


@dataclass(frozen=True, slots=True)
class Acked:
    """A node accepted a version of a type."""

    node: Node
    group: str
    type_url: str
    version: str


@dataclass(frozen=True, slots=True)
class Nacked:
    """A node refused a version of a type; `names` are the resources that its message mentions."""

    node: Node
    group: str
    type_url: str
    version: str
    message: str
    names: tuple[str, ...]


Event = Connected | Disconnected | Denied | Acked | Nacked
