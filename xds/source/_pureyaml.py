"""PyYAML's own parser with libyaml's interface, for installations without libyaml (some 20 times slower)."""

from __future__ import annotations

from typing import Any

import yaml


class Parser:
    """`get_event()` answers the next event, or None at the end of the stream."""

    def __init__(self, data: bytes) -> None:
        self._events = yaml.parse(data, Loader=yaml.SafeLoader)

    def get_event(self) -> Any:
        return next(self._events, None)
