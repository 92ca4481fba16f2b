"""Path -> its routes, encoded once.

A changed contract changes the digest in each route of its version, and hardly ever more of it. The digest has a fixed
length, so that the bytes of routes that are the same otherwise are taken over with the new one in the old one's place.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from envoy_data_plane.google.protobuf import Any

from xds.envoy.codec import packed

SIZE = 100_000
"""So many paths are kept; more than that, and all begin again."""


@dataclass(slots=True)
class Kept:
    """Packed messages by what they were made of, apart from the digest that they hold."""

    by_key: dict[Hashable, tuple[str, Any]] = field(default_factory=dict)

    def get(self, key: Hashable, digest: str, times: int, make: Callable[[], Any]) -> Any:
        """What `make()` gives for this key and digest. `times` is how often the digest is in it; it must be a function
        of `key` and the digest alone."""
        known = self.by_key.get(key)
        if known is not None:
            was, message = known
            if was == digest:
                return message
            if len(was) == len(digest) and message.value.count(was.encode()) == times:
                message = packed(message.type_url, message.value.replace(was.encode(), digest.encode()))
                self.by_key[key] = digest, message
                return message
        message = make()
        if len(self.by_key) >= SIZE:
            self.by_key.clear()
        self.by_key[key] = digest, message
        return message
