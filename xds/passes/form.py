"""Operation, Schemas -> Plain: the requests of which the route alone can tell that they keep the contract.

Every rule here is sufficient, none is exact: what it does not cover is left to the companion, which has the last word on
every refusal. So a rule that is missing costs time, and only one that is too wide could weaken a check.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import permutations
from typing import Any

from xds.model import Location, Mode, Name, Operation, Parameter, Schemas, Segment
from xds.model.plain import Plain
from xds.model.requirement import mixed, scoped
from xds.paths import literal, pattern_of
from xds.streaming import resolved, streams

VALUE = "[A-Za-z0-9._~:@,+=-]"
"""Characters that a parameter has as they are sent: nothing is escaped, so nothing need be decoded."""

_UNJUDGED = frozenset({"accept", "content-type", "authorization"})
"""Header parameters that OpenAPI says are to be ignored (Parameter Object, `name`)."""
_IDLE = frozenset({"description", "title", "default", "deprecated", "examples", "example", "$comment", "type"})
_HEX = "[0-9a-f]"
_UUID = f"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}"
_DIGITS = 9
_BOUND = 256
"""The longest text that a regex is written for: RE2 spells repetitions out."""


def plain_of(operation: Operation, schemas: Schemas) -> Plain | None:
    """The form of an operation's plain requests; None if there is none, or if something else must be asked anyway."""
    if operation.mode is Mode.OFF or operation.policy.exempt is None or mixed(operation) or scoped(operation):
        return None
    body, others = operation.body, [p for p in operation.parameters if p.location is not Location.PATH]
    if body and (body.required or streams(body, schemas)):
        return None
    if any(p.required for p in others if not _ignored(p) and p.location is not Location.QUERY):
        return None
    path, query = _path(operation, schemas), _query(others, schemas)
    if path is None or query is None:
        return None
    whole = not body and not operation.query_open and all(map(_ignored, others))
    return Plain(path + query, tuple(sorted(set(_absent(others)))), whole, bool(query))


def _ignored(parameter: Parameter) -> bool:
    return parameter.location is Location.HEADER and parameter.name in _UNJUDGED


def _absent(others: list[Parameter]) -> Iterator[str]:
    for parameter in others:
        if parameter.location is Location.COOKIE:
            yield "cookie"
        elif parameter.location is Location.HEADER and not _ignored(parameter):
            yield parameter.name


def _path(operation: Operation, schemas: Schemas) -> str | None:
    """The regex of the whole path, or None if a parameter's texts cannot be told by one."""
    declared = {p.name: p for p in operation.parameters if p.location is Location.PATH}
    texts = pattern_of(operation.path).segments
    found = [_segment(s, t, declared, schemas) for s, t in zip(operation.path.segments, texts, strict=True)]
    return "".join(f"/{each}" for each in found) if None not in found else None


def _query(others: list[Parameter], schemas: Schemas) -> str | None:
    """The regex of the query, its question mark included: each parameter once at most, the required ones, and nothing else.

    Empty if only requests without one are plain, None if not even those.
    """
    declared = [p for p in others if p.location in (Location.QUERY, Location.QUERYSTRING)]
    found = {p.name: _pair(p, schemas) for p in declared if p.location is Location.QUERY}
    needed = {p.name for p in declared if p.required}
    if not found or len(found) < len(declared) or None in found.values() or len(found) > _ORDERED:
        return None if needed else ""
    names = [names for size in range(1, len(found) + 1) for names in permutations(found, size) if needed <= {*names}]
    texts = "|".join("&".join(str(found[name]) for name in each) for each in names)
    return rf"\?(?:{texts})" if needed else rf"(?:\?(?:{texts}))?"


_ORDERED = 3
"""So many parameters may come in any order: RE2 has no word for that, and more would be hundreds of orders."""


def _pair(parameter: Parameter, schemas: Schemas) -> str | None:
    value = _value(parameter, schemas) if parameter.style == "form" else None
    plain = re.fullmatch(r"[A-Za-z0-9_.~-]+", parameter.name)
    return f"{literal(parameter.name)}={value}" if value is not None and plain else None


def _segment(segment: Segment, text: str, declared: Mapping[str, Parameter], schemas: Schemas) -> str | None:
    if segment.literal is not None:
        return text
    name = segment.parts[0] if len(segment.parts) == 1 else None
    parameter = declared.get(name.name) if isinstance(name, Name) else None
    return _value(parameter, schemas) if parameter is not None and parameter.style == "simple" else None


def _value(parameter: Parameter, schemas: Schemas) -> str | None:
    """The regex of a parameter's texts, or None if one cannot tell."""
    if parameter.media_type is not None:
        return None
    schema = resolved(parameter.schema, schemas) if parameter.schema else None
    if not isinstance(schema, dict):
        return None
    kind = schema.get("type")
    if not isinstance(kind, str) or parameter.shape.types != {kind}:
        return None
    says = {key: value for key, value in schema.items() if key not in _IDLE and not key.startswith("x-")}
    reading = _READINGS.get(kind)
    return reading(says) if reading else None


def _text(says: Mapping[str, Any]) -> str | None:
    if not says:
        return f"{VALUE}+"
    if says == {"format": "uuid"}:
        return _UUID
    if says.keys() == {"enum"}:
        return _one_of(says["enum"])
    if says.keys() <= {"minLength", "maxLength"}:
        least, most = max(1, says.get("minLength", 1)), says.get("maxLength", _BOUND)
        least, most = int(least), int(min(most, _BOUND))
        return f"{VALUE}{{{least},{most}}}" if least <= most else None
    return None


def _one_of(values: Any) -> str | None:
    safe = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-")
    texts = [v for v in values if isinstance(v, str) and v and set(v) <= safe]
    return f"(?:{'|'.join(map(literal, texts))})" if texts and len(texts) <= _BOUND else None


def _integer(says: Mapping[str, Any]) -> str | None:
    """As many digits as are below any maximum, nine at the most."""
    least, most = says.get("minimum", 0), says.get("maximum", 10**_DIGITS)
    if not says.keys() <= {"minimum", "maximum"} or least > 1 or most < 10:
        return None
    more = f"[0-9]{{0,{min(len(str(int(most))) - 1, _DIGITS) - 1}}}"
    return f"[1-9]{more}" if least > 0 else f"(?:0|[1-9]{more})"


def _boolean(says: Mapping[str, Any]) -> str | None:
    return "(?:true|false)" if not says else None


_READINGS = {"string": _text, "integer": _integer, "boolean": _boolean}
