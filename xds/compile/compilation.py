"""One project, compiled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from xds.diagnostics import Diagnostic
from xds.model import Gateway, Service
from xds.policy.bundle import Bundle
from xds.settings import Settings


@dataclass(frozen=True, slots=True)
class Compilation:
    """One project, compiled.

    `gateway` and `bundles` hold only services without errors; `refused` names the others; `diagnostics` are all that was
    found. With errors in the settings nothing compiles: `gateway` is empty and `refused` is every service. `withheld` are the
    digests, by `service/version`, of what compiles and is refused since it breaks clients of what is served.
    """

    gateway: Gateway = Gateway((), ())
    bundles: Mapping[str, Bundle] = field(default_factory=dict)
    refused: frozenset[str] = frozenset()
    diagnostics: tuple[Diagnostic, ...] = ()
    settings: Settings = field(default_factory=Settings)
    withheld: Mapping[str, str] = field(default_factory=dict)

    @property
    def digests(self) -> dict[str, str]:
        """`service/version` -> digest, of what compiled."""
        return self.digests_of(None)

    def digests_of(self, service: str | None) -> dict[str, str]:
        """The same of one service; None means all of them."""
        services = [s for s in self.gateway.services if service in (None, s.name)]
        return {f"{v.service}/{v.name}": v.digest for s in services for v in s.versions}

    def service(self, name: str) -> Service | None:
        return next((s for s in self.gateway.services if s.name == name), None)
