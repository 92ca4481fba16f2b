"""Contract text -> judged requests, for the tests of this folder."""

from __future__ import annotations

import base64
from typing import Any

import yaml

from sidecar.message import Judgement, Request
from sidecar.validate import Validators
from xds.contract import Contract, compile_contract
from xds.diagnostics import has_errors

FILE = "contracts/test/v1.yaml"
ITEM_ID = "123e4567-e89b-12d3-a456-426614174000"


def compiled(document: dict[str, Any]) -> Contract:
    """Compile one OpenAPI document, given as plain values; what is missing of the frame is filled in."""
    whole = {"openapi": "3.1.1", "info": {"title": "test", "version": "1"}, "servers": [{"url": "/"}], **document}
    text = yaml.safe_dump(whole, allow_unicode=True, sort_keys=False)
    contract = compile_contract({FILE: text.encode()}, FILE, service="test", version="v1")
    assert not has_errors(contract.diagnostics), [f"{d.span}: {d.code}: {d.message}" for d in contract.diagnostics]
    return contract


def validators(contract: Contract) -> Validators:
    return Validators(contract.schemas, contract.operations)


def request(row: dict[str, Any]) -> Request:
    """A row of a table as a request: `send` is a request line without version, `headers` a list of pairs or a mapping,
    `type` a Content-Type, `body` text, `base64` bytes, `repeat` [prefix, piece, count, suffix] a long body."""
    method, _, target = row["send"].partition(" ")
    path, mark, query = target.partition("?")
    headers = row.get("headers", [])
    pairs = list(headers.items()) if isinstance(headers, dict) else [tuple(pair) for pair in headers]
    if "type" in row:
        pairs.append(("content-type", row["type"]))
    if "repeat" in row:
        prefix, piece, count, suffix = row["repeat"]
        body = (prefix + piece * count + suffix).encode()
    else:
        body = base64.b64decode(row["base64"]) if "base64" in row else row.get("body", "").encode()
    if "lines" in row:
        body = "\r\n".join(row["lines"]).encode()
    fields = tuple((name.lower(), str(value)) for name, value in pairs)
    return Request(method, path, query if mark else None, fields, body)


def told(judgement: Judgement) -> list[str]:
    """Violations as a table writes them: `query /limit maximum`."""
    return [f"{v.location} {v.pointer} {v.code}".replace("  ", " ") for v in judgement.violations]
