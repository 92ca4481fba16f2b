"""A resource policy (`x-amazon-apigateway-policy`) -> `addresses`; one that says anything else closes the API."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_network

from xds.importing.export import Export, X
from xds.importing.keys import Keys, put
from xds.importing.part import Notes, Part


@dataclass(slots=True)
class _Rules:
    allow: list[str] = field(default_factory=list)
    everybody: bool = False
    only: list[list[str]] = field(default_factory=list)
    deny: list[str] = field(default_factory=list)


def addresses(export: Export, keys: Keys, notes: Notes) -> str:
    """Set `addresses` on the document. Returns why every operation must be refused, or an empty text."""
    part = export.top.get(f"{X}policy")
    if not part:
        return ""
    rules = _Rules()
    for statement in part.get("Statement").each():
        if problem := _statement(statement, rules, export.stage):
            notes.refused(
                statement,
                f"the resource policy {problem}, which has no equivalent: every operation is refused",
                "say it in Rego or as `addresses`, then take the operations out of `refused` in the policy",
            )
            return "the API's resource policy says more than addresses"
    return _carry(part, rules, keys, notes)


def private(export: Export, notes: Notes) -> None:
    """An API that is reached through VPC endpoints only: said of the server (OpenAPI 3), or of the API (2.0)."""
    for part in (export.top, *export.top.get("servers").each()):
        endpoints = part.get(f"{X}endpoint-configuration", "vpcEndpointIds")
        if endpoints:
            notes.lost(
                endpoints,
                "the API is private, reached through VPC endpoints alone, which has no equivalent",
                "give the gateway an address that only the network reaches, or name who may ask in `addresses`",
            )


def _carry(part: Part, rules: _Rules, keys: Keys, notes: Notes) -> str:
    lists = [*rules.only, *([rules.allow] if rules.allow and not rules.everybody else [])]
    if not rules.everybody and not rules.allow:
        notes.refused(part, "the resource policy allows nobody: every operation is refused")
        return "the API's resource policy allows nobody"
    if len(lists) > 1:
        notes.refused(
            part, "the resource policy asks for several lists of addresses at once: every operation is refused"
        )
        return "the API's resource policy asks for several lists of addresses at once"
    value = {**({"allow": lists[0]} if lists else {}), **({"deny": rules.deny} if rules.deny else {})}
    if not value:
        return ""
    try:
        for text in (*value.get("allow", ()), *value.get("deny", ())):
            ip_network(text)
    except ValueError as error:
        notes.refused(part, f"the resource policy: {error}; every operation is refused")
        return "the API's resource policy has an address that is none"
    if not put(keys, "addresses", value, notes, part, "the resource policy's addresses"):
        return "the API's resource policy asks for addresses"
    help_ = "name them in `listeners` as trusted hops, or every client has the load balancer's address"
    notes.differs(
        part, "addresses are those that trusted hops give: is there a load balancer before the gateway?", help_
    )
    return ""


def _statement(part: Part, rules: _Rules, stage: str) -> str:
    """Take one statement in. Returns what it says that no list of addresses can."""
    principal = part.get("Principal").value
    if principal not in ("*", {"AWS": "*"}, {"AWS": ["*"]}):
        return "names principals"
    if any(action.lower() not in ("execute-api:invoke", "execute-api:*", "*") for action in part.get("Action").texts()):
        return "is about more than invoking"
    if not all(_whole(resource, stage) for resource in part.get("Resource").texts()):
        return "is about single methods"
    effect = part.text("Effect")
    conditions = [(op, key, value) for op, keys in part.get("Condition").items() for key, value in keys.items()]
    if not conditions and effect == "Allow":
        rules.everybody = True
        return ""
    if len(conditions) != 1:
        return "denies everybody" if not conditions else "has several conditions in one statement"
    operator, key, value = conditions[0]
    if key.lower() != "aws:sourceip":
        return f"asks for {key}"
    match (effect, operator):
        case ("Allow", "IpAddress"):
            rules.allow += value.texts()
        case ("Deny", "IpAddress"):
            rules.deny += value.texts()
        case ("Deny", "NotIpAddress"):
            rules.only.append(value.texts())
        case _:
            return f"has {effect} with {operator}"
    return ""


def _whole(resource: str, stage: str) -> bool:
    """Whether a resource is the API, or its stage, as a whole: `execute-api:/*`, or an ARN that ends in nothing but stars."""
    if resource == "*":
        return True
    kind, _, path = resource.partition("/")
    parts = path.split("/")
    whole = set(parts[1:] if stage and parts[0] == stage else parts) <= {"*"}
    return whole and (kind.lower() == "execute-api:" or kind.startswith("arn:")) and parts[-1] == "*"
