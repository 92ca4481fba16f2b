"""management.yaml -> the control plane's API."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from xds.ads.events import Client, Nacked
from xds.control.groups import Companion
from xds.control.plane import ControlPlane
from xds.control.rejection import rejection
from xds.control.why import why
from xds.explain import explain_operation, operation_rows
from xds.http.api import contract_app
from xds.http.scrape import CONTENT_TYPE, scrape
from xds.model import Version

Answer = tuple[Any, int]

RUN = "/var/run/sidegate"
"""Where pods have their sockets, unless they were told otherwise."""
ASKED = 8
"""How many companions are named in a sentence."""
NOT_FOUND: Answer = ({"title": "Not Found", "status": 404}, 404)


class Management:
    """One method an operation of management.yaml, by its operationId."""

    def __init__(self, plane: ControlPlane, fetch: Callable[[str], Any]) -> None:
        """`fetch` gets a URL's JSON, or None if it cannot be had."""
        self.plane, self.fetch = plane, fetch

    async def ready(self) -> Answer:
        readiness = await self.plane.readiness()
        companions = [c for c in self.plane.publisher.living(self.plane.service) if c.admin]
        # Reports are up to some seconds old; whether a companion is there now, it must say itself.
        healthy = await asyncio.gather(*(self.fetch(f"{c.admin}/health") for c in companions))
        silent = (
            f"companion {c.node} does not answer" for c, health in zip(companions, healthy, strict=True) if not health
        )
        missing = (*readiness.missing, *silent)
        return {**asdict(readiness), "missing": missing, "ready": not missing}, 503 if missing else 200

    async def services(self) -> Answer:
        gateway = self.plane.publisher.wanted.gateway
        return [
            {"name": s.name, "hosts": s.hosts, "versions": [{"name": v.name, "digest": v.digest} for v in s.versions]}
            for s in gateway.services
        ], 200

    async def operations(self, service: str, version: str) -> Answer:
        found = self._version(service, version)
        return (operation_rows(found), 200) if found else NOT_FOUND

    async def explain(self, service: str, version: str, operation: str) -> Answer:
        found = self._version(service, version)
        chosen = next((o for o in found.operations if o.id == operation), None) if found else None
        if found is None or chosen is None:
            return NOT_FOUND
        files = self.plane.project.tree.files
        bundle = self.plane.publisher.wanted.bundles.get(service)
        edge = self.plane.publisher.wanted.gateway.edge
        return explain_operation(found, chosen, bundle, files, edge.patches, edge.plans), 200

    async def decisions(self, limit: int = 100) -> Answer:
        records: list[dict[str, Any]] = []
        for companion in self._beside():
            records.extend(await self.fetch(f"{companion.admin}/decisions?limit={limit}") or [])
        return sorted(records, key=lambda r: -float(r["time"]))[:limit], 200

    async def decision(self, trace: str) -> Answer:
        for companion in self._beside():
            if record := await self.fetch(f"{companion.admin}/decisions/{trace}"):
                return self._why(record), 200
        if line := self.plane.access.of_trace(trace):
            return self._why(line), 200
        return self._elsewhere(trace), 404

    def _elsewhere(self, trace: str) -> dict[str, Any]:
        """What to say of a trace that is not known here: companions in pods of their own keep what they decided."""
        not_found, _ = NOT_FOUND
        far = sorted(c.name for c in self.plane.publisher.companions.values() if not c.admin)
        if not far:
            return {**not_found, "detail": "a gateway remembers its last few thousand requests"}
        told = ", ".join(far[:ASKED]) + (f" and {len(far) - ASKED} more" if len(far) > ASKED else "")
        command = f"sidegate explain {trace} --management unix:{RUN}/companion-api.sock"
        detail = f"not among what is kept here; these keep their own: {told}. In the pod of one of them: {command}"
        return {**not_found, "detail": detail, "companions": far}

    async def diagnostics(self) -> Answer:
        found = self.plane.publisher.wanted.diagnostics
        return [{**asdict(d), "severity": d.severity.value} for d in found], 200

    async def clients(self) -> Answer:
        return [{**asdict(c), "rejected": list(self._rejected(c))} for c in self.plane.server.clients()], 200

    def _rejected(self, client: Client) -> Iterator[dict[str, Any]]:
        """What a proxy refused, with the contract's line."""
        for url, holding in client.types.items():
            if holding.nacked is not None:
                nacked = Nacked(client.node, client.group, url, *holding.nacked, holding.withheld)
                said = rejection(nacked, self.plane.publisher.wanted, self.plane.project.tree).diagnostic
                place = str(said.span) if said.span else None
                yield {"type": url.rpartition(".")[2], "message": said.message, "place": place}

    async def companions(self) -> Answer:
        return [asdict(c) for c in self.plane.publisher.companions.values()], 200

    async def metrics(self) -> Any:
        text = await scrape(self.plane.proxy) if self.plane.proxy else None
        if text is None:
            return {"title": "Service Unavailable", "status": 503, "detail": "no proxy answers here"}, 503
        return text, 200, {"content-type": CONTENT_TYPE}

    async def report(self, node: str, body: Mapping[str, Any]) -> Answer:
        return self.plane.companions.report(node, body), 200

    def _beside(self) -> list[Companion]:
        """The companions that can be asked: those in pods of their own keep to themselves."""
        return [companion for companion in self.plane.publisher.companions.values() if companion.admin]

    def _why(self, record: Mapping[str, Any]) -> dict[str, Any]:
        return why(record, self.plane.publisher.wanted, self.plane.project.tree.files)

    def _version(self, service: str, version: str) -> Version | None:
        found = self.plane.publisher.wanted.service(service)
        return next((v for v in found.versions if v.name == version), None) if found else None


def management_app(plane: ControlPlane, fetch: Callable[[str], Any]) -> Any:
    """The API as an ASGI application."""
    return contract_app(Path(__file__).with_name("management.yaml"), Management(plane, fetch))
