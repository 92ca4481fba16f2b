"""Path templates: how a key of `paths` is read, which of two is tried first, where two overlap (OpenAPI, Path Templating)."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote_to_bytes

from xds.model import Name, PathTemplate, Segment
from xds.paths import rank

from .node import Node
from .report import Report

_PIECE = re.compile(r"\{([^{}]*)\}|([^{}]+)|([{}])")
_HEX = re.compile(r"%(?![0-9A-Fa-f]{2})")


def parse(text: str, at: Node, report: Report) -> PathTemplate | None:
    """A path template, or None after a finding `path-syntax`, `path-unreachable` or `path-parameter`."""
    if not text.startswith("/"):
        report.add("path-syntax", "a path starts with `/`", at, f"write `/{text}`")
        return None
    parts = text.split("/")[1:]
    if any(not part for part in parts[:-1]):
        report.add("path-unreachable", "an empty segment: Envoy merges slashes, so no request has it", at)
        return None
    segments: list[Segment] = []
    names: set[str] = set()
    for part in parts:
        segment = _segment(part, names, at, report)
        if segment is None:
            return None
        segments.append(segment)
    return PathTemplate(text, tuple(segments))


def below(base: str, template: PathTemplate, at: Node, report: Report) -> PathTemplate | None:
    """A template under a base path, which has no slash at its end; None after a finding about the base path."""
    head = parse(base, at, report) if base else PathTemplate("", ())
    return None if head is None else PathTemplate(base + template.text, head.segments + template.segments)


def _segment(part: str, names: set[str], at: Node, report: Report) -> Segment | None:
    pieces: list[str | Name] = []
    for match in _PIECE.finditer(part):
        name, literal, brace = match.groups()
        if brace is not None or name == "":
            report.add("path-syntax", f"`{{` and `}}` do not enclose a name in {part!r}", at)
            return None
        if name is None:
            decoded = _literal(literal, at, report)
            if decoded is None:
                return None
            pieces.append(decoded)
        elif name in names:
            report.add("path-syntax", f"the name {name!r} is in the path twice", at)
            return None
        elif pieces and isinstance(pieces[-1], Name):
            report.add("path-syntax", f"nothing separates {{{pieces[-1].name}}} from {{{name}}}", at)
            return None
        else:
            names.add(name)
            pieces.append(Name(name))
    segment = Segment(tuple(pieces or ("",)))
    if segment.literal in (".", ".."):
        report.add("path-unreachable", "a dot segment: Envoy resolves it, so no request has it", at)
        return None
    return segment


def _literal(text: str, at: Node, report: Report) -> str | None:
    if "?" in text or "#" in text:
        word = "query" if "?" in text else "fragment"
        report.add("path-syntax", f"a path has no {word}: requests are told apart by path and method", at)
        return None
    if _HEX.search(text):
        report.add("path-syntax", "`%` is not followed by two hexadecimal digits", at)
        return None
    try:
        decoded = unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        report.add("path-syntax", "a percent-encoding that is not UTF-8", at)
        return None
    if "/" in decoded or "\\" in decoded or any(c < " " or c == "\x7f" for c in decoded):
        message = "an encoded slash, a backslash or a control character: the gateway refuses such requests"
        report.add("path-unreachable", message, at)
        return None
    return decoded


def same(a: PathTemplate) -> tuple[tuple[str | None, ...], ...]:
    """Equal for templates that differ in nothing but the names of their variables."""
    return tuple(tuple(None if isinstance(p, Name) else p for p in s.parts) for s in a.segments)


def precedes(a: PathTemplate, b: PathTemplate) -> bool:
    """Whether `a` is tried before `b`: at the leftmost segment that differs, a literal comes before a variable."""
    return [rank(s) for s in a.segments] < [rank(s) for s in b.segments]


def overlap(a: PathTemplate, b: PathTemplate) -> str | None:
    """A path that both templates match, percent-encoded, or None if there is none."""
    if len(a.segments) != len(b.segments):
        return None
    found: list[str] = []
    for one, other in zip(a.segments, b.segments, strict=True):
        text = meet(one, other)
        if text is None:
            return None
        found.append(quote(text, safe="!$&'()*+,;=:@~"))
    return "/" + "/".join(found)


def meet(a: Segment, b: Segment) -> str | None:
    """A text that both segments match, or None. A variable stands for one character or more."""
    x, y = a.literal, b.literal
    if x is not None or y is not None:
        if x is not None and y is not None:
            return x if x == y else None
        literal, pattern = (x, b) if x is not None else (y, a)
        assert literal is not None
        return literal if matches(pattern, literal) else None
    return _common(_symbols(a), _symbols(b))


def matches(segment: Segment, text: str) -> bool:
    """Whether a segment matches a decoded text."""
    expression = "".join(".+" if isinstance(p, Name) else re.escape(p) for p in segment.parts)
    return re.fullmatch(expression, text, re.DOTALL) is not None


def _symbols(segment: Segment) -> list[str | None]:
    """One entry a character; None for a variable."""
    return [symbol for part in segment.parts for symbol in ([None] if isinstance(part, Name) else part)]


def _common(a: list[str | None], b: list[str | None]) -> str | None:
    """A shortest text that two patterns match. States are (place in a, place in b, inside a's, inside b's variable)."""
    start = (0, 0, False, False)
    came: dict[tuple[int, int, bool, bool], tuple[tuple[int, int, bool, bool], str] | None] = {start: None}
    queue = [start]
    for state in queue:
        i, j, in_a, in_b = state
        if i == len(a) and j == len(b):
            return _trace(came, state)
        for i2, a_inside, x in _steps(a, i, in_a):
            for j2, b_inside, y in _steps(b, j, in_b):
                if x is None or y is None or x == y:
                    after = (i2, j2, a_inside, b_inside)
                    if after not in came:
                        came[after] = (state, x or y or "x")
                        queue.append(after)
    return None


def _steps(symbols: list[str | None], at: int, inside: bool) -> list[tuple[int, bool, str | None]]:
    """The states after one more character, and that character (None: any). `at` is past a variable that it is inside."""
    found: list[tuple[int, bool, str | None]] = []
    if inside:
        found.append((at, True, None))
    if at < len(symbols):
        symbol = symbols[at]
        found.append((at + 1, symbol is None, symbol))
    return found


def _trace(
    came: dict[tuple[int, int, bool, bool], tuple[tuple[int, int, bool, bool], str] | None],
    at: tuple[int, int, bool, bool],
) -> str:
    letters: list[str] = []
    while (step := came[at]) is not None:
        at, letter = step
        letters.append(letter)
    return "".join(reversed(letters))
