"""`addresses` of sidegate.yaml -> the rule by address that holds for the whole gateway."""

from __future__ import annotations

from typing import Any

from xds.native.addresses import SCHEMA, Addresses, problems, read
from xds.native.faults import faults
from xds.settings.reader import Reader


def addresses(reader: Reader, value: Any) -> Addresses | None:
    """The rule, or None if there is none, or after diagnostics."""
    if value is None:
        return None
    found = list(faults(value, SCHEMA))
    rule = Addresses() if found else read(value)
    for problem in found or problems(rule):
        code = "settings-unknown-key" if problem.code == "extension-unknown" else "settings-invalid"
        reader.say(code, problem.message, f"/addresses{problem.pointer}", problem.help)
    return rule
