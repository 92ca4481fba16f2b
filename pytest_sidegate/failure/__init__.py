"""A contract test that failed -> what was asked, the violated line of the contract, the decision trace, and a curl line."""

from __future__ import annotations

from .curl import Secrets, curl, secrets_of
from .sections import Asked, Section, as_text, sections

__all__ = ["Asked", "Secrets", "Section", "as_text", "curl", "sections", "secrets_of"]
