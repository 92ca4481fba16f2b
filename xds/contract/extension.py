"""`x-sidegate` -> what OpenAPI has no word for. The keys of native features are `xds.native`'s; those here are the judge's."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from xds.model import Mode, Place, PolicyBinding
from xds.native import FEATURES, Problem, Setting
from xds.native.deprecation import SUNSET_EXTENSION
from xds.native.faults import faults, nearest, plain

from .node import Node
from .report import Report, suggestion

_RULE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:/[A-Za-z_][A-Za-z0-9_]*)+")


OURS = frozenset({"x-sidegate", "deprecated"})
"""Fields of documents and path items that OpenAPI does not have there. `deprecated` it has in operations only, and whoever
writes it over them means them all."""


@dataclass(frozen=True, slots=True)
class Extension:
    """What holds for an operation; an inner object's keys win over those around it, one by one."""

    policy: PolicyBinding
    mode: Mode
    query_open: bool
    settings: Mapping[str, Setting] = field(default_factory=dict)


def read(node: Node, outer: Extension, report: Report) -> Extension:
    """`outer` with what the object's own `x-sidegate`, `x-sunset` and `deprecated` say instead."""
    child, sunset = node.get("x-sidegate"), node.get(SUNSET_EXTENSION)
    changes, settings = ({}, {}) if child is None else _own(child, report)
    if sunset is not None:
        if "sunset" in settings:
            report.add(
                "extension-value", f"`{SUNSET_EXTENSION}` and `sunset` stand here both", sunset, "keep one of them"
            )
        if (setting := _setting("sunset", sunset, report)) is not None:
            settings["sunset"] = setting
    if "deprecated" not in settings and (marked := _marked(node, outer, report)) is not None:
        settings["deprecated"] = marked
    if settings:
        changes["settings"] = {**outer.settings, **settings}
    return replace(outer, **changes) if changes else outer


def _own(child: Node, report: Report) -> tuple[dict[str, Any], dict[str, Setting]]:
    """What an `x-sidegate` says: fields of `Extension`, and settings of native features."""
    changes: dict[str, Any] = {}
    settings: dict[str, Setting] = {}
    if report.expect(child, dict, "`x-sidegate`") is None:
        return changes, settings
    for key, value in child.members():
        row = _KEYS.get(key)
        if key in _SCHEMAS:
            if (setting := _setting(key, value, report)) is not None:
                settings[key] = setting
        elif row is None:
            report.add("extension-unknown", f"`x-sidegate` has no key `{key}`", value, _unknown(key))
        elif row[1] is not None:
            found = row[1](value, child, report)
            if found is not None:
                changes[row[0]] = found
    if "reason" in child.value and child.value.get("policy") != "none":
        report.add("extension-value", "a `reason` belongs to `policy: none`", child.get("reason") or child)
    return changes, settings


def _marked(node: Node, outer: Extension, report: Report) -> Setting | None:
    """What `deprecated: true` says, unless what stands around it says more. OpenAPI has the field in operations; a document and
    a path item may have it too."""
    inherited = outer.settings.get("deprecated")
    if not report.flag(node, "deprecated") or (inherited is not None and inherited.value is not False):
        return None
    flag = node.get("deprecated")
    return Setting(True, flag.place) if flag is not None else None


def _setting(key: str, node: Node, report: Report) -> Setting | None:
    """A native feature's value that its schema takes, or None after findings."""
    found = list(faults(node.value, _SCHEMAS[key]))
    if key == "breaking" and not found:
        found = [*_unknown_changes(node.value)]
    for problem in found:
        at = Place(node.file, node.pointer + problem.pointer)
        report.add(problem.code, f"`{key}`: {problem.message}", at, problem.help)
    return None if found else Setting(node.value, node.place)


def _unknown_changes(entries: list[Mapping[str, str]]) -> Iterator[Problem]:
    from .diff.table import CHANGES

    for index, entry in enumerate(entries):
        if entry["id"] not in CHANGES:
            help_ = suggestion(entry["id"], CHANGES) or "`sidegate diff --list` names them"
            yield Problem(f"there is no change `{entry['id']}`", f"/{index}/id", help_)


def schema() -> dict[str, Any]:
    """The published JSON Schema (2020-12) of an `x-sidegate` object."""
    own = {key: dict(row[2]) for key, row in _KEYS.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "x-sidegate",
        "description": "What OpenAPI has no word for, on the document, a path item or an operation; the inner object wins"
        " key by key.",
        "type": "object",
        "properties": {**own, **{key: plain(value) for key, value in _SCHEMAS.items()}},
        "additionalProperties": False,
    }


def _unknown(key: str) -> str:
    return nearest(key, (*_KEYS, *_SCHEMAS))


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
_KEYS: dict[str, tuple[str, _Reader | None, Mapping[str, Any]]] = {
    # key of `x-sidegate`: field of `Extension`, what reads the value (None: another key's reader does), its schema
    "policy": (
        "policy",
        _policy,
        {"type": "string", "description": "the path of the rule that decides, catalog/authz/allow, or none"},
    ),
    "reason": ("policy", None, {"type": "string", "description": "why `policy: none` needs no rule"}),
    "mode": ("mode", _mode, {"enum": list(Mode), "description": "enforce, report what would be refused, or look away"}),
    "undeclared": (
        "query_open",
        _undeclared,
        {"enum": ["pass", "refuse"], "description": "what becomes of undeclared query parameters"},
    ),
}

_BREAKING: Mapping[str, Any] = {
    "type": "array",
    "description": "changes that may break clients of the contract that is served, each with the reason (see `sidegate diff`)",
    "minItems": 1,
    "items": {
        "type": "object",
        "required": ["id", "reason"],
        "properties": {
            "id": {
                "type": "string",
                "minLength": 1,
                "description": "what may change, as `sidegate diff --list` names it",
            },
            "operation": {
                "type": "string",
                "description": "which operation may, as `GET /v1/pets/{id}`; each, without it",
            },
            "reason": {"type": "string", "minLength": 1, "description": "why clients do not mind"},
        },
        "additionalProperties": False,
    },
}

_SCHEMAS: dict[str, Mapping[str, Any]] = {
    **{feature.key: feature.schema for feature in FEATURES},
    "breaking": _BREAKING,
}

DEFAULTS = Extension(PolicyBinding(None, None, Place("")), Mode.ENFORCE, False)
"""What holds where no `x-sidegate` says otherwise."""
