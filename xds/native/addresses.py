"""`addresses: {allow: [10.0.0.0/8], deny: [10.1.0.0/16]}` -> the clients that may ask, by their trusted address."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from xds.native.feature import Feature, Problem, Site

if TYPE_CHECKING:
    from xds.model import Operation


@dataclass(frozen=True, slots=True)
class Addresses:
    """Ranges in CIDR notation. An empty `allow` allows every address; `deny` wins over `allow`."""

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()


def _ranges(description: str) -> Mapping[str, Any]:
    return {
        "type": "array",
        "minItems": 1,
        "uniqueItems": True,
        "items": {"type": "string", "description": "an address or a range: 192.0.2.7, 10.0.0.0/8, 2001:db8::/32"},
        "description": description,
    }


SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "description": "which clients may ask: {allow: [10.0.0.0/8], deny: [10.1.0.0/16]}",
    "additionalProperties": False,
    "minProperties": 1,
    "properties": {
        "allow": _ranges("only clients of these ranges may ask"),
        "deny": _ranges("clients of these ranges may not, also if they are in `allow`"),
    },
}


def read(value: Mapping[str, Sequence[str]]) -> Addresses:
    """The ranges as they are written; `problems` says which of them are none."""
    return Addresses(tuple(value.get("allow", ())), tuple(value.get("deny", ())))


def problems(value: Addresses) -> Iterator[Problem]:
    """Ranges that are none, and rules by which nobody is left."""
    for key, texts in (("allow", value.allow), ("deny", value.deny)):
        for number, text in enumerate(texts):
            try:
                ip_network(text)
            except ValueError as error:
                help_ = _meant(text) or "write an address or a range: 10.0.0.0/8"
                yield Problem(f"'{text}' is no range: {error}", f"/{key}/{number}", help_)
    if value.allow and set(value.allow) <= set(value.deny):
        yield Problem("every range that is allowed is denied: nobody may ask", "/deny", "`deny` wins over `allow`")


def _meant(text: str) -> str | None:
    try:
        return f"did you mean {ip_network(text, strict=False)}?"
    except ValueError:
        return None


def _check(value: Addresses, operation: Operation, site: Site) -> Iterator[Problem]:
    return problems(value)


def words(value: Addresses) -> str:
    """A rule in words."""
    allow = f"only {', '.join(value.allow)}" if value.allow else "every address"
    return allow + (f", but not {', '.join(value.deny)}" if value.deny else "")


ADDRESSES = Feature(
    key="addresses",
    field="addresses",
    schema=SCHEMA,
    read=read,
    check=_check,
    said=lambda value: f"clients at {words(value)}, as trusted hops give the address (Envoy's RBAC filter)",
)
