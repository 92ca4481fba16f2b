"""Subject: what of an operation a schema describes; its words, and the ids of what is found in it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from .found import Issue


class Kind(Enum):
    """Subjects of schemas: the stems of ids for the subject itself, and for what is inside it."""

    BODY = ("request-body", "request-property")
    PARAMETER = ("request-parameter", "request-parameter-property")
    RESPONSE = ("response-body", "response-property")
    HEADER = ("response-header", "response-header-property")

    @property
    def request(self) -> bool:
        return self in (Kind.BODY, Kind.PARAMETER)


@dataclass(frozen=True, slots=True)
class Subject:
    """`words` are for messages; `header` says that a parameter is a header."""

    kind: Kind
    words: str
    header: bool = False


def identify(subject: Subject, issue: Issue, path: tuple[str, ...]) -> str:
    """The id of an issue in a subject, at the end of a path."""
    inside = bool(path) or issue.step is not None
    return name(subject.kind, issue.what, inside, subject.header)


def name(kind: Kind, what: str, inside: bool, header: bool = False) -> str:
    """The id for a row of `ROWS` in a subject; oasdiff's, where that has the change."""
    stem = kind.value[inside]
    if header and inside and what in ("new-required", "became-required", "became-enum"):
        return "new-required-request-header-property" if what == "new-required" else f"request-header-property-{what}"
    if what in _MARKED:
        return ("request-" if kind.request else "response-") + what
    return _OTHERWISE.get(f"{stem}-{what}", f"{stem}-{what}")


_MARKED = frozenset(
    (
        "required-property-became-read-only",
        "optional-property-became-read-only",
        "required-property-became-not-read-only",
        "required-property-became-write-only",
        "required-property-removed",
        "optional-property-removed",
    )
)
"""Rows whose ids say nothing but the direction before their name."""

_OTHERWISE = {
    "request-property-new-required": "new-required-request-property",
    "request-property-new-required-with-default": "new-required-request-property-with-default",
    "request-parameter-property-new-required": "request-parameter-property-became-required",
    "response-body-enum-value-added": "response-mediatype-enum-value-added",
    "response-body-became-not-enum": "response-mediatype-became-not-enum",
    "request-body-type-specialized": "request-body-type-changed",
    "request-property-type-specialized": "request-property-type-changed",
    "request-parameter-type-specialized": "request-parameter-type-changed",
}
"""Ids that are not the subject's stem and the row's name."""
