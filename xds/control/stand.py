"""A node's metadata -> where its proxy stands, and what is its own for that: profile, upstream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from xds.address import Address, UnixSocket, Where, where
from xds.envoy import Profile
from xds.model import Gateway, Upstream


@dataclass(frozen=True, slots=True)
class Stand:
    """What a proxy says of where it stands, where that is not as the control plane's profile has it for all."""

    listen: Address | None = None
    companion: Where | None = None
    upstream: Address | None = None

    @classmethod
    def of(cls, metadata: Mapping[str, Any]) -> Stand:
        """Read a node's metadata. Raises ValueError."""
        listen, companion, upstream = (str(metadata.get(name) or "") for name in ("listen", "companion", "upstream"))
        return cls(
            Address.parse(listen) if listen else None,
            where(companion) if companion else None,
            _own(upstream) if upstream else None,
        )

    def profile(self, base: Profile) -> Profile:
        """The profile of a proxy that stands here."""
        if self.listen is not None:
            base = replace(base, listen=(self.listen.host, self.listen.port))
        if isinstance(self.companion, UnixSocket):
            return replace(base, companion=self.companion.path)
        return replace(base, companion=(self.companion.host, self.companion.port)) if self.companion else base

    def placed(self, gateway: Gateway) -> Gateway:
        """The gateway with all its services behind the proxy's own upstream, if it has one. Digests stay."""
        if self.upstream is None:
            return gateway
        to = Upstream("http", self.upstream.host, self.upstream.port)
        services = (
            replace(s, versions=tuple(replace(v, upstream=replace(to, place=v.upstream.place)) for v in s.versions))
            for s in gateway.services
        )
        return replace(gateway, services=tuple(services))

    def __str__(self) -> str:
        places = (("listen", self.listen), ("companion", self.companion), ("upstream", self.upstream))
        return "".join(f" {name}={place}" for name, place in places if place)


def _own(url: str) -> Address:
    """The app beside a proxy: on loopback, so that no node makes its proxy lead elsewhere than the settings say."""
    address = Address.parse(url.removeprefix("http://").rstrip("/"))
    if address.host not in ("127.0.0.1", "::1", "localhost"):
        raise ValueError(f"a proxy's own upstream is on loopback, not at {url}")
    return address


ANYWHERE = Stand()
"""Where most proxies stand: as the profile says."""
