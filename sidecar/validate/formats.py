"""Formats that OpenAPI has and the JSON Schema engine lacks, as predicates over text.

Sources: OpenAPI 3.0.4 section 4.4 and 3.1.1 section 4.4 (data type formats), the OpenAPI Format Registry. Formats of
numbers (`int32`, `int64`, ...) are bounds, which the compiler writes as `minimum` and `maximum`. `password` and
`binary` say nothing about the text. Any other unknown format is an annotation.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_BASE64URL = re.compile(r"(?:[A-Za-z0-9_-]{4})*+(?:[A-Za-z0-9_-]{2}(?:==)?|[A-Za-z0-9_-]{3}=?)?")


def is_byte(text: str) -> bool:
    """Base64 with padding (RFC 4648, section 4), no line breaks."""
    return _BASE64.fullmatch(text) is not None


def is_base64url(text: str) -> bool:
    """Base64 in the URL alphabet, padded or not (RFC 4648, section 5)."""
    return _BASE64URL.fullmatch(text) is not None


def is_char(text: str) -> bool:
    """A single character."""
    return len(text) == 1


FORMATS: dict[str, Callable[[str], bool]] = {"byte": is_byte, "base64url": is_base64url, "char": is_char}
