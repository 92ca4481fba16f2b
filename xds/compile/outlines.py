"""Version -> the paths that it claims, and which others claim paths beside them; kept from one compilation to the next."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from xds.contract.trie import Keys, keys_of
from xds.model import Operation, Service, Version

_ANY = "*"


@dataclass(frozen=True, slots=True)
class Claim:
    """A path that a version claims, by one of its operations. Equal `keys` match the same requests."""

    keys: Keys
    service: Service
    version: Version
    operation: Operation


@dataclass(frozen=True, slots=True)
class Outline:
    """The paths of some operations, each with the first that has it, and the literal segments that all of them begin with."""

    operations: tuple[Operation, ...]
    paths: Mapping[str, tuple[Keys, Operation]]
    head: tuple[str, ...]

    @property
    def keys(self) -> set[Keys]:
        """The paths without their variables' names."""
        return {keys for keys, _ in self.paths.values()}


@dataclass(slots=True)
class Outlines:
    """Outlines by version; of paths that an earlier one had, nothing is taken apart again."""

    _kept: dict[str, Outline] = field(default_factory=dict)

    def of(self, version: Version) -> Outline:
        """What a version claims."""
        name = f"{version.service}/{version.name}"
        kept = self._kept.get(name)
        if kept is None or kept.operations is not version.operations:
            kept = self._kept[name] = _outline(version.operations, kept.paths if kept else {})
        return kept

    def former(self, version: Version) -> set[Keys]:
        """What a version claimed before."""
        kept = self._kept.get(f"{version.service}/{version.name}")
        if kept is not None and kept.operations is version.operations:
            return kept.keys
        return _outline(version.operations, kept.paths if kept else {}).keys

    def keep(self, services: Collection[str]) -> None:
        """Drop what is kept of all other services."""
        for name in [name for name in self._kept if name.partition("/")[0] not in services]:
            del self._kept[name]


def _outline(operations: tuple[Operation, ...], before: Mapping[str, tuple[Keys, Operation]]) -> Outline:
    paths: dict[str, tuple[Keys, Operation]] = {}
    head: list[str] | None = None
    for operation in operations:
        text = operation.path.text
        if text in paths:
            continue
        known = before.get(text)
        keys = known[0] if known else keys_of(operation.path)
        paths[text] = keys, operation
        head = _common(head, keys)
    return Outline(operations, paths, tuple(head or ()))


def _common(head: list[str] | None, keys: Keys) -> list[str]:
    if head is None:
        head = []
        for key in keys:
            if not isinstance(key, str):
                break
            head.append(key)
    while tuple(head) != keys[: len(head)]:
        head.pop()
    return head


class Neighbours:
    """Which versions may share requests with another service, told by the literal segments that all their paths begin with."""

    def __init__(self) -> None:
        self._at: dict[str, dict[tuple[str, ...], set[str]]] = {_ANY: {}}
        self._below: dict[str, dict[tuple[str, ...], set[str]]] = {_ANY: {}}
        self._every: dict[str, dict[tuple[str, ...], set[str]]] = {"at": {}, "below": {}}

    def add(self, service: Service, outline: Outline) -> None:
        """Note that a service has such paths."""
        head = outline.head
        for host in service.hosts or (_ANY,):
            _note(self._at.setdefault(host, {}), head, service.name)
            for length in range(len(head) + 1):
                _note(self._below.setdefault(host, {}), head[:length], service.name)
        _note(self._every["at"], head, service.name)
        for length in range(len(head) + 1):
            _note(self._every["below"], head[:length], service.name)

    def beside(self, service: Service, outline: Outline) -> bool:
        """Whether another service has paths that begin like these, on a host that both answer."""
        head, own = outline.head, {service.name}
        if not service.hosts:
            rows = [(self._every["at"], self._every["below"])]
        else:
            rows = [(self._at.get(host, {}), self._below.get(host, {})) for host in (*service.hosts, _ANY)]
        return any(
            below.get(head, own) - own or any(at.get(head[:n], own) - own for n in range(len(head)))
            for at, below in rows
        )


def _note(heads: dict[tuple[str, ...], set[str]], head: tuple[str, ...], service: str) -> None:
    """Two names are enough to know that there is another one."""
    names = heads.setdefault(head, set())
    if len(names) < 2:
        names.add(service)
