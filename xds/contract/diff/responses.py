"""Responses: statuses, media types and headers that a client has relied on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from xds.contract.node import Node
from xds.model import Operation

from .bodies import covers
from .comparison import Comparison
from .subjects import Kind, Subject


def compare(work: Comparison, old: Operation, new: Operation) -> None:
    """Every response of the old contract with the entry that the new one has for its status, and those of the new one that
    answer for a status in the place of a range or of `default`: a client has read them as such."""
    before, after = work.old.at(old.place), work.new.at(new.place)
    ours, theirs = before.get("responses"), after.get("responses")
    known = dict(_entries(theirs))
    for status, entry in _entries(ours):
        other = next((known[key] for key in (status, f"{status[:1]}XX") if key in known), None)
        if other is None:
            if status.startswith("2"):
                words = f"the response {status} is gone"
                work.add("response-success-status-removed", words, entry, theirs or after)
            continue
        first, second = work.old.follow(entry), work.new.follow(other)
        if first is not None and second is not None:
            _headers(work, status, first, second)
            _contents(work, status, first, second)
    _special(work, dict(_entries(ours)), known)


def _special(work: Comparison, ours: Mapping[str, Node], theirs: Mapping[str, Node]) -> None:
    """Statuses that only one side has an entry of their own for, as far as both sides say what comes."""
    for status, entry in theirs.items():
        if status not in ours and (wide := _standing(ours, status)) is not None:
            _said(work, status, wide, entry)
    for status, entry in ours.items():
        if (
            status not in theirs
            and f"{status[:1]}XX" not in theirs
            and not status.startswith("2")
            and "default" in theirs
        ):
            _said(work, status, entry, theirs["default"])


def _standing(entries: Mapping[str, Node], status: str) -> Node | None:
    """The entry that stands for a status without one: its range's, else `default`; beside other successes that is for what
    goes wrong, so that a success more is nobody's trouble."""
    range_ = f"{status[:1]}XX"
    if range_ in entries:
        return entries[range_]
    success = status.startswith("2") and any(known.startswith("2") for known in entries)
    return None if success else entries.get("default")


def _said(work: Comparison, status: str, old: Node, new: Node) -> None:
    first, second = work.old.follow(old), work.new.follow(new)
    if first is not None and second is not None and all(next(_members(n, "content"), None) for n in (first, second)):
        _contents(work, status, first, second)


def _entries(responses: Node | None) -> Iterator[tuple[str, Node]]:
    for status, node in responses.members() if responses is not None else ():
        if not status.startswith("x-"):
            yield status.upper() if status != "default" else status, node


def _headers(work: Comparison, status: str, old: Node, new: Node) -> None:
    known = {name.lower(): node for name, node in _members(new, "headers")}
    for name, node in _members(old, "headers"):
        if name.lower() == "content-type":
            continue
        first, other = work.old.follow(node), known.get(name.lower())
        second = work.new.follow(other)
        words = f"header {name} of the response {status}"
        if first is None:
            continue
        required = _is_true(first, "required")
        if second is None:
            id_ = "required-response-header-removed" if required else "optional-response-header-removed"
            work.add(id_, f"{words} is gone", node, new.get("headers") or new)
            continue
        if required and not _is_true(second, "required"):
            work.add(
                "response-header-became-optional", f"{words} may be missing", first.get("required") or first, second
            )
        work.schemas(Subject(Kind.HEADER, words), _schema(first), _schema(second), (first, second))


def _is_true(node: Node, key: str) -> bool:
    child = node.get(key)
    return child is not None and child.value is True


def _schema(node: Node) -> Node | None:
    """The schema of a header, or of its one media type."""
    if (schema := node.get("schema")) is not None:
        return schema
    return next((n.get("schema") for _, n in _members(node, "content")), None)


def _members(node: Node, key: str) -> Iterator[tuple[str, Node]]:
    child = node.get(key)
    return child.members() if child is not None else iter(())


def _contents(work: Comparison, status: str, old: Node, new: Node) -> None:
    theirs = dict(_members(new, "content"))
    for range_, node in _members(old, "content"):
        found = _counterpart(range_, theirs)
        if found is None:
            words = f"the response {status} does not come as {range_} any more"
            work.add("response-media-type-removed", words, node, new.get("content") or new)
            continue
        id_, key = found
        first, second = work.old.follow(node), work.new.follow(theirs[key])
        if id_:
            work.add(id_, f"the response {status} comes as {key}, and came as {range_}", node, theirs[key])
        if first is not None and second is not None:
            _media(work, f"response {status} ({range_})", first, second)


def _media(work: Comparison, words: str, old: Node, new: Node) -> None:
    before, after = old.get("schema"), new.get("schema")
    if before is not None and after is None:
        work.add("response-body-media-type-schema-removed", f"{words}: its schema is gone", before, new)
    elif before is not None:
        work.schemas(Subject(Kind.RESPONSE, words), before, after, (old, new))


def _counterpart(range_: str, theirs: dict[str, Node]) -> tuple[str, str] | None:
    """The new entry for a media type, with the id of what is different in the name."""
    mine, wanted = _essence(range_), _parameters(range_)
    same = [key for key in theirs if _essence(key) == mine]
    for key in same:
        if wanted.items() <= _parameters(key).items():
            return "", key
    if same:
        lost = wanted.keys() - _parameters(same[0]).keys()
        return f"response-media-type-parameter-{'removed' if lost else 'changed'}", same[0]
    for id_, holds in _KINDRED:
        if (found := next((key for key in theirs if holds(mine, _essence(key))), None)) is not None:
            return id_, found
    return None


def _is_kind(special: str, general: str) -> bool:
    """Whether the suffix of one type says that it is of the other: `application/problem+json` (RFC 6839)."""
    kind, _, sub = general.partition("/")
    return special.startswith(f"{kind}/") and special.endswith(f"+{sub}")


_KINDRED: tuple[tuple[str, Callable[[str, str], bool]], ...] = (
    ("", covers),
    ("response-media-type-name-generalized", lambda old, new: covers(new, old) or _is_kind(old, new)),
    ("response-media-type-name-changed", lambda old, new: _is_kind(new, old)),
)
"""What a new media type can be to an old one, and what that is called; the first that holds counts."""


def _essence(range_: str) -> str:
    return range_.partition(";")[0].strip().lower()


def _parameters(range_: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in range_.split(";")[1:] if part.strip())
    return {name.strip().lower(): value.strip().strip('"').lower() for name, _, value in pairs}
