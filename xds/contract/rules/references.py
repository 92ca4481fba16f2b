"""References that no request needs: not followed, but none of them may lead out of the project either."""

from __future__ import annotations

import re
from typing import Any

from xds.contract.library import Library
from xds.contract.node import Node
from xds.contract.report import Report

_DATA = frozenset({"example", "examples", "default", "enum", "const"})
_WITHIN = re.compile(r"#[A-Za-z0-9/_.~-]*")


def check(node: Node, library: Library, report: Report) -> None:
    """Codes: `ref-remote`, `path-escapes`. Walks a value of the document; examples and extensions are data."""
    if library.boundaries:
        return  # what a reference is relative to would have to be known, and only schemas that are used tell
    if not _leads_out(node.value):
        return
    stack = [node]
    while stack:
        one = stack.pop()
        if type(one.value) is list:
            stack += [item for item in one.items() if type(item.value) in (dict, list)]
            continue
        reference = one.value.get("$ref") if type(one.value) is dict else None
        if isinstance(reference, str):
            library.permitted(one, reference, report)
        for key, value in one.value.items() if type(one.value) is dict else ():
            if type(value) in (dict, list) and key not in _DATA and not key.startswith("x-"):
                stack.append(Node(value, one.file, one, key))


def _leads_out(value: Any) -> bool:
    """Whether a reference is of another form than `#/a/b`: a first look, without places."""
    stack = [value]
    while stack:
        one = stack.pop()
        if type(one) is list:
            stack += [item for item in one if type(item) is dict or type(item) is list]
            continue
        if type(one) is not dict:
            continue
        reference = one.get("$ref")
        if type(reference) is str and not _WITHIN.fullmatch(reference):
            return True
        for key, member in one.items():
            if (type(member) is dict or type(member) is list) and key not in _DATA and not key.startswith("x-"):
                stack.append(member)
    return False
