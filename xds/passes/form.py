"""Operation, Schemas -> Plain: the requests of which the route alone can tell that they keep the contract.

Every rule here is sufficient, none is exact: what it does not cover is left to the companion, which has the last word on
every refusal. So a rule that is missing costs time, and only one that is too wide could weaken a check.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any

from xds.model import Location, Mode, Name, Operation, Parameter, Schemas, Segment
from xds.model.plain import Plain
from xds.passes.patterns import plain_texts
from xds.passes.sizes import LARGEST, size
from xds.paths import literal, pattern_of
from xds.streaming import resolved, streams

VALUE = "[A-Za-z0-9._~:@,+=-]"
"""Characters that a parameter has as they are sent: nothing is escaped, so nothing need be decoded."""

_UNJUDGED = frozenset({"accept", "content-type", "authorization"})
"""Header parameters that OpenAPI says are to be ignored (Parameter Object, `name`)."""
_IDLE = frozenset({"description", "title", "default", "deprecated", "examples", "example", "$comment", "type"})
_HEX = "[0-9a-f]"
_FORMATS = {
    "uuid": f"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}",
    "date": "[12][0-9]{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])",
}
_MOST = 10**9 - 1
_BOUND = 256
"""The longest text that a regex is written for: RE2 spells repetitions out."""


def plain_of(operation: Operation, schemas: Schemas) -> Plain | None:
    """The form of an operation's plain requests; None if there is none, or if something else must be asked anyway."""
    if operation.mode is Mode.OFF or operation.policy.exempt is None:
        return None
    body, others = operation.body, [p for p in operation.parameters if p.location is not Location.PATH]
    if body and (body.required or streams(body, schemas)):
        return None
    if any(p.required for p in others if not _ignored(p) and p.location is not Location.QUERY):
        return None
    path = _path(operation, schemas)
    query = _query(others, schemas, LARGEST - path.size) if path else None
    if path is None or query is None:
        return None
    whole = not body and not operation.query_open and all(map(_ignored, others))
    absent = tuple(sorted(set(_absent(others))))
    return Plain(path.text + query.text, absent, whole, bool(query.text), query.never, query.each)


def _ignored(parameter: Parameter) -> bool:
    return parameter.location is Location.HEADER and parameter.name in _UNJUDGED


def _absent(others: list[Parameter]) -> Iterator[str]:
    for parameter in others:
        if parameter.location is Location.COOKIE:
            yield "cookie"
        elif parameter.location is Location.HEADER and not _ignored(parameter):
            yield parameter.name


@dataclass(frozen=True, slots=True)
class _Path:
    """The regex of the whole path, and how large it gets."""

    text: str
    size: int


def _path(operation: Operation, schemas: Schemas) -> _Path | None:
    """None if a parameter's texts cannot be told by a regex, or only by one that is too large."""
    declared = {p.name: p for p in operation.parameters if p.location is Location.PATH}
    texts = pattern_of(operation.path).segments
    found = [_segment(s, t, declared, schemas) for s, t in zip(operation.path.segments, texts, strict=True)]
    whole = [f"/{each}" for each in found if each is not None]
    large = sum(map(size, whole))
    return _Path("".join(whole), large) if len(whole) == len(found) and large <= LARGEST else None


def _query(others: list[Parameter], schemas: Schemas, room: int) -> _Query | None:
    """What a plain query has: some of the parameters that regexes can tell, the required ones among them, in any order.

    The regexes have `room` for so many instructions; with a parameter for which there is none left no request is plain.
    None if not even requests without a query are plain.
    """
    declared = [p for p in others if p.location in (Location.QUERY, Location.QUERYSTRING)]
    spread = any(
        p.location is Location.QUERYSTRING or "object" in p.shape.types for p in declared
    )  # over several names
    found = {} if spread else {p.name: text for p in declared if (text := _pair(p, schemas))}
    needed = {p.name for p in declared if p.required}
    found = _fitting(found, needed, room)
    if not needed <= found.keys() or len(found) > _MANY:
        return None if needed else _Query()
    if not found:
        return _Query()
    one = f"(?:{'|'.join(found.values())})"
    text = rf"\?{one}" if len(found) == 1 else rf"\?{one}(?:&{one})*"
    text = text if needed else f"(?:{text})?"
    if len(found) == 1:
        return _Query(text)
    twice = "|".join(f"{name}=[^&]*&(?:.*&)?{name}=" for name in map(literal, found))
    return _Query(text, rf".*[?&](?:{twice}).*", tuple(f".*[?&]{literal(name)}=.*" for name in sorted(needed)))


def _fitting(found: Mapping[str, str], needed: Set[str], room: int) -> dict[str, str]:
    """The parameters that there is room for, as they were ordered: required ones first, then the smallest. Each stands in a
    regex twice, and its name twice in another."""
    sizes = {name: 2 * (size(text) + 1) + 2 * len(name) + _TWICE for name, text in found.items()}
    order = sorted(sizes, key=lambda name: (name not in needed, sizes[name]))
    spent = accumulate(sizes[name] for name in order)
    kept = {name for name, total in zip(order, spent, strict=True) if total <= room}
    return {name: text for name, text in found.items() if name in kept}


@dataclass(frozen=True, slots=True)
class _Query:
    """The regex of a query, its question mark included; what no path with it matches, and what each one does."""

    text: str = ""
    never: str = ""
    each: tuple[str, ...] = ()


_MANY = 24
"""So many parameters are told at most: each is a part of two regexes."""
_TWICE = 64
"""What stands around a name in the regex that looks for a second one."""


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
    if says.keys() == {"format"}:
        return _FORMATS.get(says["format"])
    if says.keys() == {"enum"}:
        return _one_of(says["enum"])
    least, most = max(1, int(says.get("minLength", 1))), int(says.get("maxLength", _BOUND))
    if says.keys() <= {"minLength", "maxLength"}:
        most = min(most, _BOUND)
        return f"{VALUE}{{{least},{most}}}" if least <= most else None
    if says.keys() <= {"minLength", "maxLength", "pattern"}:
        return plain_texts(says["pattern"], least, most) if "maxLength" in says else plain_texts(says["pattern"], least)
    return None


def _one_of(values: Any) -> str | None:
    safe = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-")
    texts = [v for v in values if isinstance(v, str) and v and set(v) <= safe]
    return f"(?:{'|'.join(map(literal, texts))})" if texts and len(texts) <= _BOUND else None


def _bounds(says: Mapping[str, Any]) -> tuple[int, int] | None:
    """The integers from the minimum, or 0, to the maximum, or what nine digits can say."""
    least, most = max(0, says.get("minimum", 0)), min(says.get("maximum", _MOST), _MOST)
    if not says.keys() <= {"minimum", "maximum"} or least > most:
        return None
    low, high = math.ceil(least), math.floor(most)
    return (low, high) if low <= high else None


def _integer(says: Mapping[str, Any]) -> str | None:
    bounds = _bounds(says)
    return f"(?:{'|'.join(between(*bounds))})" if bounds else None


def _number(says: Mapping[str, Any]) -> str | None:
    """Integers, and what lies between them in decimals."""
    bounds = _bounds(says)
    if bounds is None or bounds[0] == bounds[1]:
        return _integer(says)
    return f"(?:(?:{'|'.join(between(bounds[0], bounds[1] - 1))})(?:[.][0-9]{{1,9}})?|{bounds[1]})"


@lru_cache(1 << 12)
def between(low: int, high: int) -> tuple[str, ...]:
    """The regexes of the integers from `low`, which is not negative, to `high`, as they are written without leading zeros."""
    found: list[str] = []
    for digits in range(len(str(low)), len(str(high)) + 1):
        first = 10 ** (digits - 1) if digits > 1 else 0
        found += _alike(str(max(low, first)), str(min(high, 10**digits - 1)))
    return tuple(found)


def _alike(low: str, high: str) -> Iterator[str]:
    """The same for two texts of as many digits."""
    if low == "0" * len(low) and high == "9" * len(high):
        yield f"[0-9]{{{len(low)}}}" if low else ""
    elif low[0] == high[0]:
        yield from (low[0] + rest for rest in _alike(low[1:], high[1:]))
    else:
        nought, nine = "0" * (len(low) - 1), "9" * (len(low) - 1)
        first, last = int(low[0]) + (low[1:] != nought), int(high[0]) - (high[1:] != nine)
        yield from (low[0] + rest for rest in _alike(low[1:], nine) if low[1:] != nought)
        if first <= last:
            yield f"[{first}-{last}]" + (f"[0-9]{{{len(nine)}}}" if nine else "")
        yield from (high[0] + rest for rest in _alike(nought, high[1:]) if high[1:] != nine)


def _boolean(says: Mapping[str, Any]) -> str | None:
    return "(?:true|false)" if not says else None


_READINGS = {"string": _text, "integer": _integer, "number": _number, "boolean": _boolean}
