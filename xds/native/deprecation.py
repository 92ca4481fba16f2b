"""`deprecated: 2026-01-01`, `x-sunset: 2026-12-31`, `successor: v2` -> what clients of what goes away are told.

`deprecated: true` of OpenAPI's operations counts too; `x-sunset` is oasdiff's extension, on a document, path item or operation.
A date without a time is midnight UTC at its beginning. Nothing here reads a clock: proxies know when a date is past.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate
from typing import TYPE_CHECKING

from xds.native.faults import nearest
from xds.native.feature import Feature, Problem, Site

if TYPE_CHECKING:
    from xds.model import Operation

SUNSET_EXTENSION = "x-sunset"
"""Says the same as the key `sunset`, where other tools look for it."""

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,6})?([Zz]|[+-]\d{2}:\d{2})")


@dataclass(frozen=True, slots=True)
class Deprecated:
    """`since` is in seconds of the epoch, also in the future; None if nobody has said."""

    since: int | None = None

    @property
    def field(self) -> str:
        """The value of `Deprecation` (RFC 9745, section 2.1): always a date, so one that nobody has said is the epoch."""
        return f"@{self.since or 0}"


@dataclass(frozen=True, slots=True)
class Sunset:
    """When requests begin to be refused, in seconds of the epoch. `text` is as it was written."""

    at: int
    text: str

    @property
    def field(self) -> str:
        """The value of `Sunset` (RFC 8594, section 3)."""
        return formatdate(self.at, usegmt=True)


def moment(text: str) -> int | None:
    """The seconds of the epoch of a date, or a date and time with its zone (RFC 3339, section 5.6); None if it is none."""
    try:
        if _DATE.fullmatch(text):
            return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
        if _TIME.fullmatch(text):
            return int(datetime.fromisoformat(text.upper()).timestamp())
    except (ValueError, OverflowError):
        return None
    return None


def _read_deprecated(value: bool | str) -> Deprecated | None:
    if isinstance(value, str):
        return Deprecated(moment(value))
    return Deprecated() if value else None


def _check_deprecated(value: Deprecated | None, operation: Operation, site: Site) -> Iterator[Problem]:
    written = operation.settings["deprecated"].value
    if isinstance(written, str) and moment(written) is None:
        yield _no_date(written)


def _read_sunset(value: str) -> Sunset | None:
    at = moment(value)
    return Sunset(at, value) if at is not None else None


def _check_sunset(value: Sunset | None, operation: Operation, site: Site) -> Iterator[Problem]:
    if value is None:
        yield _no_date(operation.settings["sunset"].value)
        return
    deprecated = operation.native.deprecated
    if deprecated is None:
        yield Problem(
            "a sunset without a deprecation: clients are refused from that day on and were not told to move",
            help="write `deprecated: true`, or when it is deprecated, `x-sidegate: {deprecated: 2026-01-01}`",
            code="sunset-undeprecated",
        )
    elif deprecated.since is not None and deprecated.since > value.at:
        yield Problem(
            f"the sunset {value.text} is before the deprecation (RFC 9745, section 4)",
            help="first something is deprecated, then it goes away",
            code="sunset-early",
        )


def _no_date(text: str) -> Problem:
    return Problem(f"'{text[:40]}' is no date", help="write 2026-12-31, or 2026-12-31T12:00:00Z (RFC 3339)")


def _check_successor(value: str, operation: Operation, site: Site) -> Iterator[Problem]:
    if is_link(value):
        return
    if value not in site.versions:
        yield Problem(f"{site.service} has no version {value}", help=nearest(value, site.versions))
    elif value == site.version:
        yield Problem("a version does not succeed itself", help="name another version, or a URL")


def is_link(value: str) -> bool:
    """Whether a successor is a place of its own, and not the name of a version."""
    return value.startswith(("/", "https://", "http://"))


def _said_deprecated(value: Deprecated) -> str:
    since = _day(value.since) if value.since is not None else "a date that nobody has said (`deprecated: 2026-01-01`)"
    return f"since {since}, in the header Deprecation of every answer; requests are counted by who asks"


def _day(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC").replace(" 00:00 UTC", "")


_WHEN = "a date, 2026-12-31 (from its beginning, UTC), or 2026-12-31T12:00:00Z"
_URI = r"[!-;=?-~]{0,1023}"  # no `<` and no `>`: they enclose a link

DEPRECATED = Feature(
    key="deprecated",
    field="deprecated",
    schema={
        "type": ["boolean", "string"],
        "description": f"since when it is deprecated, also in the future: {_WHEN}; or true, or false inside of what is",
    },
    read=_read_deprecated,
    check=_check_deprecated,
    said=_said_deprecated,
)

SUNSET = Feature(
    key="sunset",
    field="sunset",
    schema={
        "type": "string",
        "description": f"from when on requests are refused with 410, the same as `x-sunset` outside: {_WHEN}",
    },
    read=_read_sunset,
    check=_check_sunset,
    said=lambda value: f"every request is refused with 410 from {_day(value.at)} on, by the proxy's own clock",
)

SUCCESSOR = Feature(
    key="successor",
    field="successor",
    schema={
        "type": "string",
        "pattern": rf"^([A-Za-z0-9][A-Za-z0-9._-]*|(/|https?://){_URI})$",
        "description": "what to use instead: a version of the service (its next one, if left out), a path or a URL",
    },
    read=str,
    check=_check_successor,
)

MIGRATION = Feature(
    key="migration",
    field="migration",
    schema={
        "type": "string",
        "pattern": rf"^(/|https?://){_URI}$",
        "description": "the page that tells how to move: a path or a URL, for the links `deprecation` and `sunset`",
    },
    read=str,
)
