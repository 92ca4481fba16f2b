"""Gateway -> files for those who watch it: a Grafana dashboard and Prometheus' alert rules, of `xds.metrics`' metrics."""

from __future__ import annotations

from xds.dashboards.files import files

__all__ = ["files"]
