"""Two forms of a value -> what breaks between them; a rule a row."""

from __future__ import annotations

from collections.abc import Callable

from xds.contract.diff.found import Findings, Two

from . import arrays, bounds, choices, conditions, members, objects, texts, types, values

RULES: tuple[Callable[[Two], Findings], ...] = (
    types.kinds,
    values.enumerated,
    values.extensible,
    bounds.bounds,
    bounds.multiples,
    texts.patterns,
    texts.formats,
    texts.contents,
    members.properties,
    objects.others,
    objects.patterned,
    objects.named,
    objects.dependent,
    arrays.items,
    arrays.positions,
    arrays.contained,
    arrays.unique,
    conditions.nots,
    conditions.ifs,
    conditions.dependents,
)


def compare(two: Two) -> Findings:
    """What breaks at one value, and what is to be compared further."""
    source, target = two.source, two.target
    if source.never:
        if not target.never and (shown := types.possible(two)) is not None:
            yield shown
        return
    if target.never:
        yield types.impossible(two)
        return
    if not (source.types & target.types) - {"null"} and source.types != {"null"} and not two.text:
        yield from types.kinds(two)  # whatever else is said, is said of something else
        return
    if choices.regrouped(two):
        yield from choices.alternatives(two)
        return
    for rule in RULES:
        yield from rule(two)
    yield from choices.groups(two)
