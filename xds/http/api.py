"""A contract, and an object with a method for each operationId -> an ASGI application, on connexion."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from ipaddress import ip_address
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
    return _only_by_address(app)


def _only_by_address(app: Any) -> Any:
    """Refuse a Host that is a name other than localhost: a web page may point its own name at this address (rebinding)."""

    async def asked(scope: Any, receive: Any, send: Any) -> None:
        hosts = [value.decode("latin-1") for name, value in scope.get("headers", ()) if name == b"host"]
        if scope["type"] == "http" and not all(_is_address(host) for host in hosts):
            body = b'{"title":"Misdirected Request","status":421,"detail":"ask by address or as localhost"}'
            headers = [(b"content-type", b"application/problem+json"), (b"content-length", b"%d" % len(body))]
            await send({"type": "http.response.start", "status": 421, "headers": headers})
            await send({"type": "http.response.body", "body": body})
            return
        await app(scope, receive, send)

    return asked


def _is_address(host: str) -> bool:
    name = host.removeprefix("[").partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    if name.lower() == "localhost":
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
