"""Contract, settings -> digest: 16 hex digits over all that decides how a version's requests are judged."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Mapping
from dataclasses import asdict, dataclass, field, replace

from xds.contract import Contract
from xds.model import KeyScheme, Place, Scheme, Upstream
from xds.settings import ServiceSettings, Settings

FORMAT = 2
"""Part of every digest: raised when the same files begin to be judged differently."""


def digest_of(contract: Contract, configured: ServiceSettings, settings: Settings, hashes: Mapping[str, str]) -> str:
    """16 hex digits over all that decides how a version's requests are judged and where they go, policies apart.

    `hashes` are those of the contract's files.
    """
    schemes = [asdict(_without_keys(settings.schemes[n])) for n in sorted(contract.schemes) if n in settings.schemes]
    upstream = configured.upstream_of(contract.version)
    about = {
        "format": FORMAT,
        "service": contract.service,
        "version": contract.version,
        "upstream": asdict(_undiscovered(upstream)) if upstream else None,
        "hosts": configured.hosts,
        "schemes": schemes,
    }
    content = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    content.update("".join(f"\0{file}\0{hashes[file]}" for file in sorted(hashes)).encode())
    return content.hexdigest()[:16]


def _undiscovered(upstream: Upstream) -> Upstream:
    """An upstream without what may change while nothing else does: where it is written, and endpoints that are discovered."""
    if upstream.traffic.discovered:
        return replace(upstream, place=Place(""), host="", port=0, endpoints=())
    return replace(upstream, place=Place(""))


def _without_keys(scheme: Scheme) -> Scheme:
    """A scheme without where it is written, and without keys that come and go: nobody but the proxy looks at those."""
    placeless = replace(scheme, place=Place(""))
    return replace(placeless, keys=()) if isinstance(placeless, KeyScheme) else placeless


@dataclass(slots=True)
class Hashes:
    """SHA-256 of files, each taken once for the same object."""

    _known: dict[str, tuple[bytes, str]] = field(default_factory=dict)

    def of(self, file: str, data: bytes) -> str:
        known = self._known.get(file)
        if known is None or known[0] is not data:
            known = self._known[file] = data, hashlib.sha256(data).hexdigest()
        return known[1]

    def keep(self, files: Container[str]) -> None:
        """Let go of all other files."""
        for file in [file for file in self._known if file not in files]:
            del self._known[file]
