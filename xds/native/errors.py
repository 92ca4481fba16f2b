"""`errors: {body-too-large: {detail: ...}, "403": {body: {...}}}` -> what a refusal looks like, by its code or status."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from xds.native.faults import nearest
from xds.native.feature import Feature, Problem, Site
from xds.native.transforms import PLACEHOLDER
from xds.source.pointer import join

if TYPE_CHECKING:
    from xds.model import Operation

PROBLEM = "application/problem+json"
DEFAULT = "default"
SERVICE = "service-error"
"""The key of the service's own 5xx answers: their bodies are replaced only if it is there."""

ENDING = ("sunset", "successor")
"""Members that the refusal after a sunset has beside those of all."""

WORDS = ("code", "status", "title", "detail", "operationId", "version", "traceId", "errors", *ENDING)

GONE = "gone"
"""The code of requests that come after a sunset."""

UNROUTED = ("unknown-version",)
"""Codes that no contract words: the document lists what only the gateway knows."""

OF_PATHS = ("not-found", "method-not-allowed")
"""Codes of requests that are no operation's, worded by what all of a path or of a document has in common."""


@dataclass(frozen=True, slots=True)
class Wording:
    """One kind of refusal. `members` are put into the problem document; with `template` there is no such document.

    Both are JSON texts, so that this is hashable. `media` is empty for what the operation declares.
    """

    members: str = ""
    template: str = ""
    media: str = ""


Wordings = tuple[tuple[str, Wording], ...]


def wording(wordings: Wordings, code: str, status: int) -> Wording | None:
    """What is said of a refusal: by its code, else by its status, else by `default`."""
    by_key = dict(wordings)
    keys = (code,) if code == SERVICE else (code, str(status), DEFAULT)
    return next((by_key[key] for key in keys if key in by_key), None)


def of_path(operations: Sequence[Operation], code: str, status: int) -> tuple[Wording, Operation] | None:
    """What a path says of a refusal that is none of its operations': the first that names its code or status, and whose words
    they are; `default` counts only where all of them say the same."""
    for operation in operations:
        by_key = dict(operation.native.errors)
        if own := by_key.get(code) or by_key.get(str(status)):
            return own, operation
    defaults = {dict(operation.native.errors).get(DEFAULT) for operation in operations}
    own = defaults.pop() if len(defaults) == 1 else None
    return (own, operations[0]) if own else None


def worded(own: Wording, document: Mapping[str, Any], declared: str) -> tuple[str, str]:
    """Media type and body of a refusal. `document` is its problem document, `declared` what `declared_media` gives."""
    if not own.template:
        members = _filled(json.loads(own.members), document, lambda text: text)
        return PROBLEM, _json({**document, **members})
    media, template = own.media or declared, json.loads(own.template)
    if not _is_json(media) and isinstance(template, str):
        quote = html.escape if media.endswith(("html", "xml")) else str
        return media, str(_filled(template, {**document, "errors": _listed(document["errors"])}, quote))
    return media, _json(_filled(template, document, lambda text: text))


def _listed(errors: Sequence[Mapping[str, str]]) -> str:
    """What is wrong with a request, in one line."""
    return "; ".join(" ".join(filter(None, (each["in"], each["pointer"], each["detail"]))) for each in errors)


def declared_media(operation: Operation, status: int) -> str:
    """The first media type that a contract declares for a status, the exact one before `4XX` and `default`."""
    ranked = sorted((a for a in operation.answers if a.is_for(status)), key=lambda a: (not a.is_plain, a.status))
    return next(
        (content.range for answer in ranked for content in answer.contents if "*" not in content.range), PROBLEM
    )


def _is_json(media: str) -> bool:
    return media == "application/json" or media.endswith("+json")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _filled(value: Any, document: Mapping[str, Any], quote: Any) -> Any:
    """A template with its placeholders filled in; a text that is nothing but one becomes what it stands for, as it is."""
    if isinstance(value, Mapping):
        return {key: _filled(inner, document, quote) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, document, quote) for inner in value]
    if not isinstance(value, str):
        return value
    whole = PLACEHOLDER.fullmatch(value)
    if whole and quote is not html.escape and quote is not str:
        return document.get(whole[1])
    return PLACEHOLDER.sub(lambda found: quote(_text(document.get(found[1]))), value)


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else _json(value)


def _read(value: Mapping[str, Any]) -> Wordings:
    return tuple((key, _wording(own)) for key, own in value.items())


def _wording(own: Mapping[str, Any]) -> Wording:
    media = own.get("mediaType", "").lower()
    if "body" in own:
        return Wording(template=_json(own["body"]), media=media)
    members = {key: own[key] for key in ("type", "title", "detail") if key in own}
    return Wording(members=_json({**members, **own.get("members", {})}))


def _check(value: Wordings, operation: Operation, site: Site) -> Iterator[Problem]:
    setting = operation.settings["errors"]
    for key, own in setting.value.items():
        at = join("", key)
        if key == "not-found" and operation.native.match is None and not setting.of_document:
            yield Problem("no operation has the path where `not-found` is said", at, "write it in the document's root")
        yield from _key(key, at)
        for pointer, text in _texts(own, at):
            yield from _words(text, pointer)
        if "body" in own and len(own) > len({"body", "mediaType"} & own.keys()):
            yield Problem("with a `body` of its own there is no problem document to put words into", at)
        media = own.get("mediaType", PROBLEM)
        if "body" in own and not isinstance(own["body"], str) and not _is_json(media.lower()):
            yield Problem(f"a body of {media} is a text", f"{at}/body")
        traces = sum(text.count("${traceId}") for _, text in _texts(own, at)) + ("body" not in own)
        if traces > 1:
            yield Problem("the trace id can stand in one place only", at, "keep one `${traceId}`")


def _key(key: str, at: str) -> Iterator[Problem]:
    known = codes()
    if key.isdigit() and key[0] not in "45":
        yield Problem(f"no refusal has the status {key}", at, "statuses of refusals are 400 to 599")
    if key.isdigit() or key in (DEFAULT, SERVICE):
        return
    if key in UNROUTED:
        yield Problem(f"what `{key}` says is the gateway's to say: which versions there are", at)
    elif key not in known:
        yield Problem(f"no refusal has the code `{key}`", at, nearest(key, known))


@cache
def codes() -> frozenset[str]:
    """The published codes of refusals."""
    return frozenset(json.loads(files("xds").joinpath("problem-codes.json").read_text()))


def _texts(value: Any, at: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield at, value
    members = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in members:
        yield from _texts(inner, join(at, key))


def _words(text: str, pointer: str) -> Iterator[Problem]:
    for word in PLACEHOLDER.findall(text):
        if word not in WORDS:
            yield Problem(f"there is no placeholder `${{{word}}}`", pointer, nearest(word, WORDS))


ERRORS = Feature(
    key="errors",
    field="errors",
    schema={
        "type": "object",
        "minProperties": 1,
        "description": "what refusals look like, by code, status or `default`: {body-too-large: {detail: At most 64 KiB.}}",
        "propertyNames": {"pattern": "^([a-z][a-z0-9-]*|[1-5][0-9][0-9])$"},
        "additionalProperties": {
            "type": "object",
            "minProperties": 1,
            "description": "texts may hold " + ", ".join(f"${{{word}}}" for word in WORDS),
            "additionalProperties": False,
            "properties": {
                "type": {"type": "string", "description": "the problem's type, a URI"},
                "title": {"type": "string", "description": "the problem's title"},
                "detail": {"type": "string", "description": "the problem's detail"},
                "members": {"type": "object", "description": "further members of the problem document"},
                "body": {"description": "a body of its own in the place of the problem document, in JSON or as a text"},
                "mediaType": {
                    "type": "string",
                    "pattern": "^[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+$",
                    "description": "the media type of `body`; else what the contract declares for the status",
                },
            },
        },
    },
    read=_read,
    check=_check,
    said=lambda value: "refusals are worded by the contract: " + ", ".join(key for key, _ in value),
)
