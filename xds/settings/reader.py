"""Reader: one walk through sidegate.yaml and its layers, and what was found wrong on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from xds.diagnostics import Diagnostic, did_you_mean
from xds.model.listeners import Secret
from xds.place import Place
from xds.settings.layers import FILE as FILE
from xds.settings.layers import Layers
from xds.source.packs import inside, pack_of
from xds.source.pointer import escape


@dataclass(slots=True)
class Reader:
    """`found` collects what is wrong; `files` are the project's, by name.

    `secrets` collects key material and `wanted` the names of all that is asked for, `of_packs` those that packs ask for.
    `closed`: whoever compiles has no business with it. `clock` gives the time by which certificates are judged; without
    one, their time is not looked at.
    """

    document: Layers
    files: Mapping[str, bytes]
    found: list[Diagnostic]
    closed: bool = False
    clock: Callable[[], datetime] | None = None
    secrets: dict[str, Secret] = field(default_factory=dict)
    wanted: set[str] = field(default_factory=set)
    of_packs: set[str] = field(default_factory=set)

    def mapping(self, value: Any, at: str, keys: Iterable[str] | None = None) -> dict[str, Any]:
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.say("settings-invalid", f"{at or 'the file'} must be a mapping", at)
            return {}
        for key in value if keys is not None else ():
            if key not in (known := tuple(keys or ())) and not key.startswith("x-"):
                self.say(
                    "settings-unknown-key", f"unknown key '{key}'", f"{at}/{escape(key)}", did_you_mean(key, known)
                )
        return value

    def texts(self, value: Any, at: str) -> tuple[str, ...]:
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.say("settings-invalid", f"{at} must be a list of texts", at)
            return ()
        return tuple(value)

    def want(self, name: str, at: str) -> None:
        """Ask for key material by its name, for what is written at a pointer."""
        self.wanted.add(name)
        if pack_of(self.document.place(at).file):
            self.of_packs.add(name)

    def file(self, name: str, at: str) -> str:
        """What a file that the value of a pointer names is called among `files`: a pack's own files are within it."""
        pack = pack_of(self.document.place(at).file)
        return inside(pack, name) if pack else name

    def place(self, at: str) -> Place:
        """Where the value of a pointer was written."""
        return self.document.place(at)

    def say(self, code: str, message: str, at: str, help: str | None = None) -> None:
        self.found.append(Diagnostic(code, message, self.document.span(at), help))
