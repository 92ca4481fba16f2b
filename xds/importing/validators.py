"""Request validators -> `mode` and `undeclared`: what AWS did not check is recorded first, and refused when you say so."""

from __future__ import annotations

from enum import Enum

from xds.importing.export import Export, Method, X
from xds.importing.part import Notes


class Checked(Enum):
    """What AWS checked of a request."""

    NOTHING = "nothing"
    PARAMETERS = "the presence of parameters"
    BODY = "the body"
    BOTH = "the presence of parameters, and the body"


def checked(export: Export, method: Method) -> Checked:
    """What a method's validator, or the API's, looks at. HTTP APIs have none."""
    name = method.part.text(f"{X}request-validator") or export.top.text(f"{X}request-validator")
    validator = export.top.get(f"{X}request-validators", name) if name else None
    if validator is None:
        return Checked.NOTHING
    parameters = validator.get("validateRequestParameters").value is True
    body = validator.get("validateRequestBody").value is True
    if parameters and body:
        return Checked.BOTH
    return Checked.PARAMETERS if parameters else Checked.BODY if body else Checked.NOTHING


def note(export: Export, methods: dict[Checked, list[Method]], report: bool, notes: Notes) -> None:
    """One note for each kind, at the first method of it."""
    for kind, found in methods.items():
        names = ", ".join(m.where for m in found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
        part = found[0].part
        if kind is not Checked.NOTHING:
            notes.differs(
                part,
                f"AWS checked {kind.value}; here the whole contract is enforced, types and formats included: {names}",
                "`x-sidegate: {mode: report}` on an operation records first what would be refused",
            )
        elif report:
            notes.differs(
                part,
                f"AWS checked nothing of these requests; `mode: report` records what the contract would refuse: {names}",
                "look at the records, then take `mode` out; while it is there, no rule of the policy refuses either",
            )
        else:
            notes.differs(part, f"AWS checked nothing of these requests; here the contract is enforced: {names}")
