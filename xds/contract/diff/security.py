"""Security: what a client must bring."""

from __future__ import annotations

from xds.contract.node import Node
from xds.contract.security import SecurityScheme
from xds.model import Alternative, Credential, Operation

from .comparison import Comparison

_ANYBODY = Alternative(())


def compare(work: Comparison, old: Operation, new: Operation) -> None:
    """Every alternative that was enough must still be: asked for no other credential and no further scope."""
    before, after = old.security or (_ANYBODY,), new.security or (_ANYBODY,)
    for alternative in before:
        if not any(_enough(work, alternative, other) for other in after):
            _lost(work, alternative, after, old, new)


def _enough(work: Comparison, brought: Alternative, asked: Alternative) -> bool:
    return all(any(_serves(work, mine, wanted) for mine in brought.credentials) for wanted in asked.credentials)


def _serves(work: Comparison, mine: Credential, wanted: Credential) -> bool:
    return _same(work, mine, wanted) and set(wanted.scopes) <= set(mine.scopes)


def _same(work: Comparison, mine: Credential, wanted: Credential) -> bool:
    """Whether a client brings the same thing for both; what a scheme is called is no client's business."""
    return _meaning(work.old.contract.schemes.get(mine.scheme), mine) == _meaning(
        work.new.contract.schemes.get(wanted.scheme), wanted
    )


def _meaning(scheme: SecurityScheme | None, credential: Credential) -> tuple[str, ...]:
    kind = scheme.kind if scheme is not None else str(credential.kind)
    return (str(kind), credential.place, credential.name)


def _lost(work: Comparison, lost: Alternative, after: tuple[Alternative, ...], old: Operation, new: Operation) -> None:
    at = [_place(side.at(o.place), side.root) for side, o in ((work.old, old), (work.new, new))]
    if not lost.credentials:
        words = "whoever brings nothing is refused now"
        work.add("api-security-anonymous-access-removed", words, *at)
        return
    named = " with ".join(c.scheme for c in lost.credentials)
    for other in after:
        if all(any(_same(work, mine, wanted) for mine in lost.credentials) for wanted in other.credentials):
            scopes = {s for c in other.credentials for s in c.scopes} - {s for c in lost.credentials for s in c.scopes}
            words = f"{named} must have the scope {', '.join(sorted(scopes))} too"
            work.add("api-security-scope-added", words, *at)
            return
    if not _scheme(work, lost, after):
        work.add("api-security-removed", f"{named} is not enough any more", *at)


def _place(operation: Node, root: Node) -> Node:
    return operation.get("security") or root.get("security") or operation


def _scheme(work: Comparison, lost: Alternative, after: tuple[Alternative, ...]) -> bool:
    """Whether the reason is a scheme that means something else under the same name; told once."""
    names = {c.scheme for other in after for c in other.credentials}
    if not {c.scheme for c in lost.credentials} <= names:
        return False
    told = False
    for credential in lost.credentials:
        first = work.old.contract.schemes.get(credential.scheme)
        second = work.new.contract.schemes.get(credential.scheme)
        if first is None or second is None or (first.kind, first.at) == (second.kind, second.at):
            continue
        told = True
        node, other = work.old.at(first.place), work.new.at(second.place)
        id_, words = _changed(node, other)
        work.add(id_, f"security scheme {credential.scheme}: {words}", first.place, second.place)
    return told


def _changed(old: Node, new: Node) -> tuple[str, str]:
    for field, id_ in _FIELDS:
        first, second = ((n.value if (n := node.get(field)) is not None else None) for node in (old, new))
        if first != second:
            return id_, f"{field} {first} became {second}"
    return "api-security-component-type-changed", "it asks for something else"


_FIELDS = (
    ("type", "api-security-component-type-changed"),
    ("scheme", "api-security-component-http-scheme-changed"),
    ("in", "api-security-component-api-key-in-changed"),
    ("name", "api-security-component-api-key-name-changed"),
)


def schemes(work: Comparison) -> None:
    """Where tokens come from, of schemes that both contracts have under one name."""
    before, after = work.old.contract.schemes, work.new.contract.schemes
    for name in sorted(before.keys() & after.keys()):
        old, new = work.old.at(before[name].place), work.new.at(after[name].place)
        _url(work, name, "api-security-component-openid-connect-url-changed", old, new, "openIdConnectUrl")
        flows, others = old.get("flows"), new.get("flows")
        for flow, node in flows.members() if flows is not None else ():
            other = others.get(flow) if others is not None else None
            for field, id_ in _URLS if other is not None else ():
                _url(work, f"{name}, {flow}", id_, node, other, field)


def _url(work: Comparison, name: str, id_: str, old: Node, new: Node | None, field: str) -> None:
    first, second = old.get(field), new.get(field) if new is not None else None
    if first is not None and second is not None and first.value != second.value:
        work.add(id_, f"security scheme {name}: {field} is another", first, second)


_URLS = (
    ("authorizationUrl", "api-security-component-oauth-url-changed"),
    ("tokenUrl", "api-security-component-oauth-token-url-changed"),
    ("refreshUrl", "api-security-component-oauth-refresh-url-changed"),
)
