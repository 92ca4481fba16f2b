"""Values -> the bytes of contracts, policies and settings, as a person would want to go on with them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from xds.importing.plans import Plans
from xds.importing.rego import Access, policy, policy_test
from xds.keyfile import HEAD


class _Dumper(yaml.SafeDumper):
    """YAML that says the same by 1.1, which PyYAML writes, and by 1.2, which is read here: numbers as `1e3` are quoted."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|0o[0-7]+)$"),
    list("-+.0123456789"),
)


def _yaml(value: Any) -> str:
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)


def contract_file(document: Mapping[str, Any]) -> bytes:
    return _yaml(dict(document)).encode()


def key_files(security: Mapping[str, Any]) -> dict[str, bytes]:
    """Files of consumers' keys with none in them, for `sidegate key new` to go on with."""
    named = (settings["keys"]["file"] for settings in security.values() if "keys" in settings)
    return dict.fromkeys(named, f"{HEAD}keys: []\n".encode())


def policy_files(service: str, access: Access) -> dict[str, bytes]:
    """The service's policy and its test."""
    folder = f"policies/{service}"
    return {
        f"{folder}/authz.rego": policy(service, access).encode(),
        f"{folder}/authz_test.rego": policy_test(service, access).encode(),
    }


def settings_file(origins: Mapping[str, str], security: Mapping[str, Any], plans: Plans) -> bytes:
    """sidegate.yaml: upstreams, security schemes, usage plans, and the store of shared limits if a quota needs one."""
    value: dict[str, Any] = {"services": {service: {"upstream": url} for service, url in origins.items()}}
    if security:
        value["security"] = {name: dict(settings) for name, settings in security.items()}
    text = "# Imported from API Gateway: where the services are, and whose tokens and keys count.\n\n" + _yaml(value)
    if plans.each:
        text += "\n# Usage plans: `sidegate key new CONSUMER --plan NAME` says whose key has which.\n"
        text += _yaml({"plans": {name: dict(plan) for name, plan in plans.each.items()}})
    if plans.shared:
        text += "\n# Quotas are counted by a rate limit service that all proxies ask.\n"
        text += _yaml({"rateLimit": {"service": "127.0.0.1:8082", "onFailure": "closed"}})
    return text.encode()


def layer_file(stage: str, differing: Mapping[str, str]) -> bytes:
    """What is different in a stage."""
    head = f"# Stage {stage}: `--env {stage}` lays this over sidegate.yaml.\n"
    if not differing:
        return (head + "# Its upstreams are those of sidegate.yaml.\n").encode()
    return (head + "\n" + _yaml({"services": {s: {"upstream": url} for s, url in differing.items()}})).encode()
