"""Services -> what is said, below each of their base paths, of a path that no operation has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xds.native.cors import Cors
from xds.native.errors import Wordings

if TYPE_CHECKING:
    from xds.model import Service, Version


@dataclass(frozen=True, slots=True)
class Base:
    """A base path with a slash at its end, in what words 404 is said below it, and whose pages may read that."""

    path: str
    errors: Wordings = ()
    cors: Cors | None = None


def bases_of(services: Iterable[Service]) -> tuple[Base, ...]:
    """The base paths of one host's services, the longest first. What several documents share a base path for is said only
    where all of them say the same; none if there is nothing to say anywhere."""
    found: dict[str, list[Version]] = {}
    for version in (version for service in services for version in service.versions if version.operations):
        for path in version.bases:
            found.setdefault(f"{path}/", []).append(version)
    if not any(v.native.errors or v.native.cors for versions in found.values() for v in versions):
        return ()
    return tuple(_base(path, found[path]) for path in sorted(found, key=lambda path: (-len(path), path)))


def _base(path: str, versions: list[Version]) -> Base:
    errors, cors = ({getattr(v.native, key) for v in versions} for key in ("errors", "cors"))
    return Base(path, errors.pop() if len(errors) == 1 else (), cors.pop() if len(cors) == 1 else None)


def base_of(path: str, bases: Iterable[Base]) -> Base | None:
    """The base that a path is below."""
    return next((base for base in bases if path.startswith(base.path)), None)
