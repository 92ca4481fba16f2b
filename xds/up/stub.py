"""The policy that stands in until somebody writes one, and its test."""

from __future__ import annotations

POLICY = """# A stub: it allows whatever the contract allows. Say here who may do what.
package {package}.authz

default allow := false

allow if input.sidegate.operation_id
"""

POLICY_TEST = """package {package}.authz_test

import data.{package}.authz

test_operations_of_the_contract_are_open if authz.allow with input as {{"sidegate": {{"operation_id": "any"}}}}

test_nothing_else_is if {{
	not authz.allow with input as {{"sidegate": {{}}}}
}}
"""


def package_of(service: str) -> str:
    """The package whose `authz.allow` decides by default: the service's, else OPA-Envoy's, since a package's first word
    holds no hyphen."""
    return "envoy" if "-" in service else service
