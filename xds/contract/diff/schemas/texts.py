"""`pattern`, `format` and `content...`: what a text looks like."""

from __future__ import annotations

from xds.contract.dialects import V31
from xds.contract.diff.form import Form
from xds.contract.diff.found import Findings, Issue, Part, Two
from xds.contract.node import Node
from xds.contract.schemas.patterns import found_in

_FORMATS = V31.formats | {"int32", "int64", "float", "double", "byte", "binary"}
"""Formats that say something of the value; `password` and the like only say something to people."""
_IN = {("int32", "int64"), ("float", "double"), ("int32", "double"), ("int32", "float")}
"""Pairs of which every value of the first is one of the second."""
_NUMBERS = frozenset({"int32", "int64", "float", "double"})


def patterns(two: Two) -> Findings:
    """Patterns of the reader's that are not the writer's. Which texts two of them match cannot be compared."""
    kept = {node.value: node for node in two.source.told("pattern")}
    wanted = {node.value: node for node in two.target.told("pattern")}
    missing = [node for text, node in wanted.items() if text not in kept and not _matched(two.source, text)]
    freed = [node for text, node in kept.items() if text not in wanted]
    if not missing:
        return
    verb = "changed" if freed else "added" if two.request else "removed"
    mine, other = missing[0], freed[0] if freed else None
    old, new = (other, mine) if two.request else (mine, other)
    words = (
        f"the pattern {_quoted(old)} became {_quoted(new)}"
        if freed
        else f"the pattern {_quoted(mine)} is " + ("new" if two.request else "gone")
    )
    yield Issue(f"pattern-{verb}", words, old, new)


def _matched(form: Form, pattern: object) -> bool:
    """Whether a form lists its values, and all texts among them match."""
    texts = [value for value in form.listed if isinstance(value, str)]
    return form.values is not None and isinstance(pattern, str) and all(found_in(pattern, text) for text in texts)


def _quoted(node: Node | None) -> str:
    text = str(node.value) if node is not None else ""
    return f"`{text if len(text) <= 60 else text[:57] + '...'}`"


def formats(two: Two) -> Findings:
    """Formats of the reader's that the writer does not keep."""
    kept, wanted = _formats(two.source), _formats(two.target)
    missing = [node for name, node in wanted.items() if not any(name == k or (k, name) in _IN for k in kept)]
    if not missing or two.source.types.isdisjoint({"string", "number", "integer"}):
        return
    mine, other = missing[0], next(iter(kept.values()), None)
    old, new = (other, mine) if two.request else (mine, other)
    words = f"the format {old.value if old else 'none'} became {new.value if new else 'none'}"
    yield Issue("type-changed", words, old, new)


def _formats(form: Form) -> dict[str, Node]:
    found = {}
    for node in form.told("format"):
        numeric = node.value in _NUMBERS
        if (
            isinstance(node.value, str)
            and node.value in _FORMATS
            and form.types & (_OF_NUMBERS if numeric else _OF_TEXTS)
        ):
            found[node.value] = node
    return found


_OF_NUMBERS, _OF_TEXTS = frozenset({"number", "integer"}), frozenset({"string"})


def contents(two: Two) -> Findings:
    """How binary or nested content is put into a text."""
    for keyword, stem in (("contentEncoding", "content-encoding"), ("contentMediaType", "content-media-type")):
        old, new = next(two.old.told(keyword), None), next(two.new.told(keyword), None)
        if (old.value if old else None) != (new.value if new else None):
            words = f"{keyword} {old.value if old else 'none'} became {new.value if new else 'none'}"
            yield Issue(f"{stem}-changed", words, old, new)
    before, after = tuple(two.old.told("contentSchema")), tuple(two.new.told("contentSchema"))
    if before and after:
        yield Part("(content)", before, after)
    elif two.request and after:
        yield Issue("content-schema-added", "a schema for the content is new", None, after[0])
    elif not two.request and before:
        yield Issue("content-schema-removed", "the schema for the content is gone", before[0], None)
