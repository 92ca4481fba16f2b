"""`opa` -> the URL of the server that decides instead of the embedded engine."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from xds.settings.reader import Reader


def opa(reader: Reader, value: Any) -> str | None:
    if value is None:
        return None
    url = reader.mapping(value, "/opa", ("url",)).get("url")
    if not isinstance(url, str) or urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        reader.say("settings-invalid", "`opa.url` is a URL like http://127.0.0.1:8181", "/opa")
        return None
    if urlsplit(url).path not in ("", "/"):
        reader.say("settings-invalid", "`opa.url` has no path: OPA's API stands at the root", "/opa/url")
        return None
    return url
