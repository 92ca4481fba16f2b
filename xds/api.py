"""A contract, and an object with a method for each operationId -> an ASGI application, on connexion."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any


def contract_app(contract: Path, operations: object) -> Any:
    """The application that a contract describes. `operations` has one coroutine method for each operationId, which takes
    the parameters by name and answers with content and status."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # connexion's own use of its dependencies
        from connexion import AsyncApp
        from connexion.options import SwaggerUIOptions
        from connexion.resolver import Resolver

    def resolve(operation: str) -> Callable[..., Any]:
        found: Callable[..., Any] = getattr(operations, operation)
        return found

    pages = SwaggerUIOptions(swagger_ui=False)
    app = AsyncApp(__name__, specification_dir=str(contract.parent), swagger_ui_options=pages)
    app.add_api(contract.name, resolver=Resolver(resolve))
    return app
