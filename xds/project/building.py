"""Building large trees of values without looking for cycles in them.

Python's collector walks everything that lives whenever enough is new: half a second at ten thousand operations, in the
midst of a reload or, worse, of requests. What a compilation builds has no cycles and lives until the next one.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def building() -> Iterator[None]:
    """No collection of cycles within. May be nested and used by several threads; whoever stopped it begins it again."""
    stopped = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if stopped:
            gc.enable()


def keep() -> None:
    """Leave all that lives now out of later collections: a process that serves calls it when it has loaded something.

    Values still end with their last reference; only a cycle that is garbage at this very moment stays.
    """
    gc.freeze()
