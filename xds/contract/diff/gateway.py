"""What the gateway itself refuses by `x-sidegate`: other conditions, smaller bodies, checks that begin to refuse.

How much and how fast (`rateLimits`, `shed`, `timeout`), from where (`addresses`), by which policy and to
where requests go is how a service is run: it changes from day to day and by environment, and no contract promises it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from xds.contract.node import Node
from xds.model import Mode, Operation
from xds.native import Native, native_of
from xds.native.cors import ANY, Cors
from xds.native.matching import NONE
from xds.streaming import streams

from .comparison import Comparison
from .side import Side


def compare(work: Comparison, old: Operation, new: Operation) -> None:
    """Every key that can turn away a request that was answered before."""
    before, after = native_of(old.settings), native_of(new.settings)
    _conditions(work, old, new, before, after)
    _mode(work, old, new)
    _limit(work, old, new, before, after)
    if before.upgrade and not after.upgrade:
        words = "it does not become a WebSocket any more"
        work.add("upgrade-removed", words, _at(work.old, old, "upgrade"), _at(work.new, new, "upgrade"))
    if after.redirect and not before.redirect:
        words = f"whoever asks is sent to {after.redirect.host}{after.redirect.path}"
        work.add("api-redirected", words, _at(work.old, old, "redirect"), _at(work.new, new, "redirect"))
    if lost := ", ".join(_lost(before.cors, after.cors, new)):
        words = f"pages of other origins may do less: {lost}"
        work.add("cors-narrowed", words, _at(work.old, old, "cors"), _at(work.new, new, "cors"))


def _at(side: Side, operation: Operation, key: str) -> Node:
    """Where a key is said of an operation, the operation if nowhere."""
    node = side.at(operation.place)
    for holder in (node, node.parent, side.root):
        extension = holder.get("x-sidegate") if holder is not None else None
        if extension is not None and (found := extension.get(key)) is not None:
            return found
    return node


def _conditions(work: Comparison, old: Operation, new: Operation, before: Native, after: Native) -> None:
    asked, met = (after.match or NONE).each, (before.match or NONE).each
    if more := asked - met:
        words = ", ".join(f"the {kind} {name}: {value}" for kind, name, value in sorted(more))
        places = _at(work.old, old, "match"), _at(work.new, new, "match")
        work.add("request-condition-added", f"only requests with {words} mean it now", *places)


def _mode(work: Comparison, old: Operation, new: Operation) -> None:
    if new.mode is not Mode.ENFORCE or old.mode is Mode.ENFORCE:
        return
    places = _at(work.old, old, "mode"), _at(work.new, new, "mode")
    if old.mode is Mode.OFF:
        work.add("api-enforced", "what nobody looked at is refused now where it breaks the contract", *places)
    else:
        work.add("api-enforced-after-report", "what was only reported is refused now", *places)


def _limit(work: Comparison, old: Operation, new: Operation, before: Native, after: Native) -> None:
    first, second = _largest(work.old, old, before), _largest(work.new, new, after)
    if old.body is None or new.body is None or second is None or (first is not None and first <= second):
        return
    words = f"bodies of more than {second} bytes are refused, and {first or 'none'} was the limit"
    places = _at(work.old, old, "bodyLimit"), _at(work.new, new, "bodyLimit")
    work.add("request-body-limit-decreased", words, *places)


def _largest(side: Side, operation: Operation, native: Native) -> int | None:
    """The bytes that a body may have; None if a body streams that nothing limits."""
    if native.body_limit is not None or operation.body is None:
        return native.body_limit
    return None if streams(operation.body, side.contract.schemas) else operation.body.limit


def _lost(old: Cors | None, new: Cors | None, operation: Operation) -> Iterator[str]:
    """What a page of another origin could do and cannot any more."""
    if old is None or (old.methods is not None and operation.method not in old.methods):
        return
    if new is None or (new.methods is not None and operation.method not in new.methods):
        yield "nothing at all"
        return
    yield from (f"not from {origin}" for origin in old.origins if not _admitted(origin, new))
    declared = {p.name.lower() for p in operation.parameters if str(p.location) == "header"}
    yield from (f"not send {name}" for name in old.headers if name not in new.headers and name not in declared)
    yield from (f"not read {name}" for name in old.expose if name not in new.expose)
    if old.credentials and not new.credentials:
        yield "not send cookies"


def _admitted(origin: str, new: Cors) -> bool:
    if origin in new.origins or new.origins == (ANY,):
        return True
    return ANY not in origin and re.fullmatch(new.allowed, origin) is not None
