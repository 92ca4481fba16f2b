"""`x-sidegate` -> what OpenAPI has no word for. A new key is one row of `_KEYS` and one field of `Extension`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from xds.model import Mode, Place, PolicyBinding

from .node import Node
from .report import Report, suggestion

_RULE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:/[A-Za-z_][A-Za-z0-9_]*)+")


@dataclass(frozen=True, slots=True)
class Extension:
    """What holds for an operation; an inner object's keys win over those around it, one by one."""

    policy: PolicyBinding
    mode: Mode
    query_open: bool


def read(node: Node, outer: Extension, report: Report) -> Extension:
    """`outer` with what the object's own `x-sidegate` says instead."""
    child = node.get("x-sidegate")
    if child is None or report.expect(child, dict, "`x-sidegate`") is None:
        return outer
    changes: dict[str, Any] = {}
    for key, value in child.members():
        row = _KEYS.get(key)
        if row is None:
            report.add("extension-unknown", f"`x-sidegate` has no key `{key}`", value, _unknown(key))
        elif row[1] is not None:
            found = row[1](value, child, report)
            if found is not None:
                changes[row[0]] = found
    if "reason" in child.value and child.value.get("policy") != "none":
        report.add("extension-value", "a `reason` belongs to `policy: none`", child.get("reason") or child)
    return replace(outer, **changes)


def _unknown(key: str) -> str:
    return suggestion(key, _KEYS) or "the keys are " + ", ".join(f"`{known}`" for known in _KEYS)


def _policy(node: Node, parent: Node, report: Report) -> PolicyBinding | None:
    text = report.expect(node, str, "`policy`")
    if text == "none":
        reason = report.text(parent, "reason").strip()
        if not reason:
            report.add(
                "extension-value", "`policy: none` needs a `reason` beside it", node, "reason: why no rule is needed"
            )
        return PolicyBinding(None, reason or "", node.place)
    if text is None:
        return None
    if not _RULE.fullmatch(text):
        help = "write the rule's path with slashes, as catalog/authz/allow for data.catalog.authz.allow"
        report.add("extension-value", "`policy` is the path of a rule, or `none`", node, help)
        return None
    return PolicyBinding(text, None, node.place)


def _mode(node: Node, parent: Node, report: Report) -> Mode | None:
    word = _word(node, "mode", tuple(Mode), report)
    return Mode(word) if word is not None else None


def _undeclared(node: Node, parent: Node, report: Report) -> bool | None:
    word = _word(node, "undeclared", ("pass", "refuse"), report)
    return None if word is None else word == "pass"


def _word(node: Node, key: str, words: tuple[str, ...], report: Report) -> str | None:
    text: str | None = report.expect(node, str, f"`{key}`")
    if text is not None and text not in words:
        help = suggestion(text, words)
        report.add("extension-value", f"`{key}` is one of " + ", ".join(f"`{w}`" for w in words), node, help)
        return None
    return text


_Reader = Callable[[Node, Node, Report], Any]
_KEYS: dict[str, tuple[str, _Reader | None]] = {
    # key of `x-sidegate`: field of `Extension`, and what reads the value (None: another key's reader does)
    "policy": ("policy", _policy),
    "reason": ("policy", None),
    "mode": ("mode", _mode),
    "undeclared": ("query_open", _undeclared),
}

DEFAULTS = Extension(PolicyBinding(None, None, Place("")), Mode.ENFORCE, False)
"""What holds where no `x-sidegate` says otherwise."""
