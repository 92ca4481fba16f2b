"""A document's values -> mappings with known keys, or diagnostics at their places."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from xds.diagnostics import Diagnostic, Span, did_you_mean
from xds.source.pointer import escape


class Placed(Protocol):
    """What knows where the values of its pointers (RFC 6901) stand."""

    def span(self, pointer: str = "") -> Span: ...


@dataclass(slots=True)
class Walk:
    """One walk through a document. `found` collects what is wrong on it, under the one `CODE` of its kind of document."""

    document: Placed
    found: list[Diagnostic] = field(default_factory=list)
    CODE: ClassVar[str]

    def mapping(self, value: Any, at: str, keys: Iterable[str] | None = None) -> dict[str, Any]:
        """A mapping, empty for null and for anything else, which is refused, as is a key that is none of `keys`."""
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.refuse(at, "must be a mapping")
            return {}
        known = None if keys is None else tuple(keys)
        for key in value if known is not None else ():
            if key not in (known or ()):
                self.refuse(f"{at}/{escape(key)}", f"unknown key '{key}'", did_you_mean(key, known or ()))
        return value

    def refuse(self, at: str, message: str, help: str | None = None) -> None:
        """Note what is wrong with the value of a pointer."""
        self.found.append(Diagnostic(self.CODE, message, self.document.span(at), help))
