"""A body that is forwarded as it comes: Envoy asks without it, and says in a header of its own how long it is."""

from __future__ import annotations

import asyncio

import pytest

from tests.companion.conftest import asking
from tests.projects import CONTRACT, compiled, pets

UPLOAD = CONTRACT.replace("application/json:", "application/octet-stream: {}\n          image/*:").replace(
    """            schema:
              type: object
              additionalProperties: false
              required: [name]
              properties: {name: {type: string, maxLength: 10}}
""",
    "            schema: {type: string, format: binary}\n",
)


@pytest.mark.parametrize(
    ("told", "kind", "status", "code"),
    [
        ("5", "image/png", 200, None),
        ("0", "image/png", 400, "missing-body"),
        ("0", None, 400, "missing-body"),
        ("5", None, 415, "unsupported-media-type"),
        ("5", "text/plain", 415, "unsupported-media-type"),
        (None, "image/png", 200, None),  # chunks have no length
        (None, None, 400, "missing-body"),
    ],
)
def test_a_required_stream(told, kind, status, code):
    headers = [("content-length", "0")]
    headers += [("content-type", kind)] if kind else []
    headers += [("x-sidegate-length", told)] if told else []

    async def run():
        async with asking(compiled(pets(contract=UPLOAD))) as ask:
            claims = {"sub": "ada", "scope": "pets:write"}
            return await ask("POST", "/pets/v1/pets", "addPet", claims=claims, headers=headers)

    answer = asyncio.run(run())
    assert answer.status == status, answer.body
    if code:
        assert answer.problem["code"] == code
