"""Envoy's access-log lines -> the refusals that Envoy made itself, kept by trace id."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from xds.envoy.names import parts_of

Line = Mapping[str, Any]


def read(line: bytes | str) -> dict[str, Any]:
    """A line's members, and those parts that its route's name has; ValueError, or TypeError, if it is no line."""
    entry = json.loads(line)
    return {**_PARTS, **entry, **parts_of(entry.get("route") or "")}


_PARTS = dict.fromkeys(("service", "version", "operation", "digest", "code"))


class AccessLog:
    """The last refusals of Envoy's own, by trace id; those of the companion are told by the companion.

    `name` gives a refusal's code from status and response code details. `on_refusal` is called with each.
    """

    def __init__(self, name: Callable[[int, str], str], on_refusal: Callable[[Line], None], size: int = 4096) -> None:
        self._name, self._on_refusal, self._size = name, on_refusal, size
        self._kept: OrderedDict[str, Line] = OrderedDict()

    def feed(self, line: bytes) -> None:
        """Take one line. Anything but a JSON object of the access log is passed over."""
        if b'"details":"via_upstream"' in line:
            return
        try:
            entry = read(line)
            status = int(entry["status"])
        except (ValueError, KeyError, TypeError):
            return
        details = str(entry.get("details") or "")
        if status < 400 or details.startswith("ext_authz_denied"):
            return
        entry["code"] = self._name(status, details)
        trace_id = str(entry.get("trace_id") or "")
        if trace_id:
            self._kept[trace_id] = entry
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)
        self._on_refusal(entry)

    def of_trace(self, trace_id: str) -> Line | None:
        return self._kept.get(trace_id)
