"""What the contract says of responses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from xds.place import Place


@dataclass(frozen=True, slots=True)
class Example:
    """A value of an answer as the contract shows it. `name` is empty for one that has none."""

    name: str
    value: Any
    place: Place


@dataclass(frozen=True, slots=True)
class Content:
    """One media type of an answer, lower case, without parameters."""

    range: str
    examples: tuple[Example, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Answer:
    """One entry of OpenAPI's Responses Object. `status` is `200`, `2XX` or `default`."""

    status: str
    contents: tuple[Content, ...]

    @property
    def is_plain(self) -> bool:
        """Whether it is for one status only."""
        return self.status.isdigit()

    def is_for(self, status: int) -> bool:
        return self.status in (str(status), f"{status // 100}XX", "default")
