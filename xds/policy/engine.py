"""The two engines behind one interface: input -> Decision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from .bundle import Bundle
from .decision import Decision
from .embedded import EmbeddedEngine, LoadError
from .opa import OpaEngine

__all__ = ["EmbeddedEngine", "Engine", "LoadError", "OpaEngine"]


class Engine(Protocol):
    """Something that decides by policies. No method of a loaded engine makes an allow out of trouble."""

    prunes: bool
    """Whether the input may be cut down to what the loaded bundle reads: only where that very bundle decides."""

    @property
    def revisions(self) -> Mapping[str, str]:
        """The revision in force, by service."""
        ...

    async def load(self, bundles: Mapping[str, Bundle]) -> dict[str, str]:
        """Put these bundles (by service) in force, all that can be at once, in place of those before.

        Returns, by service, why a bundle was refused; such a service keeps the bundle it had, or has none. Raises LoadError
        only if there is no engine to load anything, and then nothing has changed.
        """
        ...

    async def decide(self, service: str, entrypoint: str | None, input: Mapping[str, Any]) -> Decision:
        """The decision of a rule (`catalog/authz/allow`; None: the service's default) for an input document."""
        ...

    async def value(self, service: str, rule: str, input: Mapping[str, Any]) -> Any:
        """The value of a rule that decides nothing (`system/log/mask`), ABSENT if it has none. Raises ValueError."""
        ...

    async def problems(self) -> tuple[str, ...]:
        """Why decisions cannot be made now, a line each; nothing, if they can."""
        ...

    async def close(self) -> None:
        """End what the engine started. Requests under way are denied."""
        ...
