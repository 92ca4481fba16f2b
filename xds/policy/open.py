"""Settings -> Engine."""

from __future__ import annotations

from .engine import EmbeddedEngine, Engine, OpaEngine


def open_engine(opa: str | None, *, workers: int = 2, deadline: float = 0.25) -> Engine:
    """The engine that a project asks for: the OPA server at `opa`, or the embedded one. `deadline` is in seconds."""
    return OpaEngine(opa, deadline_s=deadline) if opa else EmbeddedEngine(workers, deadline)
