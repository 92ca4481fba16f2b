"""`x-amazon-apigateway-cors`, OPTIONS mocks -> `cors`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from xds.importing.export import Export, Method, X
from xds.importing.keys import Keys, put
from xds.importing.part import Notes, Part
from xds.native.cors import ORIGIN

_ALLOW = "access-control-allow-"


def of_api(export: Export, keys: Keys, notes: Notes) -> None:
    """An HTTP API's CORS, for the document."""
    part = export.top.get(f"{X}cors")
    if not part:
        return
    value = _value(
        part.get("allowOrigins"),
        part.get("allowHeaders").texts(),
        part.get("exposeHeaders").texts(),
        part.get("allowCredentials").value is True,
        part.number("maxAge"),
        notes,
    )
    methods = {m.upper() for m in part.get("allowMethods").texts()}
    there = {m.verb.upper() for m in export.methods if not m.preflight}
    if value and (allowed := _allowed(methods, there)):
        named = {} if "*" in methods or not methods else {"methods": sorted(allowed)}
        put(keys, "cors", {**value, **named}, notes, part, "CORS")


def of_path(preflight: Method, others: Iterable[Method], keys: Keys, notes: Notes) -> None:
    """A path's CORS, as its OPTIONS mock answers. `others` are the path's own methods."""
    headers = _headers(preflight)
    own = list(others)
    origin = headers.get(f"{_ALLOW}origin")
    if origin is None:
        help_ = "write `cors: {origins: [...]}` on the path"
        notes.lost(preflight.integration, f"{preflight.where} is a mock that names no fixed origin", help_)
        return
    credentials = headers.get(f"{_ALLOW}credentials")
    expose = [n for m in own for n in _listed(_headers(m).get("access-control-expose-headers"))]
    age = headers.get("access-control-max-age")
    value = _value(
        origin,
        _listed(headers.get(f"{_ALLOW}headers")),
        list(dict.fromkeys(expose)),
        credentials is not None and credentials.value.strip("'").lower() == "true",
        float(age.value.strip("'")) if age is not None and age.value.strip("'").isdigit() else None,
        notes,
    )
    if value is None:
        return
    methods = {m.upper() for m in _listed(headers.get(f"{_ALLOW}methods"))}
    there = {m.verb.upper() for m in own}
    if allowed := _allowed(methods, there):
        named = {} if allowed == there else {"methods": sorted(allowed)}
        put(keys, "cors", {**value, **named}, notes, preflight.part, f"{preflight.path}: CORS")


def _allowed(methods: set[str], there: set[str]) -> set[str]:
    """Which of the methods that are there pages may ask for: all of them if AWS names none, or none but the preflight's."""
    return there if "*" in methods or not methods - {"OPTIONS"} else there & methods


def _headers(method: Method) -> dict[str, Part]:
    """The fixed CORS headers of an integration's answers, by lower-case name."""
    found: dict[str, Part] = {}
    for _, response in method.integration.get("responses").items():
        for name, part in response.get("responseParameters").items():
            header = name.removeprefix("method.response.header.").lower()
            text = part.value
            if header.startswith("access-control-") and isinstance(text, str) and text[:1] == text[-1:] == "'":
                found[header] = part
    return found


def _listed(part: Part | None) -> list[str]:
    text = part.value.strip("'") if part is not None else ""
    return [word.strip() for word in text.split(",") if word.strip()]


def _value(
    origins: Part, headers: list[str], expose: list[str], credentials: bool, age: float | None, notes: Notes
) -> dict[str, Any] | None:
    wanted = [text.strip("'").strip() for text in origins.texts()]
    taken = [origin for text in wanted if re.fullmatch(ORIGIN[1:-1], origin := text.lower().rstrip("/"))]
    for text in wanted:
        if text.lower().rstrip("/") not in taken:
            help_ = "name the origins: https://app.example.com, or https://*.example.com"
            notes.lost(origins, f"CORS: {text} is no origin that can be told from others", help_)
    if "*" in taken:
        taken = ["*"]
    if not taken:
        return None
    if "*" in taken and credentials:
        help_ = "name the origins whose pages may act as their users"
        notes.lost(origins, "CORS: credentials from every origin are not carried over", help_)
        credentials = False
    if "*" in headers:
        help_ = "name the headers; those that the contract declares are allowed anyhow"
        notes.lost(origins, "CORS: every request header is allowed in AWS; here they are named", help_)
    value: dict[str, Any] = {"origins": taken}
    if named := [name for name in headers if name != "*"]:
        value["headers"] = list(dict.fromkeys(named))
    if exposed := [name for name in expose if name != "*"]:
        value["expose"] = list(dict.fromkeys(exposed))
    if credentials:
        value["credentials"] = True
    if age is not None and age > 0:
        value["maxAge"] = f"{int(age)}s"
    return value
