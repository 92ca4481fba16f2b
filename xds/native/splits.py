"""`split: {v1: 90, v2: 10}`, `mirror: {to: v2, percent: 5}` -> which versions of the service get an operation's requests.

Whoever answers, the contract and the policy are those of the version whose path matched: a split chooses a service, not a
contract.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xds.native.faults import nearest
from xds.native.feature import Feature, Problem, Site
from xds.source.pointer import escape

if TYPE_CHECKING:
    from xds.model import Operation

Split = tuple[tuple[str, int], ...]
"""Versions and their shares in percent, by name."""


@dataclass(frozen=True, slots=True)
class Mirror:
    """A copy of `percent` of the requests goes to version `to`; its answer is dropped."""

    to: str
    percent: float


def _read_split(value: Mapping[str, int]) -> Split:
    return tuple(sorted(value.items()))


def _check_split(value: Split, operation: Operation, site: Site) -> Iterator[Problem]:
    for name, _ in value:
        if name not in site.versions:
            yield Problem(f"{site.service} has no version {name}", f"/{escape(name)}", nearest(name, site.versions))
    total = sum(weight for _, weight in value)
    if total != 100:
        yield Problem(f"the shares add up to {total}, not to 100", help="shares are percent of the requests")


def _read_mirror(value: Mapping[str, Any]) -> Mirror:
    return Mirror(value["to"], float(value.get("percent", 100)))


def _check_mirror(value: Mirror, operation: Operation, site: Site) -> Iterator[Problem]:
    if value.to not in site.versions:
        yield Problem(f"{site.service} has no version {value.to}", "/to", nearest(value.to, site.versions))
    elif value.to == site.version:
        yield Problem("a version that mirrors to itself gets everything twice", "/to", "name another version")


SPLIT = Feature(
    key="split",
    field="split",
    schema={
        "type": "object",
        "description": "shares of the requests in percent, by the service's version that gets them: {v1: 90, v2: 10}",
        "minProperties": 1,
        "additionalProperties": {"type": "integer", "minimum": 0, "maximum": 100, "description": "percent, 0 to 100"},
    },
    read=_read_split,
    check=_check_split,
    said=lambda value: (
        ", ".join(f"{weight} % to {name}" for name, weight in value)
        + " (Envoy's weighted clusters; judged by this version's contract, whoever answers)"
    ),
)

MIRROR = Feature(
    key="mirror",
    field="mirror",
    schema={
        "type": "object",
        "description": "copies of requests for another version, whose answers are dropped: {to: v2, percent: 5}",
        "additionalProperties": False,
        "required": ["to"],
        "properties": {
            "to": {"type": "string", "description": "a version of the service"},
            "percent": {
                "type": "number",
                "exclusiveMinimum": 0,
                "maximum": 100,
                "description": "how many of a hundred requests, above 0 up to 100 (the default)",
            },
        },
    },
    read=_read_mirror,
    check=_check_mirror,
    said=lambda value: f"{value.percent:g} % also to {value.to}, whose answers are dropped (Envoy's request mirroring)",
)
