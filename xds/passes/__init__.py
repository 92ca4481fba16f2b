"""Version -> Version, one pass a file; `PASSES` is their order, with the reasons on its rows."""

from __future__ import annotations

from collections.abc import Callable

from xds.model import Version
from xds.passes.configure import configure
from xds.passes.place import place

PASSES: tuple[Callable[[Version], Version], ...] = (
    configure,  # first: the others look at what the settings mean, not at what was written
    place,  # last: it looks at everything an operation asks for and decides where each check runs
)
