"""`cache` -> Store: how much is kept, and where."""

from __future__ import annotations

from typing import Any

from xds.native.caching import Store
from xds.native.quantities import octets
from xds.settings.reader import Reader


def store(reader: Reader, value: Any) -> Store:
    """The section, with defaults for what it does not say."""
    section, default = reader.mapping(value, "/cache", ("maxSize", "maxEntry", "path")), Store()
    size = _size(reader, section, "maxSize", default.size)
    entry = _size(reader, section, "maxEntry", min(default.entry, size))
    if entry > size:
        reader.say("settings-invalid", "one answer cannot be larger than the cache", "/cache/maxEntry")
    path = section.get("path", "")
    if not isinstance(path, str) or (path and not path.startswith("/")):
        reader.say("settings-invalid", "`path` is an absolute path on the proxy's machine", "/cache/path")
        path = ""
    return Store(size, entry, path)


def _size(reader: Reader, section: dict[str, Any], key: str, default: int) -> int:
    if key not in section:
        return default
    try:
        found = octets(section[key])
    except (KeyError, TypeError, ValueError):
        found = 0
    if not found:
        reader.say("settings-invalid", f"`{key}` is a size, a whole number and a unit: 64MiB", f"/cache/{key}")
    return found or default
