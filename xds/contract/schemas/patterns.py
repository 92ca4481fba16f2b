"""Regular expressions: which of them a linear-time engine runs with ECMA-262's meaning."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

SIZE_LIMIT = 2 * 1024 * 1024
"""Bytes that one compiled expression may take; `validator_for(pattern_options=options())` is told the same."""

_MAX_LENGTH = 4096


def options() -> Any:
    """`jsonschema_rs.RegexOptions` as every validator of requests must be given them."""
    import jsonschema_rs

    return jsonschema_rs.RegexOptions(size_limit=SIZE_LIMIT, dfa_size_limit=SIZE_LIMIT)


@lru_cache(maxsize=4096)
def refusal(pattern: str) -> str | None:
    """Why a pattern cannot be used, or None if it can."""
    if len(pattern) > _MAX_LENGTH:
        return f"the pattern is longer than {_MAX_LENGTH} characters"
    return _foreign(pattern) or _compiled(pattern)


def found_in(pattern: str, text: str) -> bool:
    """Whether a pattern is found in a text, in linear time, since patterns are strangers'. One that cannot be used counts as
    found: then what it stands over is looked at."""
    return refusal(pattern) is not None or bool(_validator(pattern).is_valid(text))


@lru_cache(maxsize=256)
def _validator(pattern: str) -> Any:
    import jsonschema_rs

    return jsonschema_rs.Draft202012Validator({"pattern": pattern}, pattern_options=options())


_PIECE = re.compile(
    r"\\(?P<escape>k<[^>]*>|[pP]\{[^}]*\}|c[A-Za-z]|.)|(?P<group>\(\?(?:<[=!]|[:=!]|<[A-Za-z_$][\w$]*>|.?))|(?P<open>\[\^?)|(?P<close>\])"
    r"|(?P<set>&&|--|~~)|(?P<more>[*+?}][*+])|.",
    re.DOTALL,
)


def _foreign(pattern: str) -> str | None:
    """What ECMA-262 has and no linear-time engine does, or what the engine has and ECMA-262 does not."""
    inside = False
    for piece in _PIECE.finditer(pattern):
        escape, group = piece["escape"], piece["group"]
        if escape is not None:
            if not inside and (escape[0] == "k" or escape in "123456789"):
                return "a back-reference needs an engine whose time is not bounded"
        elif inside:
            if piece["close"]:
                inside = False
            elif piece["set"]:
                return f"`{piece['set']}` inside brackets means different things to different engines; escape it"
        elif piece["open"]:
            inside = True
        elif group is not None:
            if group in ("(?=", "(?!", "(?<=", "(?<!"):
                return "look-ahead and look-behind need an engine whose time is not bounded"
            if group != "(?:" and not re.fullmatch(r"\(\?<[A-Za-z_$][\w$]*>", group):
                return f"`{group}` is not ECMA-262"
        elif piece["more"]:
            return f"`{piece['more']}` is not ECMA-262"
    return None


def _compiled(pattern: str) -> str | None:
    import jsonschema_rs

    try:
        jsonschema_rs.Draft202012Validator({"pattern": pattern}, pattern_options=options())
    except (jsonschema_rs.ValidationError, ValueError):
        return "the pattern is not an ECMA-262 expression that a linear-time engine compiles"
    return None
