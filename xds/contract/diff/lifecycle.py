"""Operations that go, and the dates and levels that announce it (`deprecated`, `x-sunset`, `x-stability-level`)."""

from __future__ import annotations

from xds.contract.node import Node
from xds.model import Operation
from xds.native.deprecation import moment

from .comparison import Comparison
from .side import Side

_LEVELS = ("draft", "alpha", "beta", "stable")


def removed(work: Comparison, old: Operation, beside: list[Operation]) -> None:
    """An operation that is gone; `beside` are those that its path still has."""
    node, sunset = work.old.at(old.place), _sunset_of(work.old, old)
    at = work.new.at(beside[0].place).parent if beside else work.new.root.get("paths")
    stem = "api" if beside else "api-path"
    new = at or work.new.root
    if not _deprecated(old) or sunset is None:
        if not (_deprecated(old) and _unstable(node)):
            work.add(f"{stem}-removed-without-deprecation", f"{work.operation} is gone", node, new)
        return
    gone = moment_of(sunset)
    if gone is None:
        work.add("api-path-sunset-parse", f"{work.operation} is gone, and its x-sunset is no date", sunset, new)
    elif gone > work.now:
        words = f"{work.operation} is gone before its sunset of {sunset.value}"
        work.add(f"{stem}-removed-before-sunset", words, sunset, new)


def compare(work: Comparison, old: Operation, new: Operation) -> None:
    """What an operation that stays says of its own end."""
    before, after = work.old.at(old.place), work.new.at(new.place)
    _sunset(work, old, new, before, after)
    _stability(work, before, after)


def _sunset(work: Comparison, old: Operation, new: Operation, before: Node, after: Node) -> None:
    was, is_ = _sunset_of(work.old, old), _sunset_of(work.new, new)
    if _past(work, is_) and not _past(work, was) and (was is None or not _deprecated(old)):
        words = f"it is refused with 410: its sunset of {is_.value} is past" if is_ is not None else ""
        work.add("api-removed-without-deprecation", words, before, is_ or after)
    elif not _deprecated(new):
        return
    elif is_ is not None and moment_of(is_) is None and (was is None or was.value != is_.value):
        work.add("api-deprecated-sunset-parse", "its x-sunset is no date", was or before, is_)
    elif _deprecated(old) and was is not None and is_ is None:
        work.add("sunset-deleted", "its x-sunset is gone while it is deprecated", was, after)
    elif _deprecated(old) and was is not None and is_ is not None:
        first, second = moment_of(was), moment_of(is_)
        if first is not None and second is not None and second < first:
            words = f"its sunset of {was.value} became {is_.value}, which is earlier"
            work.add("api-sunset-date-changed-too-small", words, was, is_)


def _deprecated(operation: Operation) -> bool:
    """Whether clients are told to move: by the operation, or by what stands over it."""
    setting = operation.settings.get("deprecated")
    return operation.deprecated if setting is None else setting.value is not False


def _sunset_of(side: Side, operation: Operation) -> Node | None:
    """The date from which on an operation is refused: its own, its path's or the document's."""
    setting = operation.settings.get("sunset")
    return side.at(setting.place) if setting is not None else None


def _past(work: Comparison, sunset: Node | None) -> bool:
    gone = moment_of(sunset) if sunset is not None else None
    return gone is not None and gone <= work.now


def retired(side: Side, now: float) -> bool:
    """Whether every operation of a contract is refused already, so that nobody misses it."""
    sunsets = [_sunset_of(side, operation) for operation in side.contract.operations]
    return bool(sunsets) and all(s is not None and (at := moment_of(s)) is not None and at <= now for s in sunsets)


def _stability(work: Comparison, before: Node, after: Node) -> None:
    was, is_ = before.get("x-stability-level"), after.get("x-stability-level")
    if is_ is not None and was is not None and is_.value == was.value:
        return
    if is_ is not None and is_.value not in _LEVELS:
        words = f"x-stability-level is none of {', '.join(_LEVELS)}"
        work.add("api-invalid-stability-level", words, was or before, is_)
    elif is_ is not None and _level(is_) < (_level(was) if was is not None else len(_LEVELS) - 1):
        words = f"its stability {was.value if was else 'stable'} became {is_.value}"
        work.add("api-stability-decreased", words, was or before, is_)


def _level(node: Node) -> int:
    return _LEVELS.index(node.value) if node.value in _LEVELS else 0


def _unstable(node: Node) -> bool:
    level = node.get("x-stability-level")
    return level is not None and level.value in ("draft", "alpha")


def moment_of(node: Node) -> int | None:
    """When something is gone, as the proxy reads it (seconds of the epoch); None if it is no date."""
    return moment(str(node.value))
