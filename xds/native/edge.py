"""Edge: what sidegate.yaml says of native features for the whole gateway."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edge:
    """Gateway-wide settings of native features, each with a default that asks for nothing. Hashable: routes depend on it."""
