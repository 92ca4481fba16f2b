"""`authorization: pass` -> an `Authorization` that no scheme of the operation reads goes on to the service."""

from __future__ import annotations

from xds.native.feature import Feature

AUTHORIZATION = Feature(
    key="authorization",
    field="authorization",
    schema={
        "enum": ["pass", "remove"],
        "description": "what becomes of an `Authorization` that no security scheme of the operation reads: remove (the"
        " default), or pass it on, unverified, to a service that reads it itself",
    },
    read=str,
    said=lambda value: "an `Authorization` that no scheme reads goes on unverified" if value == "pass" else "",
)
"""A service takes for verified what comes through a gateway: what nobody looked at does not go on unless that is asked for."""
