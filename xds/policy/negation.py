"""Rego module -> the same module, with OPA's meaning of `not` over what is undefined spelled out for the embedded engine.

OPA evaluates the references in a negated call before the negation: `not startswith(input.x, "a")` is undefined if `input.x`
is. rego-cpp 1.5.2 evaluates them inside, and then the negation holds, which would allow what OPA does not. So each such
reference is asked for beside the negation: `not startswith(input.x, "a"); _ = input.x`. References that stand alone or are
compared with `==` to one another or to constants stay inside in both.
"""

from __future__ import annotations

from collections.abc import Iterator

from .tokens import Kind, RegoSyntaxError, Token

_KEYWORDS = frozenset({"not", "in", "with", "as", "if", "else", "some", "every", "true", "false", "null", "contains"})
_CONTINUES = frozenset({"==", "!=", "<", ">", "<=", ">=", "+", "-", "*", "/", "%", "&", "|", ",", ".", ":", "=", ":="})
_OPEN, _CLOSE = frozenset("([{"), frozenset(")]}")


class UnguardedError(RegoSyntaxError):
    """A negation that OPA takes, but that cannot be spelled out."""


def negations(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    """The tokens `not` of a module."""
    return tuple(t for t in tokens if t.kind is Kind.NAME and t.text == "not")


def spelled_out(text: str, tokens: tuple[Token, ...], only: Token | None = None) -> str:
    """A module's text with its negations guarded (or that one `only`); lines stay as they are. `tokens` are the text's.

    Raises RegoSyntaxError for a wildcard in a negated reference, which OPA calls unsafe, and UnguardedError for a reference
    into what has no name.
    """
    plain = [t for t in tokens if t.kind not in (Kind.COMMENT, Kind.END)]
    inserts: list[tuple[int, str]] = []
    for index, token in enumerate(plain):
        if token.kind is not Kind.NAME or token.text != "not" or only not in (None, token):
            continue
        end = _end(plain, index + 1)
        guards = list(_guards(text, plain[index + 1 : end]))
        if guards:
            bare = plain[index - 1].text in ("if",)
            inserts.append((plain[end - 1].end, "".join(f"; _ = {guard}" for guard in guards) + (" }" if bare else "")))
            if bare:
                inserts.append((token.offset, "{ "))
    for offset, words in sorted(inserts, reverse=True):
        text = text[:offset] + words + text[offset:]
    return text


def _end(tokens: list[Token], start: int) -> int:
    """The index after the last token of the expression that begins at `start`."""
    depth = 0
    for index in range(start, len(tokens)):
        token = tokens[index]
        if depth == 0 and index > start and _ends(tokens[index - 1], token):
            return index
        if token.kind is Kind.MARK:
            depth += (token.text in _OPEN) - (token.text in _CLOSE)
    return len(tokens)


def _ends(before: Token, token: Token) -> bool:
    if token.kind is Kind.MARK and (token.text in _CLOSE or token.text == ";"):
        return True
    if token.kind is Kind.NAME and token.text == "else":
        return True
    if token.line == before.line or before.text in _CONTINUES or before.text in ("in", "with", "as", "not"):
        return False
    return not (token.text in _CONTINUES or token.text in ("in", "with", "as"))


def _guards(text: str, expression: list[Token]) -> Iterator[str]:
    """The references in a negated expression that OPA evaluates before it, as text."""
    at = next((i for i, t in enumerate(expression) if t.kind is Kind.NAME and t.text == "with"), len(expression))
    expression, rest = expression[:at], expression[at:]
    suffix = f" {text[rest[0].offset : rest[-1].end]}" if rest else ""
    found = list(_references(expression))
    for start, end in found:
        wild = next((t for t in expression[start:end] if t.text == "_"), None)
        if wild is not None:
            raise RegoSyntaxError("`_` in a negated expression is bound by nothing", wild.line, wild.column)
    spans = [] if _stays(expression, found) else found
    spans = spans + list(_calls(expression))
    seen = (text[expression[start].offset : expression[end - 1].end] for start, end in spans)
    yield from dict.fromkeys(" ".join(reference.split()) + suffix for reference in seen)


def _calls(expression: list[Token]) -> Iterator[tuple[int, int]]:
    """Calls that are a part of the expression: OPA makes them before it, so that an undefined one fails the rule.

    The call that is the whole of it, `not f(x)`, is what is negated.
    """
    index = -1
    while (index := index + 1) < len(expression):
        token = expression[index]
        if token.kind is Kind.MARK and token.text in _OPEN and token.text != "(":
            close = _matching(expression, index)
            index = close if _is_comprehension(expression[index + 1 : close]) else index
        if token.kind is not Kind.NAME or token.text in _KEYWORDS or (index and expression[index - 1].text == "."):
            continue
        end = _reference_end(expression, index)
        if end < len(expression) and expression[end].text == "(" and expression[end - 1].end == expression[end].offset:
            close = _matching(expression, end)
            if (index, close) != (0, len(expression) - 1):
                yield index, close + 1


def _stays(expression: list[Token], found: list[tuple[int, int]]) -> bool:
    """Whether the expression is one reference, or an equality of references and constants."""
    inside = {i for start, end in found for i in range(start, end)}
    others = [t for i, t in enumerate(expression) if i not in inside]
    constants = (Kind.STRING, Kind.RAW, Kind.NUMBER)
    marks = [t for t in others if t.kind not in constants and t.text not in ("true", "false", "null")]
    return not marks or (len(marks) == 1 and marks[0].text in ("==", "="))


def _references(expression: list[Token]) -> Iterator[tuple[int, int]]:
    """Where names and the references they begin stand, apart from functions' names and what is in comprehensions."""
    index = 0
    while index < len(expression):
        token = expression[index]
        _refuse_nameless(expression, index)
        if token.kind is Kind.MARK and token.text in _OPEN:
            close = _matching(expression, index)
            if token.text != "(" and _is_comprehension(expression[index + 1 : close]):
                index = close
        elif token.kind is Kind.NAME and token.text not in _KEYWORDS:
            end = _reference_end(expression, index)
            if (
                end < len(expression)
                and expression[end].text == "("
                and expression[end - 1].end == expression[end].offset
            ):
                index = end
                continue
            yield index, end
            index = end
            continue
        index += 1


def _refuse_nameless(expression: list[Token], index: int) -> None:
    """OPA makes the call of `not f(x).y` before the negation, and only looks `.y` up within."""
    token, before = expression[index], expression[index - 1] if index else None
    adjacent = before is not None and before.text in _CLOSE and before.end == token.offset
    if token.kind is Kind.MARK and (token.text == "." or (token.text == "[" and adjacent)):
        message = "the embedded engine cannot negate a reference into what has no name, such as what a call returns"
        raise UnguardedError(message, token.line, token.column, "name it first: `x := f(y)`, then `not x.z`")


def _reference_end(expression: list[Token], index: int) -> int:
    index += 1
    while index < len(expression):
        if expression[index].text == "." and index + 1 < len(expression):
            index += 2
        elif expression[index].text == "[" and expression[index - 1].end == expression[index].offset:
            index = _matching(expression, index) + 1
        else:
            break
    return index


def _matching(tokens: list[Token], index: int) -> int:
    depth = 0
    for at in range(index, len(tokens)):
        if tokens[at].kind is Kind.MARK:
            depth += (tokens[at].text in _OPEN) - (tokens[at].text in _CLOSE)
            if depth == 0:
                return at
    return len(tokens)


def _is_comprehension(inner: list[Token]) -> bool:
    depth = 0
    for token in inner:
        if token.kind is Kind.MARK:
            if token.text == "|" and depth == 0:
                return True
            depth += (token.text in _OPEN) - (token.text in _CLOSE)
    return False
