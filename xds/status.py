"""A control plane's management API -> each of its proxies: synced, stale, or what it rejected and which line that came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xds.address import Where
from xds.failure import CannotRun
from xds.http.ask import get

PATIENCE_S = 10.0
"""One that compiles a large contract is busy, not gone."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """What a proxy refused: the type's short name, what it said, and `file:line:column` of the contract, where one is known."""

    type: str
    message: str
    place: str | None


@dataclass(frozen=True, slots=True)
class Client:
    """A proxy: `state` is `synced`, `stale` (it does not hold the newest yet) or `rejected`. `since` is when it connected,
    in seconds of the Unix epoch."""

    service: str
    node: str
    state: str
    since: float
    rejected: tuple[Rejection, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.service} {self.node}"


@dataclass(frozen=True, slots=True)
class Companion:
    """A companion that reports: the digests it would judge by, and why it cannot, if it cannot."""

    service: str
    node: str
    digests: Mapping[str, str]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """Everything that is connected; `wanted` are the digests that all shall hold."""

    clients: tuple[Client, ...]
    companions: tuple[Companion, ...]
    wanted: Mapping[str, str]

    @property
    def well(self) -> bool:
        """Whether every proxy holds what is wanted."""
        return all(client.state == "synced" for client in self.clients)


def status(management: Where, patience: float = PATIENCE_S) -> Status:
    """Ask a control plane. Raises CannotRun if none answers within `patience` seconds a question, or something else does."""
    paths = ("/clients", "/companions", "/services")
    clients, companions, services = (_asked(management, path, patience) for path in paths)
    try:
        wanted = {f"{s['name']}/{v['name']}": v["digest"] for s in services for v in s["versions"]}
        return Status(tuple(map(_client, clients)), tuple(map(_companion, companions)), wanted)
    except (KeyError, TypeError, AttributeError) as error:
        raise CannotRun(_no_control_plane(management, "something else answers")) from error


def _asked(management: Where, path: str, patience: float) -> Any:
    got = get(f"{management.url}{path}", patience)
    if got.status != 200 or got.json is None:
        raise CannotRun(_no_control_plane(management, got.why or f"status {got.status}"))
    if not isinstance(got.json, list):
        raise CannotRun(_no_control_plane(management, "something else answers"))
    return got.json


def _no_control_plane(management: Where, why: str) -> str:
    return f"no control plane answers at {management}: {why}. Next: --address, where its management API is"


def _client(row: Mapping[str, Any]) -> Client:
    node = row["node"]
    rejected = tuple(Rejection(each["type"], each["message"], each["place"]) for each in row["rejected"])
    state = "rejected" if rejected else "synced" if row["live"] else "stale"
    return Client(str(node["metadata"].get("service") or "edge"), node["id"], state, row["since"], rejected)


def _companion(row: Mapping[str, Any]) -> Companion:
    digests = {name: held[0] for name, held in row["digests"].items() if held}
    return Companion(row["service"] or "edge", row["node"], digests, tuple(row["problems"]))
