"""contracts/*.yaml -> two small services in one process, built with connexion from the gateway's own contracts."""

from __future__ import annotations

import argparse
import functools
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

os.environ["BEARERINFO_FUNC"] = os.environ["TOKENINFO_FUNC"] = "tokens.claims"  # connexion looks there

import catalog
import connexion
import orders
import uvicorn
from connexion.lifecycle import ConnexionResponse
from connexion.options import SwaggerUIOptions
from connexion.resolver import Resolver
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

CONTRACTS = Path(__file__).resolve().parents[1] / "contracts"
OPERATIONS: dict[str, Mapping[str, Callable[..., Any]]] = {
    "catalog/v1.yaml": catalog.V1,
    "catalog/v2.yaml": catalog.V2,
    "orders/v1.yaml": orders.V1,
}


def answering(operation: Callable[..., Any]) -> Callable[..., Any]:
    """The operation with its (value, status) as a response of the media type that the contract has for the status."""

    @functools.wraps(operation)  # keeps the signature, by which connexion passes the parameters
    async def answer(**arguments: Any) -> ConnexionResponse:
        value, status = await operation(**arguments)
        media_type = "application/json" if status < 400 else "application/problem+json"
        body = json.dumps(value) if status != 204 else None
        return ConnexionResponse(status_code=status, content_type=media_type, body=body)

    return answer


async def ready(request: Request) -> Response:
    """Says that every contract is loaded; the supervisor waits for it. Not part of any contract."""
    return JSONResponse({"ready": True})


async def treasure(request: Request) -> Response:
    """What a service answers though no contract says so. The gateway must never let anybody see it."""
    return PlainTextResponse("hidden treasure")


def application() -> connexion.AsyncApp:
    """All three contracts as one ASGI application, each under the path of its `servers`."""
    app = connexion.AsyncApp("shop", specification_dir=str(CONTRACTS))
    for file, functions in OPERATIONS.items():
        app.add_api(
            file,
            name=file,
            resolver=Resolver(lambda name, functions=functions: answering(functions[name])),
            swagger_ui_options=SwaggerUIOptions(swagger_ui=False),
        )
    app.add_url_rule("/ready", "ready", ready)
    for version in ("v1", "v2"):
        app.add_url_rule(f"/catalog/{version}/internal/treasure", f"treasure-{version}", treasure)
    return app


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--listen", default="127.0.0.1:9001", metavar="HOST:PORT")
    host, _, port = arguments.parse_args().listen.rpartition(":")
    uvicorn.run(application(), host=host, port=int(port), log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
