"""A denial -> the reason that the policy gives for it, and the place of the rule behind it."""

from __future__ import annotations

from dataclasses import replace

from xds.diagnostics import Span

from .bundle import Bundle
from .decision import Decision, reason_of

NAMES = ("reasons", "reason", "deny")
"""Rules beside an entrypoint that say why it denies, by precedence: a string, or a set, array or object of strings."""


def reason_rules(bundle: Bundle, entrypoint: str) -> tuple[str, ...]:
    """The rules of an entrypoint's package that say why it denies."""
    package = entrypoint.rpartition("/")[0]
    return tuple(rule for name in NAMES if (rule := f"{package}/{name}") in bundle.rules and rule != entrypoint)


def place_of(bundle: Bundle, entrypoint: str, allowed: bool) -> Span | None:
    """The definition that decided, or that failed, where there is no doubt: the only one besides the default.

    Where several could have allowed a request and none did, it is the default, or else the first of them.
    """
    places = bundle.rules.get(entrypoint, ())
    own = [place for place in places if place not in bundle.defaults]
    if len(own) == 1:
        return own[0]
    if allowed or not places:
        return None
    return next((place for place in places if place in bundle.defaults), places[0])


def explained(decision: Decision, bundle: Bundle, rule: str, value: object) -> Decision:
    """A denial with the reason that a rule's value gives, if it gives one, and the place of the definition that gave it."""
    reason = reason_of(value)
    if reason is None:
        return decision
    places = bundle.rules.get(rule, ())
    worded = bundle.wordings.get(rule, {}).get(reason.split("; ")[0])
    place = worded or (places[0] if len(places) == 1 else decision.rule)
    return replace(decision, reason=reason, rule=place)
