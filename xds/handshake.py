"""The names under which companions reach a shared control plane: one gRPC service beside ADS, JSON in and out."""

from __future__ import annotations

SERVICE = "sidegate.v1.Companions"
REPORT = "Report"
"""`{"node": NODE, "report": {...}}` -> `{"needed": {...}}`; the documents are those of `PUT /companions/{node}`."""
SOURCES = "Sources"
"""`{"service": SERVICE, "have": REVISION, "wait": SECONDS}` -> what `xds.handout` makes; `{}` if there is nothing newer."""
EDGE = "edge"
"""What the companion of the gateway in front of all services calls its service."""
EVERY_S = 2.0
"""How often a report is repeated; the control plane takes a companion for gone after three that did not come."""
