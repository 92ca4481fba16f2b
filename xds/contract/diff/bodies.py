"""Request bodies: asked for anew, or not taken in a media type any more."""

from __future__ import annotations

from collections.abc import Iterable

from xds.model import Body, Encoding, MediaType, Operation

from .comparison import Comparison
from .subjects import Kind, Subject


def compare(work: Comparison, old: Operation, new: Operation) -> None:
    """What a client may send as a body."""
    before, after = work.old.at(old.place), work.new.at(new.place)
    if old.body is None:
        if new.body is not None and new.body.required:
            work.add("request-body-added-required", "a body must be sent now", before, new.body.place)
        return
    if new.body is None:
        work.add("request-body-removed", "no body is taken any more", old.body.place, after)
        return
    if new.body.required and not old.body.required:
        at = work.new.at(new.body.place)
        work.add("request-body-became-required", "the body must be sent now", old.body.place, at.get("required") or at)
    for media in old.body.media:
        _media(work, media, new.body)


def _media(work: Comparison, old: MediaType, body: Body) -> None:
    new = entry(old.range, body.media)
    if new is None:
        at = work.new.at(body.place)
        words = f"a body of {old.range} is not taken any more"
        work.add("request-body-media-type-removed", words, old.place, at.get("content") or at)
        return
    before, after = work.old.at(old.place), work.new.at(new.place)
    subject = Subject(Kind.BODY, f"body ({old.range})")
    if old.schema is None and new.schema is not None:
        words = f"a body of {old.range} has a schema now"
        work.add("request-body-media-type-schema-added", words, before, new.schema.place)
    else:
        schemas = work.old.schema(old.schema), work.new.schema(new.schema)
        work.schemas(subject, *schemas, (before, after), text=bool(old.encodings))
    for name in sorted(old.encodings.keys() & new.encodings.keys()):
        first, second = old.encodings[name], new.encodings[name]
        if (
            (first.style, first.explode) != (second.style, second.explode)
            or not _taken(first.content_types, second.content_types)
            or _asked(second) - _asked(first)
        ):
            words = f"{name} of the body ({old.range}) is written in another way"
            at = after.get("encoding") or after
            work.add("request-body-encoding-changed", words, before.get("encoding") or before, at)


def _asked(encoding: Encoding) -> set[str]:
    """The headers that a part must have."""
    return {header.name.lower() for header in encoding.headers if header.required}


def _taken(old: Iterable[str], new: tuple[str, ...]) -> bool:
    return all(any(covers(wide, narrow) for wide in new) for narrow in old)


def entry(range_: str, entries: tuple[MediaType, ...]) -> MediaType | None:
    """The entry that counts for a media type: the most particular one that covers it (OpenAPI, Media Types)."""
    found = [media for media in entries if covers(media.range, range_)]
    return min(found, key=lambda media: media.range.count("*")) if found else None


def covers(wide: str, narrow: str) -> bool:
    """Whether a media type range takes in another."""
    kind, _, sub = wide.partition("/")
    return wide == narrow or wide == "*/*" or (sub == "*" and narrow.startswith(f"{kind}/"))
