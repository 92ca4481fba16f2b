"""OpenAPI documents -> Contract: operations, schemas and what is wrong with them."""

from __future__ import annotations

from .compiler import Contract, compile_contract
from .memory import Cache
from .paths import overlap, precedes
from .security import SecurityScheme
from .sources import schema_place

__all__ = ["Cache", "Contract", "SecurityScheme", "compile_contract", "overlap", "precedes", "schema_place"]
