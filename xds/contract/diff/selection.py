"""How requests name a version (`x-sidegate: {version: ...}`): what clients send must go on meaning it."""

from __future__ import annotations

from xds.contract.node import Node
from xds.native.versions import VERSION, Choice, Kind

from .comparison import Comparison
from .side import Side


def compare(work: Comparison) -> None:
    """Where the version is named, by which value, and whether it is that of requests that name none. It is said for a whole
    document, so that it is compared once."""
    (old, before), (new, after) = _choice(work.old), _choice(work.new)
    if old is None and new is not None and not new.default:
        words = f"only requests with `{new.shown}` mean it now, and clients name no version"
        work.add("version-named-otherwise", words, before, after)
    elif old is not None and _lost(old, new):
        words = f"requests with `{old.shown}` do not mean it any more" + (f", but `{new.shown}`" if new else "")
        work.add("version-named-otherwise", words, before, after)
    if old is not None and new is not None and old.default and not new.default:
        words = "requests that name no version do not mean it any more"
        work.add("version-default-removed", words, before, after)


def _lost(old: Choice, new: Choice | None) -> bool:
    """Whether naming it in the old way leads elsewhere. A header that nobody looks at does no harm; a parameter is refused."""
    if new is None:
        return old.kind is Kind.QUERY
    return (old.selector, old.key) != (new.selector, new.key)


def _choice(side: Side) -> tuple[Choice | None, Node]:
    for operation in side.contract.operations[:1]:
        if (setting := operation.settings.get("version")) is not None:
            return VERSION.read(setting.value), side.at(setting.place)
    return None, side.root
