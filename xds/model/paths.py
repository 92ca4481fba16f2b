"""Path templates."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Segment:
    """One path segment of a template: literal text (decoded, as Envoy's normalised path has it) and names in turn.

    `parts` alternates between literal strings and `Name`s: `{name}.json` is (Name("name"), ".json").
    """

    parts: tuple[str | Name, ...]

    @property
    def literal(self) -> str | None:
        """The segment's text if it holds no names, else None."""
        return "".join(map(str, self.parts)) if not any(isinstance(p, Name) for p in self.parts) else None


@dataclass(frozen=True, slots=True)
class Name:
    """A template variable in a path."""

    name: str


@dataclass(frozen=True, slots=True)
class PathTemplate:
    """A public path: base path and path template in one. `text` is as a person writes it, `/v1/items/{id}`."""

    text: str
    segments: tuple[Segment, ...]
