"""`patches` -> changes to resources that were made for Envoy, each typed, named, and found out if it weakens a check."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from xds.native.patches import TYPES, Patch, problems
from xds.settings.reader import Reader

KEYS = ("name", "resource", "match", "merge", "accept")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")


def patches(reader: Reader, value: Any) -> tuple[Patch, ...]:
    """The patches that can be made, in their order."""
    if value is None:
        return ()
    if not isinstance(value, list):
        reader.say("settings-invalid", "`patches` is a list", "/patches")
        return ()
    found: dict[str, Patch] = {}
    for number, each in enumerate(value):
        at = f"/patches/{number}"
        patch = _patch(reader, each, at)
        if patch is not None and patch.name in found:
            reader.say("patch-invalid", f"there are two patches called {patch.name}", f"{at}/name")
        elif patch is not None and not _refused(reader, patch, at):
            found[patch.name] = patch
    return tuple(found.values())


def _patch(reader: Reader, value: Any, at: str) -> Patch | None:
    written = reader.mapping(value, at, KEYS)
    wrong = list(_wrong(written))
    for key, message in wrong:
        reader.say("patch-invalid", message, f"{at}/{key}" if key in written else at)
    if wrong or not written:
        return None
    merge = json.dumps(written["merge"], sort_keys=True)
    match, accept = written.get("match", "*"), written.get("accept", "")
    return Patch(written["name"], written["resource"], match, merge, accept, reader.place(at))


def _wrong(written: dict[str, Any]) -> Iterator[tuple[str, str]]:
    name = written.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        yield "name", "a patch has a `name` of small letters, digits and hyphens"
    if written.get("resource") not in TYPES:
        yield "resource", f"`resource` is one of {', '.join(TYPES)}"
    if not isinstance(written.get("match", ""), str) or written.get("match") == "":
        yield "match", "`match` is the name of a resource, or a pattern of names: catalog/*"
    if not isinstance(written.get("merge"), dict) or not written["merge"]:
        yield "merge", "`merge` holds the fields that change, by their names in Envoy's API"
    if "accept" in written and (not isinstance(written["accept"], str) or len(written["accept"].strip()) < 8):
        yield "accept", "`accept` is the reason why a check may be weaker"


def _refused(reader: Reader, patch: Patch, at: str) -> bool:
    """Say what is wrong with a patch; whether it is refused."""
    found = list(problems(patch))
    for problem in found:
        reader.say(problem.code, problem.message, f"{at}/merge{problem.pointer}", problem.help)
    return any(problem.code != "patch-weakens" for problem in found)
