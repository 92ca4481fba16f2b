"""Rego module -> Outline: its package, imports, rules with their places, and what Rego v1 does not allow."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from xds.diagnostics import Diagnostic, Span

from .tokens import Kind, RegoSyntaxError, Token, string_value, tokenize

_LEADING = frozenset(["else", "if", "contains", "in", "with", "as"])
_TRAILING = _LEADING | frozenset(["package", "import", "default", "not", "some", "every"])
_OPENERS = frozenset(
    [":=", "=", "==", "!=", "<", ">", "<=", ">=", "+", "-", "*", "/", "%", "&", "|", ",", ".", ":", ";"]
)
_KEYWORDS = _TRAILING | {"true", "false", "null"}
_WAIVER = re.compile(r"#\s*sidegate:\s*allow-default\b")


@dataclass(frozen=True, slots=True)
class Call:
    """A function called by name: `name` as written, `args` unless unknown."""

    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Rule:
    """One definition. `path` is `catalog/authz/allow`; a `default` says what holds if no other definition does."""

    path: str
    span: Span
    default: bool = False
    function: bool = False
    allows: bool = False
    """Whether it holds without any condition, as `default allow := true` does."""
    waived: bool = False
    """Whether a comment `# sidegate: allow-default` says that this is meant."""
    strings: tuple[str, ...] = ()
    """The string constants in it."""


@dataclass(frozen=True, slots=True)
class Outline:
    """A module seen from above. `imports` maps the name an import binds to the path it stands for (`data/lib`)."""

    file: str
    package: str
    imports: Mapping[str, str]
    rules: tuple[Rule, ...]
    calls: tuple[Call, ...]
    tokens: tuple[Token, ...]


def outline(file: str, text: str) -> tuple[Outline | None, tuple[Diagnostic, ...]]:
    """The outline of a module's text, or None and why it is not Rego v1 (`rego-syntax`, `rego-v0`)."""
    try:
        tokens = tokenize(text)
        return _outline(file, tokens), ()
    except _V0 as e:
        return None, (Diagnostic("rego-v0", e.message, Span(file, e.line, e.column), e.help),)
    except RegoSyntaxError as e:
        return None, (Diagnostic("rego-syntax", e.message, Span(file, e.line, e.column), e.help),)


class _V0(RegoSyntaxError):
    """Text that was Rego before version 1."""


def _fail(token: Token, message: str, help: str | None = None) -> RegoSyntaxError:
    return RegoSyntaxError(message, token.line, token.column, help)


def _v0(token: Token, message: str, help: str) -> RegoSyntaxError:
    return _V0(message, token.line, token.column, help)


def _outline(file: str, tokens: tuple[Token, ...]) -> Outline:
    waivers = {t.line for t in tokens if t.kind is Kind.COMMENT and _WAIVER.match(t.text)}
    statements = list(_statements([t for t in tokens if t.kind not in (Kind.COMMENT, Kind.END)]))
    if not statements or statements[0][0].text != "package":
        raise _fail(statements[0][0] if statements else tokens[-1], "a module begins with `package`")
    package = "/".join(_path(statements[0], 1)[0])
    imports: dict[str, str] = {}
    rules: list[Rule] = []
    calls: list[Call] = []
    for statement in statements[1:]:
        if statement[0].text == "import":
            imports.update([_import(statement)])
        else:
            rule, body = _rule(file, package, statement, waivers)
            rules.append(rule)
            calls += _calls(file, statement[body:])
            _check_declared_once(statement)
    return Outline(file, package, imports, tuple(rules), tuple(calls), tokens)


def _statements(tokens: list[Token]) -> Iterator[list[Token]]:
    """Statements begin where, outside all brackets, a line begins with a name that continues nothing."""
    statement: list[Token] = []
    depth = 0
    for token in tokens:
        if statement and depth == 0 and _begins(statement[-1], token):
            yield statement
            statement = []
        if not statement and token.kind is not Kind.NAME:
            raise _fail(token, f"unexpected `{token.text}`; a rule, `import` or `package` begins here")
        statement.append(token)
        if token.kind is Kind.MARK:
            depth += (token.text in "([{") - (token.text in ")]}")
    if statement:
        yield statement


def _begins(before: Token, token: Token) -> bool:
    if token.line == before.line or token.kind is not Kind.NAME or token.text in _LEADING:
        return False
    return before.text not in _TRAILING and not (before.kind is Kind.MARK and before.text in _OPENERS)


def _path(statement: list[Token], at: int) -> tuple[list[str], int]:
    """The reference `a.b["c"]` that begins at a token, as its parts, and the index after it. Stops at what is no constant."""
    if at >= len(statement) or statement[at].kind is not Kind.NAME:
        raise _fail(statement[min(at, len(statement) - 1)], "a name is missing here")
    parts = [statement[at].text]
    at += 1
    while at < len(statement):
        text = statement[at].text
        if text == "." and at + 1 < len(statement) and statement[at + 1].kind is Kind.NAME:
            parts.append(statement[at + 1].text)
            at += 2
        elif text == "[" and _constant_index(statement, at):
            parts.append(string_value(statement[at + 1]))
            at += 3
        else:
            break
    return parts, at


def _constant_index(statement: list[Token], at: int) -> bool:
    inner = statement[at + 1 : at + 3]
    return len(inner) == 2 and inner[0].kind in (Kind.STRING, Kind.RAW) and inner[1].text == "]"


def _import(statement: list[Token]) -> tuple[str, str]:
    parts, at = _path(statement, 1)
    if parts[0] not in ("data", "input", "rego", "future"):
        raise _fail(statement[1], "an import's path begins with `data`, `input` or `rego`")
    alias = parts[-1]
    if at < len(statement):
        if statement[at].text != "as" or at + 2 != len(statement) or statement[at + 1].kind is not Kind.NAME:
            raise _fail(statement[at], f"unexpected `{statement[at].text}` in an import")
        alias = statement[at + 1].text
    return alias, "/".join(parts)


def _rule(file: str, package: str, statement: list[Token], waivers: set[int]) -> tuple[Rule, int]:
    first = statement[0]
    default = first.text == "default"
    at = 1 if default else 0
    if at < len(statement) and statement[at].text in _KEYWORDS:
        raise _fail(statement[at], f"`{statement[at].text}` cannot be the name of a rule")
    parts, at = _path(statement, at)
    function = at < len(statement) and statement[at].text == "("
    head = at
    while at < len(statement) and statement[at].text in "([" and statement[at].kind is Kind.MARK:
        at = _closing(statement, at) + 1
        while at + 1 < len(statement) and statement[at].text == ".":
            at += 2
    _check_head(statement, at, head, default)
    path = "/".join([package, *parts])
    waived = bool(waivers & {first.line, first.line - 1})
    strings = tuple(string_value(t) for t in statement if t.kind in (Kind.STRING, Kind.RAW))
    place = Span(file, first.line, first.column)
    return Rule(path, place, default, function, _unconditional(statement, at), waived, strings), head


def _closing(statement: list[Token], at: int) -> int:
    depth = 0
    for index in range(at, len(statement)):
        if statement[index].kind is Kind.MARK:
            depth += (statement[index].text in "([{") - (statement[index].text in ")]}")
            if depth == 0:
                return index
    raise _fail(statement[at], f"`{statement[at].text}` is never closed")


def _check_head(statement: list[Token], at: int, head: int, default: bool) -> None:
    """Refuse what Rego v1 refuses in a rule's head: a body without `if`, a set without `contains`."""
    if at >= len(statement):
        if head < at and statement[head].text == "[":
            raise _v0(statement[0], "a set's element needs `contains`", "write `name contains element`")
        raise _fail(statement[0], "a rule needs a value or `if` and a body")
    if statement[at].text == "{":
        raise _v0(
            statement[at], "`if` is missing before the rule's body", "write `name if { ... }`; see `opa fmt --rego-v1`"
        )
    if statement[at].text not in (":=", "=", "if", "contains"):
        raise _fail(statement[at], f"unexpected `{statement[at].text}` in a rule's head")
    if default and statement[at].text not in (":=", "="):
        raise _fail(statement[at], "a default needs `:=` and a value")
    if at + 1 >= len(statement):
        raise _fail(statement[at], f"nothing follows `{statement[at].text}`")
    _check_value(statement, at + 1)


def _check_value(statement: list[Token], at: int) -> None:
    """Between the head and `if`, a brace after a complete term is a body that lacks its `if`."""
    depth = 0
    while at < len(statement):
        token = statement[at]
        if depth == 0 and token.text in ("if", "else", "every") and token.kind is Kind.NAME:
            return
        before = statement[at - 1]
        ended = before.text in ")]}" or (before.kind is not Kind.MARK and before.text not in _TRAILING)
        if depth == 0 and token.text == "{" and ended:
            raise _v0(token, "`if` is missing before the rule's body", "write `name := value if { ... }`")
        if token.kind is Kind.MARK:
            depth += (token.text in "([{") - (token.text in ")]}")
        at += 1


def _unconditional(statement: list[Token], at: int) -> bool:
    texts = [t.text for t in statement[at:]]
    if texts[:1] not in ([":="], ["="]) or "if" in texts or "else" in texts:
        return False
    if texts[1:] == ["true"]:
        return True
    pairs = zip(texts, texts[1:], texts[2:], strict=False)
    return any(triple == ('"allowed"', ":", "true") for triple in pairs)


def _calls(file: str, tokens: list[Token]) -> Iterator[Call]:
    """Names directly followed by `(`: `f(`, `io.jwt.decode(`, `data.lib.f(`."""
    for index, token in enumerate(tokens[1:], 1):
        before = tokens[index - 1]
        called = token.text == "(" and before.kind is Kind.NAME and before.end == token.offset
        if not called or before.text in _KEYWORDS - {"contains"}:
            continue
        start = index - 1
        while start >= 2 and tokens[start - 1].text == "." and tokens[start - 2].kind is Kind.NAME:
            start -= 2
        name = "".join(t.text for t in tokens[start:index])
        yield Call(name, Span(file, tokens[start].line, tokens[start].column))


def _check_declared_once(statement: list[Token]) -> None:
    """A variable is declared once in a body, which the embedded engine does not check."""
    scopes: list[set[str]] = []
    for index, token in enumerate(statement):
        if token.kind is Kind.MARK and token.text in "([{":
            scopes.append(set())
        elif token.kind is Kind.MARK and token.text in ")]}":
            scopes.pop()
        elif (
            token.text == ":="
            and scopes
            and statement[index - 1].kind is Kind.NAME
            and statement[index - 2].text != "."
        ):
            name = statement[index - 1]
            if name.text in scopes[-1]:
                raise _fail(name, f"`{name.text}` is declared twice in one body", "use `==` to compare")
            scopes[-1].add(name.text)
