"""A request -> CPU of judging it by its contract, beside openapi-core's in the same run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

from sidecar.message import Request
from sidecar.validate import Validators
from tests.bench.row import Row, ratio_row
from tests.conformance.judges import Asked
from tests.validate.contracts import ITEM_ID, compiled

GROUP = "CPU of judging one request by its contract (the baseline is openapi-core)"
LABELS = {
    "get": "GET, two typed parameters",
    "post": "POST, JSON of 20 fields, 1 kB",
    "post, refused": "the same, refused with two violations",
}
TEXT = {"type": "string", "maxLength": 64, "pattern": "^[a-z ]+$"}
ITEM = {
    "type": "object",
    "required": ["n"],
    "additionalProperties": False,
    "properties": {
        **{f"f{index}": TEXT for index in range(18)},
        "n": {"type": "integer"},
        "m": {"type": "number", "minimum": 0},
    },
}
PARAMETERS = [
    {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}},
    {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 100}},
]
DOCUMENT: dict[str, Any] = {
    "paths": {
        "/items/{id}": {
            "parameters": PARAMETERS,
            "get": {"operationId": "get", "responses": {"200": {"description": "ok"}}},
            "post": {
                "operationId": "post",
                "requestBody": {"required": True, "content": {"application/json": {"schema": ITEM}}},
                "responses": {"201": {"description": "ok"}},
            },
        }
    }
}
BODY = json.dumps(
    {**{f"f{index}": "abcdef ghijk lmnop qrstuv wxyz abcdefghijk" for index in range(18)}, "n": 5, "m": 1.5}
)
HEADERS = (("host", "a"), ("user-agent", "bench"), ("accept", "*/*"), ("content-type", "application/json"))
REQUESTS = {
    "get": Request("GET", f"/items/{ITEM_ID}", "limit=5", HEADERS[:3]),
    "post": Request("POST", f"/items/{ITEM_ID}", "limit=5", HEADERS, BODY.encode()),
    "post, refused": Request("POST", f"/items/{ITEM_ID}", "limit=0", HEADERS, BODY.replace("1.5", "-1").encode()),
}


def microseconds(call: Callable[[], object], times: int) -> float:
    """The best of five runs, CPU time of this process."""
    best = float("inf")
    for _ in range(5):
        began = process_time()
        for _ in range(times):
            call()
        best = min(best, process_time() - began)
    return best / times * 1e6


def measure(folder: Path) -> list[Row]:
    """A row a request; openapi-core, which walks the document each time, is the baseline."""
    from openapi_core import OpenAPI

    contract = compiled(DOCUMENT)
    validators = Validators(contract.schemas, contract.operations)
    frame = {"openapi": "3.1.1", "info": {"title": "bench", "version": "1"}, "servers": [{"url": "/"}]}
    judge = OpenAPI.from_dict({**frame, **DOCUMENT})

    def theirs(asked: Request) -> object:
        try:
            return judge.validate_request(Asked(asked))
        except Exception as refusal:  # noqa: BLE001
            return refusal

    rows = []
    for name, asked in REQUESTS.items():
        operation = name.partition(",")[0]
        ours = microseconds(lambda: validators.judge(operation, asked), 5_000)  # noqa: B023
        other = microseconds(lambda: theirs(asked), 50)  # noqa: B023
        rows.append(ratio_row(GROUP, LABELS[name], "µs", (other, ours)))
    return rows
