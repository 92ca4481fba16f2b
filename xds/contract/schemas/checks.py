"""Keyword values: of the right type, of a size that means something, and not against each other."""

from __future__ import annotations

from typing import Any

from xds.contract.node import Node
from xds.contract.report import Report, suggestion

from .keywords import RANGES, TYPES

_LARGEST = 2**53


def count(node: Node, keyword: str, report: Report) -> int | None:
    """An integer from 0; `2.0` is one."""
    value = node.value
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int:
        report.expect(node, int, f"`{keyword}`")
        return None
    if not 0 <= value <= _LARGEST:
        report.add("schema-number", f"`{keyword}` must be from 0 to 2^53", node)
        return None
    return value


def number(node: Node, keyword: str, report: Report) -> int | float | None:
    value = node.value
    if type(value) not in (int, float):
        help = "3.1 writes the bound itself there" if type(value) is bool else None
        report.add("wrong-type", f"`{keyword}` must be a number", node, help)
        return None
    if abs(value) > 1.7976931348623157e308:
        report.add("schema-number", f"`{keyword}` is beyond the range of a double", node)
        return None
    result: int | float = value
    return result


def positive(node: Node, keyword: str, report: Report) -> int | float | None:
    value = number(node, keyword, report)
    if value is not None and value <= 0:
        report.add("schema-number", f"`{keyword}` must be greater than 0", node)
        return None
    return value


def flag(node: Node, keyword: str, report: Report) -> bool | None:
    value: bool | None = report.expect(node, bool, f"`{keyword}`")
    return value


def anything(node: Node, keyword: str, report: Report) -> Any:
    return node.value


def names(node: Node, keyword: str, report: Report) -> list[str] | None:
    """A list of texts; one that is there twice counts once."""
    if report.expect(node, list, f"`{keyword}`") is None:
        return None
    texts = [item.value for item in node.items() if report.expect(item, str, f"a name in `{keyword}`") is not None]
    return list(dict.fromkeys(texts))


def name_lists(node: Node, keyword: str, report: Report) -> dict[str, list[str]] | None:
    if report.expect(node, dict, f"`{keyword}`") is None:
        return None
    return {name: names(member, keyword, report) or [] for name, member in node.members()}


def types(node: Node, keyword: str, report: Report) -> str | list[str] | None:
    """A type's name, or several."""
    written = node.value if type(node.value) is list else [node.value]
    for name in written:
        if not isinstance(name, str) or name not in TYPES:
            shown = name if isinstance(name, str) else "that"
            report.add("schema-type", f"{shown!r} is not a type", node, suggestion(str(name), TYPES))
            return None
    if type(node.value) is not list:
        return written[0]  # type: ignore[no-any-return]
    if not written:
        report.add("schema-impossible", "`type` names no type", node)
        return None
    return list(dict.fromkeys(written))


def values(node: Node, keyword: str, report: Report) -> list[Any] | None:
    found: list[Any] | None = report.expect(node, list, f"`{keyword}`")
    if found == []:
        report.add("schema-impossible", "`enum` allows no value at all", node)
        return None
    return found


def bounds(node: Node, lowered: dict[str, Any], report: Report) -> None:
    """OpenAPI 3.0: `exclusiveMinimum: true` makes `minimum` exclusive."""
    for exclusive, plain in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        child = node.get(exclusive)
        if child is None:
            continue
        if type(child.value) in (int, float):
            report.add("wrong-type", f"`{exclusive}` must be true or false", child, "a number there is 3.1's form")
        elif report.expect(child, bool, f"`{exclusive}`") and plain in lowered:
            lowered[exclusive] = lowered.pop(plain)


def nullable(node: Node, lowered: dict[str, Any], report: Report) -> None:
    """OpenAPI 3.0.3: `nullable` adds null to the `type` beside it, and means nothing without one."""
    written = node.get("type")
    if written is not None and (type(written.value) is list or written.value == "null"):
        lowered.pop("type", None)
        report.add("schema-type", "OpenAPI 3.0 takes one type, and not null", written, "write `nullable: true`")
    allowed = report.flag(node, "nullable")
    if allowed and isinstance(lowered.get("type"), str):
        lowered["type"] = [lowered["type"], "null"]


def consistent(node: Node, lowered: dict[str, Any], report: Report) -> None:
    """Nothing can be longer than it may be and no value can miss its own type."""
    for low, high in RANGES:
        if low in lowered and high in lowered and lowered[low] > lowered[high]:
            at = node.get(low) or node
            related = [(there, "against this")] if (there := node.get(high)) is not None else []
            report.add("schema-impossible", f"`{low}` is greater than `{high}`", at, None, related)
    kinds = lowered.get("type")
    if kinds is not None and "enum" in lowered:
        named = {kinds} if isinstance(kinds, str) else set(kinds)
        if not any(_is(value, named) for value in lowered["enum"]):
            report.add("schema-impossible", "no value of `enum` is of the `type` beside it", node.get("enum") or node)


def _is(value: Any, kinds: set[str]) -> bool:
    if value is None:
        return "null" in kinds
    if isinstance(value, bool):
        return "boolean" in kinds
    if isinstance(value, (int, float)):
        return "number" in kinds or ("integer" in kinds and float(value).is_integer())
    return ("string" if isinstance(value, str) else "array" if isinstance(value, list) else "object") in kinds
