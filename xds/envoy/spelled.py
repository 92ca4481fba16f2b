"""Parameter -> CEL: its value as limits count by it, where that has one spelling; else what all others have in common.

1, 1.0 and 1e0 are one number. If each were a bucket of its own, a client could ask as often as it finds ways to write what
it asks for. So numbers count by themselves as they are usually written, and all that are written otherwise share a bucket,
also what is no number: limits stand before the contract's checks, and a service without them may read more than JSON has.
"""

from __future__ import annotations

from xds.model import Name, Operation, Parameter

MANY = "'many spellings'"

_WHOLE = "0|-?[1-9][0-9]*"
_DECIMAL = f"{_WHOLE}|-?(0|[1-9][0-9]*)[.][0-9]*[1-9]"
"""Without an exponent, and without zeros that say nothing."""
_NUMBER = "[+-]?[0-9.]+([eE][+-]?[0-9]+)?"
"""Whatever could be read as a number."""
_DIGITS = 15
"""Of so many digits each text is another double (IEEE 754); of more, several are the same."""
_NUMBERS = frozenset(("integer", "number"))
_TEXTS = frozenset(("string", "object", "array"))


def counted(value: str, parameter: Parameter) -> str:
    """The CEL expression for a text, of which `value` is the expression."""
    return f"({usual}) ? {value} : {MANY}" if (usual := _usual(value, parameter)) else value


def counted_path(parameter: Parameter, operation: Operation) -> str:
    """The same for the only variable of a path: all of the path counts, as long as nothing in it is encoded."""
    path = "request.url_path"
    usual = _usual(path, parameter, *_around(parameter, operation))
    same = rf"!{path}.matches(r'\x25')" + (f" && ({usual})" if usual else "")
    return f"({same}) ? {path} : {MANY}"


def _usual(value: str, parameter: Parameter, before: str = "", behind: str = "") -> str:
    """The condition that a value between two texts is written in the one way; empty where there is no other."""
    types = parameter.shape.types
    if not types & _NUMBERS:
        return ""
    forms = _DECIMAL if "number" in types else _WHOLE
    usual = f"{value}.matches('^{_signs(before)}({forms}){_signs(behind)}$')"
    if "number" in types:
        usual = f"{usual} && {value}.size() <= {len(before) + _DIGITS + len(behind)}"
    if not types & _TEXTS:
        return usual
    return f"!{value}.matches('^{_signs(before)}{_NUMBER}{_signs(behind)}$') || ({usual})"


def _around(parameter: Parameter, operation: Operation) -> tuple[str, str]:
    """The text of a path before and behind its variable."""
    text = "".join("/" + "".join(map(_part, segment.parts)) for segment in operation.path.segments)
    before, _, behind = text.partition("\0")
    return before + {"label": ".", "matrix": f";{parameter.name}="}.get(parameter.style or "", ""), behind


def _part(part: str | Name) -> str:
    return "\0" if isinstance(part, Name) else part


def _signs(text: str) -> str:
    """The route has found the text there already: of signs that a regex or CEL could read otherwise, it is enough that there is
    one; what is encoded counts with the others."""
    return "".join(sign if sign.isascii() and (sign.isalnum() or sign in "/_-") else "." for sign in text)
