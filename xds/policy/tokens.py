"""Rego text -> tokens that know their line and column; string literals in one canonical spelling."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a token is."""

    NAME = "name"
    STRING = "string"
    RAW = "raw string"
    NUMBER = "number"
    MARK = "mark"
    COMMENT = "comment"
    END = "end of file"


@dataclass(frozen=True, slots=True)
class Token:
    """One token. `line` and `column` count from 1, columns in characters; `offset` is into the text."""

    kind: Kind
    text: str
    offset: int
    line: int
    column: int

    @property
    def end(self) -> int:
        """The offset just after the token."""
        return self.offset + len(self.text)


class RegoSyntaxError(Exception):
    """Text that is not Rego. `line` and `column` count from 1."""

    def __init__(self, message: str, line: int, column: int, help: str | None = None) -> None:
        super().__init__(message)
        self.message, self.line, self.column, self.help = message, line, column, help


_TOKEN = re.compile(
    r"""(?P<skip>[ \t\r\f]+)|(?P<newline>\n)|(?P<comment>\#[^\n]*)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<number>(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
    |(?P<string>\$?"(?:[^"\\\x00-\x1f]|\\[^\x00-\x1f])*")
    |(?P<raw>\$?`[^`]*`)
    |(?P<mark>:=|==|!=|<=|>=|[-+*/%&|<>=:;,.(){}\[\]])""",
    re.VERBOSE,
)
_BRACKETS = {")": "(", "]": "[", "}": "{"}
MAX_BYTES = 1 << 20
MAX_DEPTH = 200


def tokenize(text: str) -> tuple[Token, ...]:
    """The tokens of a Rego module, comments included, with an END token last.

    Raises RegoSyntaxError for characters, literals and brackets that no Rego text has, for a bracket nesting over
    MAX_DEPTH and a text over MAX_BYTES, which would overrun the parser behind this one.
    """
    if len(text) > MAX_BYTES:
        raise RegoSyntaxError(f"a policy file may hold {MAX_BYTES} characters, this one has {len(text)}", 1, 1)
    tokens: list[Token] = []
    offset, line, start = 0, 1, 0
    while offset < len(text):
        match = _TOKEN.match(text, offset)
        if match is None:
            raise _unreadable(text, offset, line, offset - start + 1)
        kind, chunk = str(match.lastgroup), match.group()
        if kind not in ("skip", "newline"):
            tokens.append(_token(Kind[kind.upper()], chunk, offset, line, offset - start + 1))
        if "\n" in chunk:
            line += chunk.count("\n")
            start = offset + chunk.rindex("\n") + 1
        offset = match.end()
    tokens.append(Token(Kind.END, "", offset, line, offset - start + 1))
    _check_brackets(tokens)
    return tuple(tokens)


def _token(kind: Kind, text: str, offset: int, line: int, column: int) -> Token:
    token = Token(kind, text, offset, line, column)
    if text.startswith("$"):
        raise RegoSyntaxError("template strings are not supported", line, column, "use sprintf")
    if kind is Kind.STRING:
        string_value(token)
    if kind is Kind.RAW and re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", text):
        raise RegoSyntaxError("the raw string holds a control character", line, column)
    return token


def _unreadable(text: str, offset: int, line: int, column: int) -> RegoSyntaxError:
    char = text[offset]
    if char == '"':
        return RegoSyntaxError("the string does not end on its line", line, column)
    if char == "`":
        return RegoSyntaxError("the raw string does not end", line, column)
    return RegoSyntaxError(f"unexpected character {char!a}", line, column)


def _check_brackets(tokens: list[Token]) -> None:
    open_: list[Token] = []
    for token in tokens:
        if token.kind is not Kind.MARK:
            continue
        if token.text in "([{":
            open_.append(token)
            if len(open_) > MAX_DEPTH:
                raise RegoSyntaxError(f"brackets are nested deeper than {MAX_DEPTH}", token.line, token.column)
        elif token.text in _BRACKETS and (not open_ or open_.pop().text != _BRACKETS[token.text]):
            raise RegoSyntaxError(f"`{token.text}` closes nothing", token.line, token.column)
    if open_:
        raise RegoSyntaxError(f"`{open_[-1].text}` is never closed", open_[-1].line, open_[-1].column)


def string_value(token: Token) -> str:
    """What a STRING or RAW token denotes. Raises RegoSyntaxError for an escape that JSON does not have."""
    if token.kind is Kind.RAW:
        return token.text[1:-1]
    try:
        return str(json.loads(token.text, strict=False))
    except ValueError:
        raise RegoSyntaxError("the string holds an escape that Rego does not have", token.line, token.column) from None


def canonical(text: str, tokens: tuple[Token, ...]) -> str:
    """The text with every string literal spelled the one way the embedded engine can compare.

    rego-cpp 1.5.2 keeps a literal's source text as its value, so `"\\u0041"` would not equal `"A"`. Spelled as JSON
    spells it with the fewest escapes, equal values are equal texts, in policies, data and inputs alike. No token moves:
    the canonical spelling is never longer, and blanks fill up what is left.
    """
    pieces: list[str] = []
    at = 0
    for token in tokens:
        if token.kind is Kind.STRING and "\\" in token.text:
            spelled = json.dumps(string_value(token), ensure_ascii=False)
            pieces += [text[at : token.offset], spelled.ljust(len(token.text))]
            at = token.end
    return "".join(pieces) + text[at:]
