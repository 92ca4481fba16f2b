"""A mock integration -> a response of the contract with an example, for `mock` to answer with."""

from __future__ import annotations

import json
import re
from typing import Any

from xds.importing.export import Method
from xds.importing.part import Notes, Part


def mock_answer(method: Method, notes: Notes) -> tuple[int, dict[str, Any], dict[str, str]] | None:
    """Status, Response Object and fixed headers; None, with a note, if only a template knows the answer."""
    responses = method.integration.get("responses")
    wanted = _wanted(method.integration)
    found = [response for _, response in responses.items() if response.text("statusCode") == wanted]
    response = found[0] if found else responses.get("default")
    status = response.text("statusCode") or wanted
    templates = response.get("responseTemplates")
    text = next((value for value in templates.members.values() if isinstance(value, str) and value.strip()), "")
    if re.search(r"[$#][A-Za-z{!]", text) or not re.fullmatch("[2-5][0-9][0-9]", status):
        notes.refused(
            templates or method.integration,
            f"{method.where} is a mock whose answer a VTL template makes; it is refused",
            "write the answer as an `example` of the response, with `mock: true`, and allow it in the policy",
        )
        return None
    answer: dict[str, Any] = {"description": f"{status} response"}
    if text:
        kind = next(key for key, value in templates.members.items() if value == text)
        answer["content"] = {kind: {"example": _example(kind, text)}}
    return int(status), answer, _headers(response)


def _wanted(integration: Part) -> str:
    """The status that the request template chooses, as AWS's own console writes it."""
    text = next((t for t in integration.get("requestTemplates").members.values() if isinstance(t, str)), "")
    found = re.search(r'"?statusCode"?\s*:\s*"?([0-9]{3})', text)
    return found[1] if found else "200"


def _example(kind: str, text: str) -> Any:
    if kind == "application/json" or kind.endswith("+json"):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def _headers(response: Part) -> dict[str, str]:
    found = {}
    for name, value in response.get("responseParameters").members.items():
        header = name.removeprefix("method.response.header.")
        if (
            isinstance(value, str)
            and value[:1] == value[-1:] == "'"
            and not header.lower().startswith("access-control-")
        ):
            found[header] = value[1:-1]
    return {name: text for name, text in found.items() if name.lower() not in ("content-type", "content-length")}
