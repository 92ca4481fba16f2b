"""Cache -> the expression in CEL that says how long an answer of the service may be kept (RFC 9111, sections 3 and 4.2.1)."""

from __future__ import annotations

import re
from functools import cache

_SAID = "response.headers['cache-control']"
_FORBIDDEN = "no-store|no-cache|private|must-understand"
_NO_TIME = 'max-?age($|[^=]|=($|"$|""|"?[^0-9"]|"?[0-9]+[^0-9", ;]))'
"""A time that is none: such an answer is stale already (RFC 9111, section 4.2.1)."""


@cache
def condition(ttl: int, told: tuple[str, ...], largest: int) -> str:
    """`s-maxage=TTL`, what the service said itself if that is less, or nothing if the answer must not be kept.

    Kept are whole answers (200, of a known length) and what confirms one (304), without cookies and `Expires`, which
    nothing here can compare, and without a `Vary` on headers other than those that answers are told apart by.
    """
    whole = f"'content-length' in response.headers && int(response.headers['content-length']) <= {largest}"
    names = "|".join(map(_named, (*told, "accept-encoding")))
    varies = f"response.headers['vary'].matches('(?i)^ *({names})( *, *({names}))* *$')"
    allowed = " && ".join(
        (
            f"(response.code == 304 || (response.code == 200 && {whole}))",
            "!('set-cookie' in response.headers)",
            "!('content-encoding' in response.headers)",
            "!('expires' in response.headers && !(" + _says("(max-age|s-maxage)=[0-9]+") + "))",
            f"(!('vary' in response.headers) || {varies})",
            f"!({_says(_FORBIDDEN)})",
            f"!({_says(_NO_TIME)})",
            f"!({_less(1)})",  # Envoy would give it out again within the second
        )
    )
    return f"{allowed} ? (({_less(ttl)}) ? {_SAID} : 's-maxage={ttl}') : ''"


def _named(name: str) -> str:
    """A header's name in a regex in a text of CEL in a format. Names are tokens (RFC 9110, section 5.6.2), and those hold
    characters that are signs in all three."""
    return re.sub("[^a-z0-9_-]", lambda sign: rf"\\x{ord(sign[0]):02x}", name)


def _says(pattern: str) -> str:
    return f"'cache-control' in response.headers && {_SAID}.matches('(?i)({pattern})')"


def _less(ttl: int) -> str:
    """Whether the service gives its answer less time; `s-maxage` counts before `max-age` (RFC 9111, section 4.2.1)."""
    number = f'"?0*({below(ttl)})"?([ ,;]|$)'
    shared, every = f"(^|[ ,])s-maxage={number}", f"(^|[ ,])max-age={number}"
    return f"({_says(shared)}) || (!({_says('s-maxage')}) && {_says(every)})"


def below(limit: int) -> str:
    """A regex for the decimal numbers, without leading zeros, that are less than a limit of at least 1."""
    digits = str(limit)
    shorter = [] if len(digits) == 1 else ["[0-9]" + "[0-9]?" * (len(digits) - 2)]
    same = [
        digits[:place] + (f"[0-{int(digit) - 1}]" if digit > "1" else "0") + "[0-9]" * (len(digits) - place - 1)
        for place, digit in enumerate(digits)
        if digit > "0"
    ]
    return "|".join([*shorter, *same])
