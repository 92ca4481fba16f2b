"""`properties` and `required`, with `readOnly` and `writeOnly`: the members of an object one by one."""

from __future__ import annotations

from xds.contract.diff.form import Form, flattened
from xds.contract.diff.found import Findings, Issue, Part, Two
from xds.contract.node import Node
from xds.contract.report import Report


def properties(two: Two) -> Findings:
    """Properties that are asked for anew, promised no more, not taken any more; and those that both have."""
    for name in dict.fromkeys((*two.old.names, *two.new.names, *two.old.required, *two.new.required)):
        old, new = _Member(two, two.old, name), _Member(two, two.new, name)
        if two.strict:
            yield from _strict(two, name, old, new)
        elif old.hidden or new.hidden:
            yield from _hidden(two, name, old, new)
        else:
            yield from _request(two, name, old, new) if two.request else _response(two, name, old, new)


class _Member:
    """A property in one of the forms. `said` says that it may be there and what it is, by its name or as any other property;
    `hidden` that it is none of the direction's: read-only in what clients send."""

    def __init__(self, two: Two, form: Form, name: str) -> None:
        self.named = name in form.names
        self.required = name in form.required
        self.schemas = form.member(name)
        self.refused = any(node.value is False for node in self.schemas)
        self.said = self.named or (not self.refused and any(not _open(node) for node in self.schemas))
        self.node = form.names.get(name) or form.required.get(name) or form.at
        word = "readOnly" if two.request else "writeOnly"
        self.form = form
        self.hidden = self.named and _marked(self.schemas, form, word)


def _open(node: Node) -> bool:
    return node.value is True or node.value == {}


def _marked(schemas: tuple[Node, ...], form: Form, word: str) -> bool:
    """Whether one of the schemas that apply to a property has an annotation."""
    return any(
        type(node.value) is dict and node.value.get(word) is True
        for node in flattened(schemas, form.library, form.draft4, Report())
    )


def _hidden(two: Two, name: str, old: _Member, new: _Member) -> Findings:
    if old.hidden and new.hidden:
        return
    word = "read-only" if two.request else "write-only"
    if new.hidden and old.named:
        kind = "required" if old.required else "optional"
        if two.request or old.required:
            yield Issue(f"{kind}-property-became-{word}", f"it became {word}", old.node, new.node, name)
    elif old.hidden and two.request and new.required:
        yield Issue("required-property-became-not-read-only", "it became one to be sent", old.node, new.node, name)


def _strict(two: Two, name: str, old: _Member, new: _Member) -> Findings:
    source, target = (old, new) if two.request else (new, old)
    if target.required and not source.required:
        what = "became-required" if two.request else "became-optional"
        yield Issue(what, "it is missing where it must be there", old.node, new.node, name)
    if target.schemas:
        yield Part(name, old.schemas, new.schemas)


def _request(two: Two, name: str, old: _Member, new: _Member) -> Findings:
    if new.required and not old.required:
        default = any(node.value.get("default") is not None for node in new.schemas if type(node.value) is dict)
        what = ("became-required" if old.named else "new-required") + ("-with-default" if default else "")
        yield Issue(what, "it must be sent now", old.node, new.node, name)
    if old.named and not new.said:
        if new.refused:
            yield Issue("refused", "it is not taken any more", old.node, new.node, name)
        else:
            yield Issue("removed", "it is gone, and what is sent of it is not looked at", old.node, new.node, name)
    elif old.said:
        yield Part(name, old.schemas, new.schemas)


def _response(two: Two, name: str, old: _Member, new: _Member) -> Findings:
    if old.named and not new.said:
        what = "required-property-removed" if old.required else "optional-property-removed"
        yield Issue(what, "it is gone", old.node, new.node, name)
        return
    if old.required and not new.required:
        yield Issue("became-optional", "it may be missing", old.node, new.node, name)
    if old.said:
        yield Part(name, old.schemas, new.schemas)
