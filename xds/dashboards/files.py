"""Gateway -> names and texts of the files."""

from __future__ import annotations

import json

import yaml

from xds.dashboards.alerts import groups
from xds.dashboards.grafana import dashboard
from xds.model import Gateway


def files(gateway: Gateway) -> dict[str, str]:
    """`grafana/sidegate.json`, to be imported or provisioned, and `prometheus/sidegate.rules.yaml`, for `rule_files`."""
    rules = yaml.safe_dump({"groups": groups(gateway)}, sort_keys=False, width=1000)
    return {
        "grafana/sidegate.json": json.dumps(dashboard(gateway), indent=2) + "\n",
        "prometheus/sidegate.rules.yaml": rules,
    }
