"""`addresses`, `trustedHops` -> the rule by address for the whole gateway, and whom it believes what the address is."""

from __future__ import annotations

from typing import Any

from xds.native.addresses import SCHEMA, Addresses, problems, read
from xds.native.faults import faults
from xds.settings.reader import Reader

MOST_HOPS = 16


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


def trusted_hops(reader: Reader, value: Any) -> int:
    """How many proxies stand before this one, each of which appends the address it sees to `x-forwarded-for`."""
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_HOPS:
        message = f"`trustedHops` is how many proxies stand before this one: a whole number up to {MOST_HOPS}"
        reader.say("settings-invalid", message, "/trustedHops", "2: a CDN, and a load balancer behind it")
        return 0
    return value
