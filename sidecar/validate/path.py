"""Path template -> the texts of its variables in a path."""

from __future__ import annotations

import re
from collections.abc import Callable

from xds.model import Name, PathTemplate, Segment

from .text import Malformed, percent_decoded

Read = Callable[[str], tuple[str, ...]]


class Disagreement(Exception):
    """The path does not match the template of the operation it was routed to. Not the client's fault; must not pass."""


def prepare(template: PathTemplate) -> tuple[tuple[str, ...], Read]:
    """The template's variable names in order, and a function from a path, still percent-encoded, to their raw texts.

    The function raises `Disagreement` for a path that is not of this template.
    """
    names = tuple(part.name for segment in template.segments for part in segment.parts if isinstance(part, Name))
    tests = [(index, _test(segment)) for index, segment in enumerate(template.segments, 1)]
    literals = [
        (index, segment.literal) for index, segment in enumerate(template.segments, 1) if segment.literal is not None
    ]
    whole = [index for index, segment in enumerate(template.segments, 1) if _is_variable(segment)]
    mixed = [(index, test) for index, test in tests if test]
    count = len(template.segments) + 1

    def read(path: str) -> tuple[str, ...]:
        texts = path.split("/")
        if len(texts) != count or texts[0]:
            raise Disagreement
        for index, literal in literals:
            if texts[index] != literal:
                _compare(texts[index], literal)
        if not mixed:
            return tuple([texts[index] for index in whole])
        return tuple(_captured(texts, template.segments, dict(mixed)))

    return names, read


def _is_variable(segment: Segment) -> bool:
    return len(segment.parts) == 1 and isinstance(segment.parts[0], Name)


def _test(segment: Segment) -> re.Pattern[str] | None:
    """The expression of a segment that has both literal text and variables, each character escaped or not."""
    if segment.literal is not None or _is_variable(segment):
        return None
    return re.compile(
        "".join("(.*?)" if isinstance(part, Name) else _either(part) for part in segment.parts), re.DOTALL
    )


def _either(literal: str) -> str:
    return "".join(f"(?:{re.escape(char)}|(?i:{_percent(char)}))" for char in literal)


def _percent(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode())


def _captured(texts: list[str], segments: tuple[Segment, ...], mixed: dict[int, re.Pattern[str]]) -> list[str]:
    found: list[str] = []
    for index, segment in enumerate(segments, 1):
        if test := mixed.get(index):
            match = test.fullmatch(texts[index])
            if match is None:
                raise Disagreement
            found.extend(match.groups())
        elif _is_variable(segment):
            found.append(texts[index])
    return found


def _compare(raw: str, literal: str) -> None:
    try:
        same = percent_decoded(raw) == literal
    except Malformed:
        same = False
    if not same:
        raise Disagreement
