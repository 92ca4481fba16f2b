"""`version: {header: api-version, value: "2"}` -> which requests a version of a service is for, where versions share paths.

The other way to tell versions apart is the base path (`servers`): then nothing is to be said here. All versions that share
paths name one selector, and one of them may be the `default` of requests that name none; a request for a version that there
is not is told so (`unknown-version`). What a client sends only chooses: contract, policy, limits and upstream go together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from xds.native.feature import Feature, Problem, Site

if TYPE_CHECKING:
    from xds.model import Operation, Version

SLOT = "{version}"
"""Stands for the value in a media type."""

VERSIONS = "versions"
"""The member of the problem document that lists how each version is named."""


class Kind(StrEnum):
    """Where a request names its version."""

    HEADER = "header"
    QUERY = "query"
    MEDIA_TYPE = "mediaType"


@dataclass(frozen=True, slots=True)
class Choice:
    """One version as requests name it: by `value`, where `kind` and `name` say. A header's name is lower case; of a media
    type the name is the whole of it, with `{version}` in the place of the value. `default`: also where none is named."""

    kind: Kind
    name: str
    value: str
    default: bool = False

    @property
    def selector(self) -> tuple[Kind, str]:
        """What versions that share paths have in common. Media types have no case (RFC 9110, section 8.3.1)."""
        return self.kind, self.name.lower() if self.kind is Kind.MEDIA_TYPE else self.name

    @property
    def key(self) -> str:
        """The value as it is compared."""
        return self.value.lower() if self.kind is Kind.MEDIA_TYPE else self.value

    @property
    def varies(self) -> str | None:
        """The request header that answers depend on, for `Vary` (RFC 9110, section 12.5.5); a query is part of the URL."""
        return {Kind.HEADER: self.name, Kind.MEDIA_TYPE: "accept"}.get(self.kind)

    @property
    def shown(self) -> str:
        """The value where it belongs, as a person writes it."""
        match self.kind:
            case Kind.HEADER:
                return f"{self.name}: {self.value}"
            case Kind.QUERY:
                return f"?{self.name}={self.value}"
        return f"accept: {self.name.replace(SLOT, self.value)}"

    def clear_of(self, other: Choice) -> bool:
        """Whether no request means both."""
        return self.selector == other.selector and self.key != other.key and not (self.default and other.default)


def choice_of(version: Version) -> Choice | None:
    """How requests name a version: the same for all its operations; None if its paths are its own."""
    return version.operations[0].native.version if version.operations else None


def newest_first(versions: Iterable[Version]) -> list[Version]:
    """By name, numbers as numbers: v10, v9, 2024-05-01."""
    return sorted(versions, key=lambda version: _natural(version.name), reverse=True)


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part) if part.isdigit() else -1, part) for part in re.split(r"(\d+)", name) if part]


def _read(value: Mapping[str, Any]) -> Choice:
    kind = next((kind for kind in Kind if kind in value), Kind.HEADER)
    name = value.get(kind, "")
    return Choice(
        kind, name.lower() if kind is Kind.HEADER else name, value.get("value", ""), value.get("default", False)
    )


def _check(value: Choice, operation: Operation, site: Site) -> Iterator[Problem]:
    setting = operation.settings["version"]
    if setting.rule is not None or not setting.place.pointer.startswith("/x-sidegate/"):
        yield Problem("a version is chosen for a whole document, not for a part of it", help="write it in its root")
        return
    named = [kind for kind in Kind if kind in setting.value]
    if len(named) != 1:
        yield Problem("a version is named in one place: `header`, `query` or `mediaType`", help="keep one of them")
    elif value.kind is Kind.HEADER and (value.name in _TAKEN or value.name.startswith(("x-sidegate-", "x-envoy-"))):
        help_ = (
            "write `mediaType: application/vnd.shop.{version}+json`"
            if value.name == "accept"
            else "use a header of your own"
        )
        yield Problem(f"'{value.name}' is not a client's to choose a version by", "/header", help_)
    elif value.kind is Kind.MEDIA_TYPE and not _MEDIA.fullmatch(value.name):
        yield Problem(f"'{value.name}' is no media type with one `{SLOT}` in it", "/mediaType", _MEDIA_HELP)


_TAKEN = frozenset(
    {"accept", "accept-encoding", "authorization", "connection", "content-length", "content-type", "cookie", "expect"}
    | {"forwarded", "host", "origin", "te", "trailer", "transfer-encoding", "upgrade", "via"}
)
_NAME = r"[A-Za-z0-9!#$&^_.-]+"
_SLOTTED = rf"(?:{_NAME})?\{{version\}}(?:[A-Za-z0-9!#$&^_.+-]+)?"
_MEDIA = re.compile(rf"{_NAME}/{_SLOTTED}|(?:{_NAME}/[A-Za-z0-9!#$&^_.+-]+|\*/\*);\s*(?!q=|Q=){_NAME}=\{{version\}}")
_MEDIA_HELP = (
    "as `application/vnd.shop.{version}+json`, `application/json;version={version}` or `*/*;version={version}`"
)


def _said(value: Choice) -> str:
    others = ", and for those that name no version" if value.default else ""
    return f"only for requests with `{value.shown}`{others}; `unknown-version` for a version that there is not"


VERSION = Feature(
    key="version",
    field="version",
    schema={
        "type": "object",
        "description": "in the document's root: which requests mean this version: {header: api-version, value: '2'}",
        "additionalProperties": False,
        "required": ["value"],
        "properties": {
            "header": {
                "type": "string",
                "pattern": "^[A-Za-z0-9!#$&'*+.^_`|~-]{1,128}$",
                "description": "the request header that names the version: api-version",
            },
            "query": {
                "type": "string",
                "pattern": "^[A-Za-z0-9._~-]{1,128}$",
                "description": "the query parameter that names the version: api-version",
            },
            "mediaType": {
                "type": "string",
                "maxLength": 256,
                "description": f"the media type that names the version in `Accept`: application/vnd.shop.{SLOT}+json",
            },
            "value": {
                "type": "string",
                "pattern": "^[A-Za-z0-9._~-]{1,128}$",
                "description": "what names this version, as a text: '2', v2, '2026-05-01'",
            },
            "default": {"type": "boolean", "description": "whether requests that name no version mean this one"},
        },
    },
    read=_read,
    check=_check,
    said=_said,
)
