"""bytes -> JSON value, strictly.

RFC 8259 with what it leaves open decided: UTF-8 only and no byte order mark (section 8.1), names within an object
unique (section 4), numbers finite (section 6), no lone surrogates (section 8.2), nesting and the number of values
bounded (section 9). Integers of up to 4,300 digits stay exact; other numbers are IEEE 754 doubles. `-0` is the integer 0.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

DEPTH = 100
VALUES = 250_000

# An unterminated string is eaten to the end, so that no later quote starts another scan.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class NotJson(ValueError):
    """The text is refused. `code` is a row of `sidecar.codes`, `detail` says why without quoting the text."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def read(data: bytes) -> Any:
    """Parse one JSON text. Raises `NotJson`, never anything else, in time linear in the text."""
    if len(data) > VALUES and _values(data) > VALUES:
        raise NotJson("too-many-values", f"at most {VALUES} values are read")
    try:
        value = _DECODER.decode(str(data, "utf-8"))
    except UnicodeDecodeError as error:
        raise NotJson("malformed-text", f"not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise NotJson("malformed-json", f"not JSON at character {error.pos}") from None
    except RecursionError:
        raise NotJson("depth", _TOO_DEEP) from None
    except NotJson:
        raise
    except ValueError:
        # CPython's own limit on the digits of an integer (sys.int_info): conversion is quadratic beyond it.
        raise NotJson("number-range", "an integer has too many digits") from None
    if data.count(b"[") + data.count(b"{") > DEPTH:
        _check_depth(value)
    if b"\\" in data and _SURROGATE.search(data):
        _check_surrogates(value)
    return value


_TOO_DEEP = f"nested deeper than {DEPTH}"


def _values(data: bytes) -> int:
    """An upper bound on the number of values and names, exact once strings are set aside."""
    if data.count(b",") + data.count(b":") + data.count(b"[") + data.count(b"{") < VALUES:
        return 0
    bare = _STRING.sub(b"", data)
    return bare.count(b",") + bare.count(b":") + bare.count(b"[") + bare.count(b"{")


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEPTH):
        level = [
            item
            for parent in level
            if isinstance(parent, (dict, list))
            for item in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(item, (dict, list))
        ]
        if not level:
            return
    raise NotJson("depth", _TOO_DEEP)


def _check_surrogates(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise NotJson("malformed-text", "a \\u escape is half of a surrogate pair") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotJson("duplicate-key", "an object gives the same name twice")
    return members


def _float(text: str) -> float:
    number = float(text)
    if number - number != 0.0:
        raise NotJson("number-range", "a number is too large for a double")
    return number


def _constant(name: str) -> NoReturn:
    raise NotJson("number-range", f"{name} is not a JSON number")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_float, parse_constant=_constant)
