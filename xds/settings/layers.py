"""sidegate.yaml, sidegate.NAME.yaml -> Layers: one value, each part of which knows the file that said it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

from xds.diagnostics import Diagnostic, Span, did_you_mean
from xds.place import Place
from xds.source import Document, load
from xds.source.packs import pack_of
from xds.source.pointer import tokens

FILE = "sidegate.yaml"
OVER = "(flags)"
"""Not a file: what a command's flags say, above every layer."""
_LAYER = re.compile(r"sidegate\.([A-Za-z0-9][A-Za-z0-9_-]*)\.yaml")


def layer_file(env: str) -> str:
    """The file that holds what is different in an environment."""
    return f"sidegate.{env}.yaml"


def is_env(name: str) -> bool:
    """Whether a text can be the name of an environment: letters, digits, `-` and `_`."""
    return bool(_LAYER.fullmatch(layer_file(name)))


def envs(names: Iterable[str]) -> tuple[str, ...]:
    """The environments that files of these names make."""
    return tuple(sorted(found[1] for name in names if (found := _LAYER.fullmatch(name))))


def settings_files(env: str | None) -> tuple[str, ...]:
    """The files that settings are read from, the lowest layer first."""
    return (FILE,) if env is None else (FILE, layer_file(env))


@dataclass(frozen=True, slots=True)
class Layers:
    """Settings as they count: mappings of the layers merged key by key, all else replaced by the upper one, null removing
    what the lower one has. `documents` are the layers, lowest first; there is at least one."""

    documents: tuple[Document, ...]
    value: Any

    def by_pack(self) -> Iterator[tuple[str | None, Any]]:
        """What each pack says, and what the project itself does (None)."""
        packs = dict.fromkeys(pack_of(document.file) for document in self.documents)
        for pack in packs:
            said = [document.value for document in self.documents if pack_of(document.file) == pack]
            yield pack, reduce(layered, said)

    def place(self, pointer: str = "") -> Place:
        """The file that said the value of a pointer (the uppermost, if several did), and the pointer."""
        return Place(self._document(pointer).file, pointer)

    def span(self, pointer: str = "") -> Span:
        """Line and column of a pointer's value in the file that said it."""
        return self._document(pointer).span(pointer)

    def _document(self, pointer: str) -> Document:
        """Whose layer said a pointer's value, or the innermost of the mappings around it that somebody said."""
        path = list(tokens(pointer))
        for length in range(len(path), 0, -1):
            for document in reversed(self.documents):
                if _said(document.value, path[:length]):
                    return document
        return self.documents[-1] if self.documents[-1].file != OVER else self.documents[0]


def _said(value: Any, path: Iterable[str]) -> bool:
    """Whether a layer holds the value of a path, or replaces what is above it."""
    for token in path:
        if not isinstance(value, dict):
            return True
        if token not in value:
            return False
        value = value[token]
    return True


def settings_document(
    files: Mapping[str, bytes], env: str | None = None
) -> tuple[Layers | None, tuple[Diagnostic, ...]]:
    """The settings in a project's files, or None and why there are none. Neither without a file of settings.

    Code `layer-missing` if the environment has no file, and those of `xds.source.load`.
    """
    if env is not None and (wanted := layer_file(env)) not in files and not _pack_settings(files, wanted):
        known = did_you_mean(env, envs(files)) or f"write {wanted}: what is different there from {FILE}"
        return None, (Diagnostic("layer-missing", f"there is no {wanted} for --env {env}", Span(wanted), known),)
    loaded = [
        *_of_packs(files, env),
        *(load(name, files[name]) for name in (*settings_files(env), OVER) if name in files),
    ]
    if not loaded:
        return None, ()
    said = tuple(d for _, diagnostics in loaded for d in diagnostics)
    documents = tuple(document for document, _ in loaded if document is not None)
    if len(documents) < len(loaded):
        return None, said
    value = documents[0].value if documents[0].file != OVER else layered({}, documents[0].value)
    for upper in documents[1:]:
        value = layered(value, upper.value)
    return Layers(documents, value), said


_OF_PACKS = ("services", "security")


def _pack_settings(files: Mapping[str, bytes], name: str) -> list[str]:
    return sorted(file for file in files if file.count("/") == 1 and file.endswith(f".zip/{name}"))


def _of_packs(files: Mapping[str, bytes], env: str | None) -> Iterator[tuple[Document | None, tuple[Diagnostic, ...]]]:
    """What packs say, below all that the project itself says: only of their services and security schemes."""
    for name in settings_files(env):
        for file in _pack_settings(files, name):
            document, said = load(file, files[file])
            top = document.value if document and isinstance(document.value, dict) else {}
            spoken = {section: top[section] for section in _OF_PACKS if section in top}
            yield (replace(document, value=spoken) if document else None), said


def layered(lower: Any, upper: Any) -> Any:
    """One value over another."""
    if not isinstance(upper, dict):
        return lower if upper is None else upper  # an empty file changes nothing
    below = lower if isinstance(lower, dict) else {}
    out = {key: value for key, value in below.items() if key not in upper or upper[key] is not None}
    for key, value in upper.items():
        if value is not None:
            out[key] = layered(below.get(key), value)
    return out


def override(service: str, upstream: str | None) -> dict[str, Any] | None:
    """Settings that place a service's every version at one upstream; None without one."""
    return {"services": {service: {"upstream": upstream, "versions": None}}} if service and upstream else None
