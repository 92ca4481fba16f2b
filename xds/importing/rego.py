"""Who may ask what -> authz.rego and its test: nothing is allowed but what AWS let in, each by what it asked for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Access:
    """The operations of one service, by what a caller must bring. Those in `refused` have the reason."""

    everybody: list[str] = field(default_factory=list)
    token: list[str] = field(default_factory=list)
    key: list[str] = field(default_factory=list)
    both: list[str] = field(default_factory=list)
    scopes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


def package_of(service: str) -> str:
    """A service's package: a hyphen cannot stand in its name."""
    return service.replace("-", "_")


def entrypoint(service: str) -> str:
    """What `policy` of the contract says, where the service's name is no package; else empty: it is found by its name."""
    return f"{package_of(service)}/authz/allow" if "-" in service else ""


_HEAD = """# Who may do what with {service}. Whatever no rule allows is refused; the contract's `security` is checked before.
package {package}.authz

default allow := false
"""

_GROUPS = (
    ("everybody", "Nothing was asked for.", "open_to_all", ()),
    ("token", "A verified token.", "open_to_tokens", ("count(input.sidegate.claims) > 0", "scope_fits")),
    ("key", "An API key, which has a consumer.", "open_to_keys", ("is_string(input.sidegate.consumer)",)),
    (
        "both",
        "A verified token, and an API key beside it.",
        "open_to_tokens_with_keys",
        ("count(input.sidegate.claims) > 0", "is_string(input.sidegate.consumer)", "scope_fits"),
    ),
)

_SCOPES = """
# One of these scopes, as the authorizer had it.
scopes_for := {scopes}

scope_fits if not scopes_for[input.sidegate.operation_id]

scope_fits if {{
	some scope in scopes_for[input.sidegate.operation_id]
	scope in split(input.sidegate.claims.scope, " ")
}}

scope_fits if {{
	some scope in scopes_for[input.sidegate.operation_id]
	scope in input.sidegate.claims.scp
}}

reasons contains "one of its scopes is missing" if {{
	scopes_for[input.sidegate.operation_id]
	not scope_fits
}}
"""

_REFUSED = """
# No equivalent was found for what decided or answered here. Allow an operation by taking it out and into a set above.
refused := {refused}

reasons contains refused[input.sidegate.operation_id]
"""


def policy(service: str, access: Access) -> str:
    """The policy's text."""
    out = [_HEAD.format(service=service, package=package_of(service))]
    scoped = bool(access.scopes)
    for attribute, words, name, conditions in _GROUPS:
        if not (operations := getattr(access, attribute)):
            continue
        needed = [c for c in conditions if c != "scope_fits" or scoped]
        out.append(f"\n# {words}\n{name} := {_set(operations)}\n")
        body = "".join(f"\t{line}\n" for line in (f"input.sidegate.operation_id in {name}", *needed))
        out.append(f"\nallow if {{\n{body}}}\n")
    if scoped:
        out.append(_SCOPES.format(scopes=_map({k: _inline(v) for k, v in sorted(access.scopes.items())})))
    if access.refused:
        out.append(_REFUSED.format(refused=_map({k: json.dumps(v) for k, v in sorted(access.refused.items())})))
    return "".join(out)


def policy_test(service: str, access: Access) -> str:
    """The test's text: one test for each way in, and for what stays closed."""
    package = package_of(service)
    out = [
        f"package {package}.authz_test\n\nimport data.{package}.authz\n",
        "\ncall(operation, claims, consumer) := "
        '{"sidegate": {"operation_id": operation, "claims": claims, "consumer": consumer}}\n',
    ]
    if access.everybody:
        out.append(f"\ntest_open if authz.allow with input as call({json.dumps(access.everybody[0])}, {{}}, null)\n")
    for attribute, name in (("token", "tokens"), ("key", "keys"), ("both", "tokens_with_keys")):
        if operations := getattr(access, attribute):
            out.append(_pair(name, operations[0], attribute, access))
    if access.refused:
        first = min(access.refused)
        out.append(f"\ntest_refused if {{\n\tnot authz.allow with input as {_call(first, 'both', ())}\n}}\n")
    out.append(
        f"\ntest_new_operations_are_closed if {{\n\tnot authz.allow with input as {_call('notThoughtOf', 'both', ())}\n}}\n"
    )
    return "".join(out)


def _pair(name: str, operation: str, brings: str, access: Access) -> str:
    scopes = access.scopes.get(operation, ())
    lines = f"\ntest_{name} if authz.allow with input as {_call(operation, brings, scopes)}\n"
    lines += (
        f"\ntest_{name}_are_needed if {{\n\tnot authz.allow with input as {_call(operation, 'everybody', ())}\n}}\n"
    )
    if scopes:
        lines += (
            f"\ntest_{name}_need_a_scope if {{\n\tnot authz.allow with input as {_call(operation, brings, ())}\n}}\n"
        )
    return lines


def _call(operation: str, brings: str, scopes: Iterable[str]) -> str:
    claims: dict[str, str] = {}
    if brings in ("token", "both"):
        claims = {"iss": "https://issuer.test", "scope": next(iter(scopes), "none")}
    consumer = '"mobile"' if brings in ("key", "both") else "null"
    return f"call({json.dumps(operation)}, {json.dumps(claims)}, {consumer})"


def _set(operations: Iterable[str]) -> str:
    return "{\n" + "".join(f"\t{json.dumps(name)},\n" for name in sorted(operations)) + "}"


def _inline(scopes: Iterable[str]) -> str:
    return "{" + ", ".join(json.dumps(scope) for scope in scopes) + "}"


def _map(members: Mapping[str, str]) -> str:
    return "{\n" + "".join(f"\t{json.dumps(key)}: {text},\n" for key, text in members.items()) + "}"
